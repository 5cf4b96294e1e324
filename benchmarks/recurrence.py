"""The recurrence strnn for sequences of increasing length."""
import chainer
from chainer.backends import cuda
import numpy

from benchmarks.memory import copy_of
from benchmarks.memory import rounds_beyond_caches
from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
import qrnn
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda import traffic


_CHANNELS = 512  # B * C
_STEPS = [10 ** n for n in range(3, 8)]
_ON_CPU = _STEPS[:3]
_BLOCK = 10 ** 5  # random steps, which longer sequences repeat
_EDGE = 1000  # steps to check at either end


@benchmark('strnn')
def strnn(device):
    """strnn, forward and backward, with B C = 512, compared with a copy.

    T increases from 1e3 as long as the arrays fit in memory. The copy moves
    the least possible number of bytes for the recurrence: 12 per element
    forward and 20 backward.
    """
    for T in _ON_CPU if device.xp is numpy else _STEPS:
        if _fits(T, device):
            yield _compare(T, device)


def _fits(T, device):
    """Return whether f, x, h, two gradients and temporary arrays fit."""
    if device.xp is numpy:
        return True
    cuda.memory_pool.free_all_blocks()
    return 4 * 5 * T * _CHANNELS + (6 << 30) < device.device.mem_info[0]


def _compare(T, device):
    least, moved = (T * _CHANNELS * sum(
        traffic.bytes_per_element('strnn_' + direction, None, regime)
        for direction in ('forward', 'backward'))
        for regime in ('block_scan', plans.choose_regime(_CHANNELS, T)))
    if device.xp is numpy:
        moved = least
    n = 1 if T > 10 ** 4 else rounds_beyond_caches(least)
    sets = [[chainer.Variable(_random(T, i, device)) for i in pair]
            for pair in numpy.arange(2 * n).reshape(n, 2)]

    def run():
        for f, x in sets:
            _forward_and_backward(f, x)

    return Comparison(
        {'B C': _CHANNELS, 'T': T}, {
            'strnn': run, 'copy': copy_of(least, n, device.xp)},
        lambda: _check(*sets[0]), calls=n,
        gigabytes={'strnn': moved / 1e9, 'copy': least / 1e9})


def _random(T, seed, device):
    """Return uniform numbers, ``(1, T, C)``, with a period of _BLOCK steps."""
    block = device.send(numpy.random.RandomState(seed).rand(
        1, min(T, _BLOCK), _CHANNELS).astype('f'))
    array = device.xp.empty((1, T, _CHANNELS), 'f')
    for start in range(0, T, _BLOCK):
        array[:, start:start + _BLOCK] = block[:, :T - start]
    return array


def _forward_and_backward(f, x):
    """Return the states and the gradients of f and x.

    x also serves as the gradient of h, to save memory.
    """
    h = qrnn.strnn(f, x)
    return [h.array] + [g.array for g in chainer.grad([h], [f, x], [x])]


def _check(f, x):
    """Compare both ends of the states and of the gradient of x."""
    h, _, gx = _forward_and_backward(f, x)
    f, x = f.array, x.array

    def agree(actual, steps, *args, **options):
        f_, x_, start = (None if a is None else cuda.to_cpu(a) for a in args)
        numpy.testing.assert_allclose(
            cuda.to_cpu(actual[:, steps]),
            qrnn.strnn_ref(f_, x_, start, **options), rtol=1e-4)

    for start in sorted({0, max(0, f.shape[1] - _EDGE)}):
        end = min(start + _EDGE, f.shape[1])
        steps = numpy.s_[start:end]
        agree(h, steps, f[:, steps], x[:, steps],
              h[:, start - 1] if start else None)
        # In backward, the gradient of the very last step is x.
        last = end == f.shape[1]
        gates = f[:, start + 1:end + 1]
        if last:
            gates = numpy.pad(cuda.to_cpu(gates), ((0, 0), (0, 1), (0, 0)))
        agree(gx, steps, gates, x[:, steps], None if last else gx[:, end],
              reverse=True)
