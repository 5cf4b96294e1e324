"""Files that are whole or not there: snapshots, and the best model.

A snapshot holds all that a training needs to go on to the same bits.
"""
import contextlib
import glob
import json
import os
import re
import shutil

import chainer
from chainer import serializers
from chainer import training
import numpy

from experiments.common import precision
from experiments.common.cli import describe
from experiments.common.cli import UserError


@contextlib.contextmanager
def replacing(path):
    """Open a binary file that takes the place of ``path`` when complete.

    If writing fails or is killed, what was there before stays.
    """
    temporary = f'{path}.tmp{os.getpid()}'
    try:
        with open(temporary, 'wb') as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = path  # not the temporary one
        raise
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_json(path, value):
    """Write a value as indented JSON."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with replacing(path) as f:
        f.write(text.encode('utf-8') + b'\n')


def read_json(path):
    """Return a value from a JSON file."""
    try:
        with open(path, encoding='utf-8') as f:
            return json.load(f)
    except (ValueError, RecursionError):
        raise UserError(f'{path} is damaged: it is not JSON')


def read_arrays(path):
    """Return the arrays of a ``.npz`` file by name; nothing is unpickled."""
    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        raise
    except Exception:  # a damaged archive fails in many ways
        raise UserError(f'{path} is damaged, or does not hold arrays')


_PREFIX = 'snapshot_iter_'


def prepare_folder(out, resume, overwrite):
    """Make the folder of a run, or see to it that an earlier one is kept."""
    if resume not in (None, True) and not os.path.isfile(resume):
        raise UserError(f'there is no snapshot file {resume}')
    os.makedirs(out, exist_ok=True)
    inside = os.path.join(glob.escape(out), '')
    left = _found(out) + [
        os.path.join(out, name) for name in (
            'log', 'model.json', 'model.npz', 'result.json')
        if os.path.exists(os.path.join(out, name))]
    if left and not resume:
        if not overwrite:
            raise UserError(
                f'{out} holds an earlier run; go on with it with --resume, '
                'start over with --overwrite, or choose another folder with '
                '--out')
        for path in left:
            os.remove(path)
    elif left and resume is not True and not os.path.samefile(
            os.path.dirname(os.path.abspath(resume)), out):
        raise UserError(f'{out} holds another run than that of {resume}; '
                        'choose another folder with --out')
    elif resume is True and os.path.join(out, 'model.npz') in left and (
            not _found(out)):
        raise UserError(f'{out} holds a model, but no snapshot; start over '
                        'with --overwrite or choose another folder with --out')
    for path in glob.glob(inside + '*.tmp[0-9]*'):
        os.remove(path)  # of a run that was killed as it wrote
    for path in glob.glob(inside + 'log' + 8 * '?'):  # Chainer's LogReport's
        shutil.rmtree(path, ignore_errors=True)


def outlook(out):
    """Return what ``--resume`` would do with the folder of a run."""
    found = _found(out)
    if not found:
        return 'there is no snapshot yet to go on from'
    return f'the same command with --resume goes on from {found[0]}'


def save_snapshot(trainer, processes):
    """Write a snapshot, to which all processes give their part; keep two."""
    path = os.path.join(trainer.out, f'{_PREFIX}{trainer.updater.iteration}')
    arrays = _arrays(trainer)
    if processes.rank:
        return
    with replacing(path) as f:
        numpy.savez(f, **arrays)
    found = _found(trainer.out)
    # Later ones are of a past that the run has left.
    earlier = found[found.index(path) + 1:]
    for each in set(found) - {path} - set(earlier[:1]):
        os.remove(each)


def load_snapshot(which, trainer, facts, processes):
    """Put a trainer into the state of a snapshot.

    ``which`` is its name, or True for the newest one in the trainer's folder;
    ``facts`` must be the same for it to fit.
    """
    path = which
    if which is True:
        path = next(iter(processes.once(lambda: _found(trainer.out))), None)
        if path is None:
            print(f'There is no snapshot in {trainer.out}; starting from the '
                  'beginning.')
            return
    arrays = processes.once(lambda: _read_snapshot(path, facts))
    try:
        serializers.NpzDeserializer(arrays).load(trainer)
    except Exception as error:  # whatever somebody may have put there
        raise UserError(f'the snapshot {path} does not fit this program '
                        f'({describe(error)}); it may be of another version')
    print(f'Resumed from {path}: {trainer.updater.epoch_detail:.2f} epochs, '
          f'{trainer.updater.iteration} iterations.')


def _found(out):
    """Return the snapshots in a folder, the newest first, by iteration."""
    paths = glob.glob(os.path.join(glob.escape(out), _PREFIX + '*'))
    iterations = {path: re.fullmatch(
        _PREFIX + '([0-9]+)', os.path.basename(path)) for path in paths}
    return sorted((path for path in paths if iterations[path]),
                  key=lambda path: -int(iterations[path].group(1)))


def _read_snapshot(path, facts):
    arrays = read_arrays(path)
    try:
        found = json.loads(str(arrays['extensions/run/facts']))
    except (KeyError, ValueError):
        raise UserError(f'{path} is not a snapshot of a training run')
    difference = _difference(found, json.loads(json.dumps(facts)))
    if difference:
        raise UserError(
            f'the snapshot {path} belongs to another run: its {difference}')
    return arrays


def _difference(theirs, ours):
    """Return how facts differ, '' if not: data may move, epochs be added."""
    for name, value in ours.items():
        found = theirs.get(name)
        if isinstance(found, dict) and isinstance(value, dict):
            difference = _difference(found, value)
            if difference:
                return difference
        elif found != value and name not in ('source', 'n_epochs'):
            return f'{name} is {found}, not {value}'
    return ''


class BestModel(training.Extension):
    """Trainer extension that keeps the best model so far, of ``epoch``.

    It is part of the snapshot; :meth:`write` makes ``model.npz`` of it. The
    best has the lowest ``value`` of the observation ``key``, or the highest.
    """

    def __init__(self, model, key='validation/main/loss', highest=False):
        self._model = model
        self._key = key
        self._sign = -1 if highest else 1
        self._arrays = _arrays(model)
        self._is_written = False
        self.epoch = 0
        self.value = self._sign * float('inf')

    def __call__(self, trainer):
        value = float(trainer.observation[self._key])
        if self._sign * value < self._sign * self.value:
            self.epoch, self.value = trainer.updater.epoch, value
            self._arrays = _arrays(self._model)
            self._is_written = False

    def write(self, out):
        """Write the model if there is one that was not written yet."""
        if self.epoch and not self._is_written:
            with replacing(os.path.join(out, 'model.npz')) as f:
                numpy.savez(f, **self._arrays)
            self._is_written = True

    def restore(self):
        """Make the model what it was when it was the best."""
        serializers.NpzDeserializer(self._arrays).load(self._model)

    def serialize(self, serializer):
        self.epoch = int(serializer('epoch', self.epoch))
        self.value = float(serializer('value', self.value))
        self._arrays = {
            name: numpy.asarray(serializer('arrays/' + name, array))
            for name, array in self._arrays.items()}


def _arrays(item):
    """Return copies of all that an object serializes, on the CPU."""
    serializer = serializers.DictionarySerializer()
    serializer.save(item)
    return {name: numpy.array(value)
            for name, value in serializer.target.items()}


def load_model(folder, experiment, build):
    """Return the best model of a run, on the CPU, and its description.

    ``build`` makes a model of what ``model.json`` says.
    """
    try:
        description = read_json(os.path.join(folder, 'model.json'))
        arrays = read_arrays(os.path.join(folder, 'model.npz'))
    except FileNotFoundError as error:
        raise UserError(f'there is no trained model in {folder}: '
                        f'{error.filename} is missing')
    try:
        if description['experiment'] != experiment:
            raise ValueError('it is of another experiment')
        with precision.using(description['dtype']):
            model = build(description)
        if set(arrays) != set(_arrays(model)):
            raise ValueError('model.npz is of another model')
        serializers.NpzDeserializer(arrays).load(model)
    except Exception as error:  # it may say anything
        raise UserError(f'{folder} does not hold a model of experiments.'
                        f'{experiment} and this version ({describe(error)})')
    return model, description


def seed_all(seed, device, rank=0):
    """Seed every generator that training draws from, each process its own."""
    if rank:
        sequence = numpy.random.SeedSequence((seed, rank))
        seed = int(sequence.generate_state(1)[0])
    numpy.random.seed(seed)
    seed_device(device)


def seed_device(device):
    """Seed CuPy's generator, whose state cannot be read, from NumPy's."""
    if device.xp is not numpy:
        keys = numpy.random.get_state()[1][:8]
        with chainer.using_device(device):
            device.xp.random.seed(
                int(numpy.random.RandomState(keys).randint(2 ** 31)))
