"""Random generators in snapshots."""
import json
import random

import chainer
from chainer import serializer as serializer_module
from chainer.training import extension
import numpy


def seed_all(seed, device):
    """Seeds every generator that training draws from."""
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

    Args:
        device (chainer.backend.Device): Device of the training.

    """

    default_name = 'random_state'

    def __init__(self, device):
        self._device = device

    def __call__(self, trainer):
        pass  # it is there for its state alone

    def serialize(self, serializer):
        kind, keys, position, has_gauss, gauss = numpy.random.get_state()
        keys = serializer('numpy_keys', keys)
        rest = json.loads(str(serializer('rest', json.dumps(
            [kind, position, has_gauss, gauss, random.getstate()]))))
        if not isinstance(serializer, serializer_module.Deserializer):
            return
        kind, position, has_gauss, gauss, (version, words, next_) = rest
        random.setstate((version, tuple(words), next_))
        numpy.random.set_state((kind, keys, position, has_gauss, gauss))
        if self._device.xp is not numpy:
            # A draw from a copy: the original must not move on.
            seed = numpy.random.RandomState(keys[:8]).randint(2 ** 31)
            with chainer.using_device(self._device):
                self._device.xp.random.seed(seed)
