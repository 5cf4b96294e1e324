"""The recurrence alone, over ever longer sequences."""
import chainer
import chainer.functions as F
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
import qrnn


_CHANNELS = 512  # B * C


@benchmark('strnn')
def strnn(device):
    """strnn at B C = 512 from T = 1e3 on, forward and backward, over a copy.

    The copy reads and writes as many bytes as the recurrence must: 12 bytes
    of each element forward, 24 with backward.
    """
    longest = 5 if device.xp is numpy else 8
    for exponent in range(3, longest):
        T = 10 ** exponent
        rng = numpy.random.RandomState(0)
        f, x = (device.send(rng.rand(1, T, _CHANNELS).astype('f'))
                for _ in range(2))
        source = device.xp.empty(6 * f.size // 2, 'f')
        target = device.xp.empty_like(source)
        f, x = map(chainer.Variable, (f, x))

        def run():
            f.cleargrad()
            x.cleargrad()
            F.sum(qrnn.strnn(f, x)).backward()

        yield Comparison(
            {'B C': _CHANNELS, 'T': T},
            {'strnn': run, 'copy': lambda: target.__setitem__(..., source)},
            lambda: _check(f, x))


def _check(f, x):
    f, x = f.array[:, :1000], x.array[:, :1000]
    numpy.testing.assert_allclose(
        chainer.backends.cuda.to_cpu(qrnn.strnn(f, x).array),
        qrnn.strnn_ref(*map(chainer.backends.cuda.to_cpu, (f, x))), rtol=1e-4)
