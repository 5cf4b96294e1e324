"""The best model of a run, in files that need nothing else."""
import os

from chainer import serializers
from chainer.training import extension
import numpy

from experiments.common.errors import Problem
from experiments.common.files import read_json
from experiments.common.files import replacing
from experiments.common.files import write_json


class BestModel(extension.Extension):

    """Trainer extension that saves the model when it is the best so far.

    Args:
        model (~chainer.Link): The model.
        key (str): Name of the observation to go by.
        highest (bool): Whether the highest is the best, not the lowest.

    Attributes:
        epoch (int): Epoch after which the best model was saved, 0 before.
        value (float): Its observation.

    """

    trigger = 1, 'epoch'
    default_name = 'best_model'

    def __init__(self, model, key='validation/main/loss', highest=False):
        self._model = model
        self._key = key
        self._sign = -1 if highest else 1
        self.epoch = 0
        self.value = self._sign * float('inf')

    def initialize(self, trainer):
        if self.epoch and not os.path.exists(_npz(trainer.out)):
            raise Problem(
                'the best model so far, model.npz of epoch {}, is not beside '
                'the snapshot; it belongs into {}'.format(
                    self.epoch, trainer.out))

    def __call__(self, trainer):
        value = float(trainer.observation[self._key])
        if self._sign * value < self._sign * self.value:
            save_parameters(trainer.out, self._model)
            self.epoch = trainer.updater.epoch
            self.value = value

    def serialize(self, serializer):
        self.epoch = serializer('epoch', self.epoch)
        self.value = serializer('value', self.value)


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
    try:
        model = build(description)
    except (KeyError, TypeError, ValueError):
        raise Problem('{}/model.json is damaged, or of another version of '
                      'this program'.format(folder))
    load_parameters(folder, model)
    return model, description


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


def load_parameters(folder, model):
    """Loads what :func:`save_parameters` saved."""
    path = _npz(folder)
    if not os.path.exists(path):
        raise Problem('there is no trained model in {}: {} is missing'.format(
            folder, path))
    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            loaded = {name: arrays[name] for name in arrays.files}
    except Exception:  # a damaged archive fails in many ways
        raise Problem('{} is damaged'.format(path))
    if ({name: array.shape for name, array in loaded.items()}
            != {name: value.shape for name, value in _values(model).items()}):
        raise Problem('the parameters in {} do not fit the model that '
                      'model.json beside it describes'.format(path))
    serializers.NpzDeserializer(loaded).load(model)


def _values(model):
    serializer = serializers.DictionarySerializer()
    serializer.save(model)
    return {name: numpy.asarray(value)
            for name, value in serializer.target.items()}


def _npz(folder):
    return os.path.join(folder, 'model.npz')
