"""The best model of a run, in files that need nothing else."""
import hashlib
import os

from chainer import serializers
from chainer.training import extension
import numpy

from experiments.common import communication
from experiments.common import precision
from experiments.common import snapshots
from experiments.common.arrays import read_arrays
from experiments.common.errors import explained
from experiments.common.errors import Problem
from experiments.common.errors import warn
from experiments.common.files import read_json
from experiments.common.files import replacing
from experiments.common.files import write_json


class BestModel(extension.Extension):

    """Trainer extension that chooses and saves the best model so far.

    It chooses before the snapshot is taken and saves afterwards, as
    :meth:`save` does. Whatever a kill in between leaves, a snapshot whose own
    parameters are the best ones can replace ``model.npz``.

    Args:
        model (~chainer.Link): The model.
        key (str): Name of the observation to go by.
        highest (bool): Whether the highest is the best, not the lowest.

    Attributes:
        epoch (int): Epoch after which the best model was saved, 0 before.
        value (float): Its observation.
        digest (str): Digest of its parameters.

    """

    trigger = 1, 'epoch'
    default_name = 'best_model'

    def __init__(self, model, key='validation/main/loss', highest=False):
        self._model = model
        self._key = key
        self._sign = -1 if highest else 1
        self.epoch = 0
        self._forget()

    def initialize(self, trainer):
        """Looks for the model that the snapshot speaks of."""
        if not self.epoch:
            return
        if self.digest == _digest(_values(self._model)):
            # Saved in any case: a kill may have come before.
            save_parameters(trainer.out, self._model)
        elif not os.path.exists(_npz(trainer.out)):
            raise Problem(
                'the best model so far, model.npz of epoch {}, is not beside '
                'the snapshot; it belongs into {}'.format(
                    self.epoch, trainer.out))
        elif self.digest not in ('', _digest(_load_values(trainer.out))):
            warn('{} is not the best model that the snapshot speaks of, of '
                 'epoch {}; the best is chosen from the epochs to come'
                 .format(_npz(trainer.out), self.epoch))
            self._forget()

    def __call__(self, trainer):
        value = float(trainer.observation[self._key])
        if self._sign * value < self._sign * self.value:
            self.epoch = trainer.updater.epoch
            self.value = value
            self.digest = _digest(_values(self._model))
            self._is_chosen = True

    def save(self, trainer):
        """Saves the model if it was chosen since the last call.

        Raises:
            Problem: If it cannot be written. Going on would lose it.

        """
        if self._is_chosen:
            with explained(
                    'cannot write the best model so far: {{}}; {}'.format(
                        snapshots.outlook(trainer.out)), OSError):
                save_parameters(trainer.out, self._model)
            self._is_chosen = False

    def serialize(self, serializer):
        self.epoch = serializer('epoch', self.epoch)
        self.value = serializer('value', self.value)
        try:
            self.digest = str(serializer('digest', self.digest))
        except KeyError:
            self.digest = ''  # snapshots did not always have it

    def _forget(self):
        self._is_chosen = False
        self.epoch = 0
        self.value = self._sign * float('inf')
        self.digest = ''


def save_description(folder, description):
    """Saves what is needed to build the model anew, as plain values."""
    write_json(os.path.join(folder, 'model.json'), description)


def load(folder, experiment, build):
    """Loads the best model of a run.

    Args:
        folder (str): Folder of the run.
        experiment (str): What ``description['experiment']`` must be.
        build: Function that makes a model of what :func:`save_description`
            saved.

    Returns:
        tuple: The model, on the CPU, and its description.

    """
    description = load_description(folder, experiment)
    # No size of a model is above the number of its parameters; such a one
    # must not be built.
    limit = sum(array.size for array in _load_values(folder).values())
    try:
        _check(description, limit)
        with precision.using(description.get('dtype', 'float32')):
            model = build(description)
    except Exception:  # it may say anything
        raise Problem('{}/model.json is damaged, or of another version of '
                      'this program'.format(folder))
    load_parameters(folder, model)
    return model, description


def _check(description, limit):
    """Raises an exception for a description that no training has written."""
    for size in description['settings'].values():
        for each in size if isinstance(size, list) else [size]:
            if not isinstance(each, (int, float, str, type(None))) or (
                    isinstance(each, int) and not 0 <= each <= limit):
                raise ValueError
    if not isinstance(description['data']['source'], str):
        raise TypeError
    for text in description.get('words', []), description.get(
            'characters', []):
        if not (isinstance(text, list)
                and all(isinstance(each, str) for each in text)):
            raise TypeError


def load_description(folder, experiment):
    """Reads what :func:`save_description` saved. See :func:`load`."""
    path = os.path.join(folder, 'model.json')
    if not os.path.exists(path):
        raise Problem('there is no trained model in {}: {} is missing'.format(
            folder, path))
    description = read_json(path)
    if (not isinstance(description, dict)
            or description.get('experiment') != experiment):
        raise Problem('{} does not describe a model of experiments.{}'.format(
            path, experiment))
    return description


def save_parameters(folder, model):
    """Saves parameters and persistent values of a model, and no state."""
    with replacing(_npz(folder)) as f:
        numpy.savez(f, **_values(model))


def load_parameters(folder, model, processes=communication.Alone()):
    """Loads what :func:`save_parameters` saved; the first process reads it."""
    loaded = processes.once(lambda: _load_values(folder))
    values = _values(model)
    if (set(loaded) != set(values) or not all(
            loaded[name].shape == value.shape
            and numpy.can_cast(loaded[name].dtype, value.dtype, 'same_kind')
            for name, value in values.items())):
        raise Problem('the parameters in {} do not fit the model that '
                      'model.json beside it describes'.format(_npz(folder)))
    serializers.NpzDeserializer(loaded).load(model)


def _values(model):
    serializer = serializers.DictionarySerializer()
    serializer.save(model)
    return {name: numpy.asarray(value)
            for name, value in serializer.target.items()}


def _load_values(folder):
    path = _npz(folder)
    if not os.path.exists(path):
        raise Problem('there is no trained model in {}: {} is missing'.format(
            folder, path))
    return read_arrays(path)


def _digest(values):
    digest = hashlib.sha256()
    for name in sorted(values):
        digest.update(name.encode())
        digest.update(numpy.ascontiguousarray(values[name]))
    return digest.hexdigest()


def _npz(folder):
    return os.path.join(folder, 'model.npz')
