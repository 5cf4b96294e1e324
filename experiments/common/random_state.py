"""Random generators in snapshots."""
import json
import random

import chainer
from chainer import serializer as serializer_module
from chainer.training import extension
import numpy

from experiments.common import communication


def seed_all(seed, device, rank=0):
    """Seeds every generator that training draws from.

    Args:
        seed (int): The seed of the run.
        device (chainer.backend.Device): Device of the training.
        rank (int): Number of this process. Each draws something else.

    """
    if rank:
        sequence = numpy.random.SeedSequence((seed, rank))
        seed = int(sequence.generate_state(1)[0])
    random.seed(seed)
    numpy.random.seed(seed)
    if device.xp is not numpy:
        with chainer.using_device(device):
            device.xp.random.seed(seed)


class RandomState(extension.Extension):

    """Trainer extension that keeps the random generators in snapshots.

    Python's and NumPy's generators go on exactly where they were. The state
    of CuPy's cannot be read; it is seeded from NumPy's instead, so that a
    resumed run on a GPU is sound but not the same to the last bit.

    Every process goes on with its own state. If there are more than there
    were, the others' are drawn from the first one's.

    Args:
        device (chainer.backend.Device): Device of the training.
        order (numpy.random.RandomState): A generator that is the same in all
            processes.
        processes (~experiments.common.communication.Alone): The processes
            that train.

    """

    default_name = 'random_state'

    def __init__(self, device, order, processes=communication.Alone()):
        self._device = device
        self._order = order
        self._processes = processes

    def __call__(self, trainer):
        pass  # it is there for its state alone

    def serialize(self, serializer):
        if isinstance(serializer, serializer_module.Deserializer):
            order, states = json.loads(serializer('states', ''))
            _set_numpy_state(self._order, order)
            self._go_on(states)
        else:
            serializer('states', json.dumps([
                _numpy_state(self._order),
                self._processes.gather(_state())]))

    def _go_on(self, states):
        rank, size = self._processes.rank, self._processes.size
        if len(states) != size:
            print('The snapshot is of {} process{}, not {}; from here on they '
                  'draw other random numbers.'.format(
                      len(states), 'es' * (len(states) != 1), size))
        if rank < len(states):
            _set_state(states[rank])
        else:
            seed_all(_draw(states[0]), self._device, rank)
        if self._device.xp is not numpy:
            with chainer.using_device(self._device):
                self._device.xp.random.seed(_draw(_state()))


def _state():
    """The state of Python's and NumPy's generators, as plain values."""
    return _numpy_state(numpy.random), random.getstate()


def _set_state(state):
    numpy_state, (version, words, next_) = state
    _set_numpy_state(numpy.random, numpy_state)
    random.setstate((version, tuple(words), next_))


def _numpy_state(generator):
    kind, keys, *rest = generator.get_state()
    return [kind, keys.tolist()] + rest


def _set_numpy_state(generator, state):
    generator.set_state(tuple(state))


def _draw(state):
    """A seed that belongs to a state and leaves it where it is."""
    (kind, keys, *rest), _ = state
    return int(numpy.random.RandomState(keys[:8]).randint(2 ** 31))
