"""Snapshots of a run: taken safely, found again, checked before use."""
import glob
import json
import os
import re
import shutil

from chainer import serializers
from chainer.training import extension
import numpy

from experiments.common import communication
from experiments.common.arrays import read_arrays
from experiments.common.errors import describe
from experiments.common.errors import Problem
from experiments.common.errors import warn
from experiments.common.files import replacing


_PREFIX = 'snapshot_iter_'

# What a run writes besides its snapshots
_WRITTEN = 'log', 'model.json', 'model.npz', 'result.json'


class Identity(extension.Extension):

    """Trainer extension that says in a snapshot which run it belongs to.

    Args:
        facts (dict): What must be the same for a snapshot to fit, as plain
            values by name.

    """

    default_name = 'identity'

    def __init__(self, facts):
        self.facts = facts

    def __call__(self, trainer):
        pass  # it is there for its state alone

    def serialize(self, serializer):
        serializer('facts', json.dumps(self.facts))


class Snapshot(extension.Extension):

    """Trainer extension that writes a snapshot of the trainer.

    The file appears under its name when it is complete and on the disk. Only
    then are others removed: this one and the last before it stay, as the
    newest might turn out to be unreadable. One that cannot be written is
    reported, and training goes on.

    Of several processes all give their part, and the first one writes.

    Args:
        processes (~experiments.common.communication.Alone): Those that train.

    Attributes:
        iteration (int): When it was called last.

    """

    priority = -100  # after all that changes the trainer's state
    default_name = 'snapshot'
    iteration = 0

    def __init__(self, processes=communication.Alone()):
        self._processes = processes

    def __call__(self, trainer):
        self.iteration = trainer.updater.iteration
        path = os.path.join(
            trainer.out, '{}{}'.format(_PREFIX, self.iteration))
        serializer = serializers.DictionarySerializer()
        serializer.save(trainer)
        if self._processes.rank:
            return
        try:
            _save(path, serializer.target)
            _remove_others(path)
        except OSError as error:
            warn('cannot write the snapshot {}: {}; training goes on, {}'
                 .format(path, describe(error), outlook(trainer.out)))


def outlook(out):
    """Says what ``--resume`` would do with the folder of a run."""
    found = _found(out)
    if not found:
        return 'there is no snapshot yet to go on from'
    return 'the same command with --resume goes on from {}'.format(found[0])


def prepare_folder(out, resume, overwrite):
    """Makes the folder of a run, and keeps what an earlier one left in it.

    Args:
        out (str): The folder.
        resume: As in :func:`resume`, or ``None`` for a new run.
        overwrite (bool): Whether to start over where there is one.

    """
    if resume and overwrite:
        raise Problem('--resume goes on with a run and --overwrite starts '
                      'over; choose one')
    if resume not in (None, True) and not os.path.isfile(resume):
        raise Problem('there is no snapshot file {}'.format(resume))
    os.makedirs(out, exist_ok=True)
    goes_on = resume is True or resume and _is_in(resume, out)
    left = _found(out) + [
        path for path in (os.path.join(out, name) for name in _WRITTEN)
        if os.path.exists(path)]
    if left and not goes_on:
        if not overwrite:
            raise Problem(
                '{} holds an earlier run; go on with it with --resume, start '
                'over with --overwrite, or choose another folder with '
                '--out'.format(out))
        for path in left:
            os.remove(path)
    _remove_half_written(out)


def resume(which, out, trainer, facts, processes):
    """Puts a trainer into the state of a snapshot.

    Of several processes the first one reads it.

    Args:
        which: Name of a snapshot, or ``True`` for the newest good one in
            ``out``. If there is none at all, the run starts from the
            beginning.
        out (str): Folder of the run.
        trainer (~chainer.training.Trainer): The trainer.
        facts (dict): As in :class:`Identity`.
        processes (~experiments.common.communication.Alone): Those that train.

    Raises:
        Problem: If a snapshot is damaged or of another run.

    """
    if which is not True:
        return _load(which, trainer, facts, processes)
    names = processes.once(lambda: _found(out))
    if not names:
        print('There is no snapshot in {}; starting from the beginning.'
              .format(out))
    damaged = []
    for name in names:
        try:
            _load(name, trainer, facts, processes)
        except _Damaged as problem:
            damaged.append(str(problem))
        else:
            for line in damaged:
                processes.once(lambda: warn(line + '; it was left out'))
            return
    if damaged:
        raise Problem('; '.join(damaged))


