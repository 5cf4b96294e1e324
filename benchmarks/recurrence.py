"""Benchmark of strnn with sequences of increasing length."""
import chainer
from chainer.backends import cuda
import numpy

from benchmarks.memory import BEYOND_CACHES
from benchmarks.memory import copy_of
from benchmarks.memory import rounds_beyond_caches
from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
import qrnn
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda import traffic


@benchmark('strnn')
def strnn(device, n_channels=512, steps=(10**3, 10**4, 10**5, 10**6, 10**7),
          period=10**5, edge=1000, beyond_caches=BEYOND_CACHES):
    """strnn, forward and backward (B C = 512), compared with memory copies.

    T increases from 1e3 as long as the arrays fit in memory. The copy moves
    the minimum number of bytes that the recurrence requires: 12 per element
    forward and 20 backward. The inputs are random numbers that repeat every
    ``period`` steps. The first and the last ``edge`` steps are checked.
    """
    for T in steps:
        if _fits(T * n_channels, device):
            yield _compare((1, T, n_channels), device, period, edge,
                           beyond_caches)


def _fits(size, device):
    """Return whether the arrays of a comparison fit in memory.

    The five arrays are f, x, h and the gradients of f and x. Each array has
    ``size`` elements.
    """
    if device.xp is numpy:
        return size <= 512 * 10 ** 5
    cuda.memory_pool.free_all_blocks()
    return 4 * 5 * size + (6 << 30) < device.device.mem_info[0]


def _compare(shape, device, period, edge, beyond_caches):
    _, T, n_channels = shape
    least, moved = (T * n_channels * sum(
        traffic.bytes_per_element('strnn_' + direction, None, regime)
        for direction in ('forward', 'backward'))
        for regime in ('block_scan', plans.choose_regime(n_channels, T)))
    if device.xp is numpy:
        moved = least
    n = 1 if T > 10 ** 4 else rounds_beyond_caches(least, beyond_caches)
    sets = [[chainer.Variable(_random(shape, period, i, device))
             for i in pair] for pair in numpy.arange(2 * n).reshape(n, 2)]

    def run():
        for f, x in sets:
            _forward_and_backward(f, x)

    return Comparison(
        {'B C': n_channels, 'T': T}, {
            'strnn': run, 'copy': copy_of(least, n, device.xp)},
        lambda: _check(*sets[0], edge), calls=n,
        gigabytes={'strnn': moved / 1e9, 'copy': least / 1e9})


def _random(shape, period, seed, device):
    """Return random numbers, ``(1, T, C)``, with the period ``period``."""
    _, T, C = shape
    block = device.send(numpy.random.RandomState(seed).rand(
        1, min(T, period), C).astype('f'))
    array = device.xp.empty(shape, 'f')
    for start in range(0, T, period):
        array[:, start:start + period] = block[:, :T - start]
    return array


def _forward_and_backward(f, x):
    """Return the states and the gradients of f and x.

    To save memory, x also serves as the gradient of h.
    """
    h = qrnn.strnn(f, x)
    return [h.array] + [g.array for g in chainer.grad([h], [f, x], [x])]


def _check(f, x, edge):
    """Check the first and last steps of the states and of x's gradient."""
    h, _, gx = _forward_and_backward(f, x)
    f, x = f.array, x.array

    def agree(actual, steps, *args, **options):
        f_, x_, start = (None if a is None else cuda.to_cpu(a) for a in args)
        numpy.testing.assert_allclose(
            cuda.to_cpu(actual[:, steps]),
            qrnn.strnn_ref(f_, x_, start, **options), rtol=1e-4)

    for start in sorted({0, max(0, f.shape[1] - edge)}):
        end = min(start + edge, f.shape[1])
        steps = numpy.s_[start:end]
        agree(h, steps, f[:, steps], x[:, steps],
              h[:, start - 1] if start else None)
        # The gradient of x is computed by a reverse recurrence. The input of
        # this recurrence is the gradient of h, which is x here. The gate at
        # each step is f of the next step, or 0 at the last step.
        last = end == f.shape[1]
        gates = f[:, start + 1:end + 1]
        if last:
            gates = numpy.pad(cuda.to_cpu(gates), ((0, 0), (0, 1), (0, 0)))
        agree(gx, steps, gates, x[:, steps], None if last else gx[:, end],
              reverse=True)
