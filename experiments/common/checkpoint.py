"""Snapshots to resume from, the best model, and atomic file writes."""
import contextlib
import json
import os
import re
import shutil

import chainer
from chainer import serializers
from chainer import training
import numpy

from experiments.common.cli import describe
from experiments.common.cli import UserError
from experiments.common.files import read_arrays
from experiments.common.processes import seed_device
from experiments.common.processes import SingleProcess


@contextlib.contextmanager
def replacing(path):
    """Context that writes a binary file and then replaces ``path`` with it.

    If writing fails or the process is killed, the previous file remains.
    """
    temporary = f'{path}.tmp{os.getpid()}'
    try:
        with open(temporary, 'wb') as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = path  # replaces the name of the temporary file
        raise
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_json(path, value):
    """Write a value as indented JSON."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with replacing(path) as f:
        # File names that are not UTF-8 contain surrogates. They are escaped by
        # 'backslashreplace' in the same way as in JSON.
        f.write(text.encode('utf-8', 'backslashreplace') + b'\n')


def prepare_folder(out, resume, overwrite):
    """Create the output folder of a run.

    If the folder contains a run, ``overwrite`` removes it, and ``resume``
    keeps it. If both are False, :class:`UserError` is raised.
    """
    os.makedirs(out, exist_ok=True)
    pattern = re.compile(r'log|model\.(json|npz)|result\.json|' + _SNAPSHOT)
    outputs = list(filter(pattern.fullmatch, os.listdir(out)))
    if overwrite:
        for name in outputs:
            os.remove(os.path.join(out, name))
    elif outputs and not resume:
        raise UserError(
            f'{out} contains an earlier run; resume it with --resume, start '
            'over with --overwrite, or choose another folder with --out')
    elif 'model.npz' in outputs and not snapshots(out):
        raise UserError(
            f'{out} contains a model, but no snapshot; start over with '
            '--overwrite or choose another folder with --out')
    # Remove temporary files of a run that was killed.
    for name in os.listdir(out):
        if re.fullmatch(r'.*\.tmp\d+', name):
            os.remove(os.path.join(out, name))
        elif re.fullmatch('log.{8}', name):  # temporary folder of LogReport
            shutil.rmtree(os.path.join(out, name))


_SNAPSHOT = r'snapshot_iter_(\d+)'


def snapshots(out):
    """Return the paths of the snapshots in a folder, the newest first."""
    names = os.listdir(out) if os.path.isdir(out) else []
    matches = filter(None, (re.fullmatch(_SNAPSHOT, name) for name in names))
    return [os.path.join(out, match[0]) for match in sorted(
        matches, key=lambda match: -int(match[1]))]


class Snapshot(training.Extension):
    """Trainer extension that writes snapshots and resumes from them.

    On a CPU, a resumed run ends with exactly the same model as an
    uninterrupted run. In contrast to Chainer's ``snapshot``, the states of
    random generators are included, files are written atomically, the newest
    two files are kept, and snapshots of runs with other settings are rejected.

    Args:
        settings (dict): Everything that the run depends on, as JSON values.
            Only ``n_epochs``, ``patience`` and ``source`` may differ when the
            run is resumed.
        every (int): Number of iterations between snapshots. A snapshot is also
            written after every epoch.
        processes (SingleProcess or MultiProcess): The processes.

    """

    priority = -100

    def __init__(self, settings, every=200, processes=SingleProcess()):
        self._settings = json.loads(json.dumps(settings))
        self._every = every
        self._processes = processes

    def trigger(self, trainer):
        """Return whether a snapshot is due after this iteration."""
        updater = trainer.updater
        return updater.is_new_epoch or updater.iteration % self._every == 0

    def __call__(self, trainer):
        # All processes must take part, because random states are gathered.
        arrays = copied_arrays(trainer)
        if self._processes.rank:
            return
        path = os.path.join(
            trainer.out, f'snapshot_iter_{trainer.updater.iteration}')
        with replacing(path) as f:
            numpy.savez(f, **arrays)
        paths = snapshots(trainer.out)
        # Newer snapshots exist if the run was resumed from an older snapshot.
        n_newer = paths.index(path)
        for obsolete in paths[:n_newer] + paths[n_newer + 2:]:
            os.remove(obsolete)

    def resume(self, trainer):
        """Restore a trainer from the newest snapshot in its folder."""
        path = next(iter(self._processes.once(
            lambda: snapshots(trainer.out))), None)
        if path is None:
            print(f'There is no snapshot in {trainer.out}; starting from the '
                  'beginning.')
            return
        arrays = self._processes.once(lambda: self._read(path))
        try:
            serializers.NpzDeserializer(arrays).load(trainer)
        except Exception as error:  # the file may contain anything
            raise UserError(
                f'{path} cannot be loaded ({describe(error)}); if it is from '
                'another version of this program, start over with --overwrite')
        updater = trainer.updater
        length, unit = trainer.stop_trigger.get_training_length()
        if unit == 'epoch' and updater.epoch_detail > length:
            raise UserError(
                f'{path} is from epoch {updater.epoch_detail:.2f}, after the '
                f'last epoch, {length}; choose a larger --epoch, or start '
                'over with --overwrite')
        seed_device(updater.get_optimizer('main').target.device)
        print(f'Resumed from {path}: {updater.epoch_detail:.2f} epochs, '
              f'{updater.iteration} iterations.')

    def _read(self, path):
        arrays = read_arrays(path)
        try:
            settings = json.loads(str(
                arrays[f'extensions/{self.name}/settings']))
        except (KeyError, ValueError):
            raise UserError(
                f'{path} is not a snapshot of a training run; remove it')
        difference = _difference(settings, self._settings)
        if difference:
            raise UserError(
                f'{path} belongs to another run: its {difference}; use the '
                'same settings, or start over with --overwrite')
        return arrays

    def advice(self, out):
        """Return a clause that explains how to resume the run in a folder."""
        paths = snapshots(out)
        return (f'to resume from {paths[0]}, add --resume to the command'
                if paths else 'there is no snapshot yet to resume from')

    def on_error(self, trainer, exc, tb):
        exc.add_note(self.advice(trainer.out))

    def serialize(self, serializer):
        rank, size = self._processes.rank, self._processes.size
        kind, keys, *rest = numpy.random.get_state()
        states = self._processes.gather([kind, keys.tolist(), *rest])
        states = json.loads(str(serializer('random', json.dumps(states))))
        if isinstance(serializer, chainer.Serializer):
            serializer('settings', json.dumps(self._settings))
        elif len(states) == size:
            numpy.random.set_state(tuple(states[rank]))
        else:
            print(f'The snapshot is from {len(states)} processes; the random '
                  f'numbers of {size} differ.')


def _difference(previous, settings):
    """Describe a difference that prevents resuming, or return ``''``."""
    for name, value in settings.items():
        previous_value = previous.get(name)
        if isinstance(previous_value, dict) and isinstance(value, dict):
            difference = _difference(previous_value, value)
            if difference:
                return difference
        elif previous_value != value and name not in (
                'source', 'n_epochs', 'patience'):
            return f'{name} is {previous_value}, not {value}'
    return ''


class BestModel(training.Extension):
    """Trainer extension that writes the best model to ``model.npz``.

    Snapshots include the best model.

    Args:
        model (chainer.Link): The model.
        description (dict): Everything needed to rebuild the model, as JSON
            values. It is written to ``model.json``.
        key (str): Name of the observation to compare.
        highest (bool): If ``True``, the highest value is the best. Otherwise,
            the lowest value is the best.

    Attributes:
        epoch (int): Epoch of the best model, 0 if there is none yet.
        value (float): Value of the observation in the epoch of the best model.

    """

    trigger = 1, 'epoch'

    def __init__(self, model, description, key='validation/main/loss',
                 highest=False):
        self._model = model
        self._description = description
        self._key = key
        self._sign = -1 if highest else 1
        self._arrays = {}
        self.epoch = 0
        self.value = self._sign * float('inf')

    def initialize(self, trainer):
        write_json(os.path.join(trainer.out, 'model.json'), self._description)
        if self.epoch:  # this run has been resumed
            self._write(trainer.out)

    def __call__(self, trainer):
        value = float(trainer.observation[self._key])
        if self._sign * value < self._sign * self.value:
            self.epoch, self.value = trainer.updater.epoch, value
            self._arrays = copied_arrays(self._model)
            self._write(trainer.out)

    def _write(self, out):
        with replacing(os.path.join(out, 'model.npz')) as f:
            numpy.savez(f, **self._arrays)

    def restore(self):
        """Restore the parameters of the best model."""
        serializers.NpzDeserializer(self._arrays).load(self._model)

    def serialize(self, serializer):
        self.epoch = int(serializer('epoch', self.epoch))
        self.value = float(serializer('value', self.value))
        if self.epoch:
            arrays = self._arrays or copied_arrays(self._model)
            self._arrays = {
                name: numpy.asarray(serializer('arrays/' + name, array))
                for name, array in arrays.items()}


def copied_arrays(item):
    """Return copies of everything that an object serializes, on the CPU."""
    serializer = serializers.DictionarySerializer()
    serializer.save(item)
    return {name: numpy.array(value)
            for name, value in serializer.target.items()}