def _remove_half_written(out):
    """Removes what a killed run was about to write, under other names."""
    for path in glob.glob(os.path.join(glob.escape(out), '*.tmp[0-9]*')):
        os.remove(path)
    for pattern in 'tmp' + _PREFIX + '*', 'log' + 8 * '?':  # Chainer's
        for path in glob.glob(os.path.join(glob.escape(out), pattern)):
            shutil.rmtree(path, ignore_errors=True)


class _Damaged(Problem):
    pass


def _found(out):
    """Names of the snapshots in a folder, the newest first.

    Their iteration says which is the newest. Times do not survive copying,
    and clocks are set back.
    """
    paths = glob.glob(os.path.join(glob.escape(out), _PREFIX + '*'))
    return sorted((path for path in paths if _iteration(path) is not None),
                  key=_iteration, reverse=True)


def _iteration(path):
    """Iteration of a snapshot, or ``None`` for what has no such name."""
    match = re.fullmatch(_PREFIX + '([0-9]+)', os.path.basename(path))
    return int(match.group(1)) if match else None


def _remove_others(path):
    """Removes all snapshots but a new one and the last one before it.

    Those of later iterations are of a past that the run has left: it was
    resumed from an earlier one.
    """
    found = _found(os.path.dirname(path))
    earlier = [each for each in found if _iteration(each) < _iteration(path)]
    for each in set(found) - {path} - set(earlier[:1]):
        os.remove(each)


def _save(path, arrays):
    for name, value in arrays.items():
        if numpy.asarray(value).dtype.hasobject:
            raise TypeError('{} would need pickle to be saved'.format(name))
    with replacing(path) as f:
        numpy.savez(f, **arrays)


def _load(path, trainer, facts, processes):
    arrays = processes.once(lambda: _read(path, facts))
    try:
        serializers.NpzDeserializer(arrays).load(trainer)
        if processes.rank == 0:  # the only one with a log
            for entry in trainer.get_extension('LogReport').log:
                for name in 'epoch', 'iteration', 'elapsed_time':
                    float(entry[name])
    except Exception as error:  # whatever somebody may have put there
        raise Problem('the snapshot {} does not fit this program ({}); it '
                      'may be of another version'.format(
                          path, describe(error)))
    processes.once(lambda: _take_best_model_along(path, trainer.out))
    print('Resumed from {}: {:.2f} epochs, {} iterations.'.format(
        path, trainer.updater.epoch_detail, trainer.updater.iteration))


def _take_best_model_along(path, out):
    best = os.path.join(os.path.dirname(path), 'model.npz')
    if not _is_in(path, out) and os.path.exists(best):
        with open(best, 'rb') as f, replacing(
                os.path.join(out, 'model.npz')) as copy:
            shutil.copyfileobj(f, copy)


def _is_in(path, folder):
    return os.path.realpath(os.path.dirname(path)) == os.path.realpath(folder)


def _read(path, facts):
    """Reads and checks a snapshot."""
    try:
        arrays = read_arrays(path)
    except Problem:
        raise _Damaged('the snapshot {} is damaged'.format(path))
    _check_identity(path, arrays, facts)
    return arrays


def _check_identity(path, arrays, facts):
    try:
        found = json.loads(str(arrays['extensions/identity/facts']))
        found['experiment']
        found.setdefault('dtype', 'float32')  # once there was no other
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise Problem('{} is not a snapshot of a training run'.format(path))
    for name in facts:
        ours = _identifying(json.loads(json.dumps(facts[name])))
        theirs = _identifying(found.get(name))
        if theirs != ours:
            raise Problem(
                'the snapshot {} belongs to another run: its {}'.format(
                    path, _difference(name, theirs, ours)))


def _identifying(fact):
    """A fact without where the data are, which may be moved."""
    if not isinstance(fact, dict):
        return fact
    return {key: fact[key] for key in fact if key != 'source'}


def _difference(name, theirs, ours):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        key = next(key for key in ours if theirs.get(key) != ours[key])
        return _difference(key, theirs.get(key), ours[key])
    return '{} is {}, not {}'.format(name, theirs, ours)
