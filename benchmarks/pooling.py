"""Kernels of gates and pooling, compared with memory copies."""
import chainer
from chainer.backends import cuda
import numpy

from benchmarks.memory import BEYOND_CACHES
from benchmarks.memory import copy_of
from benchmarks.memory import rounds_beyond_caches
from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
import qrnn
from qrnn import kernels
from qrnn.gates import GATES
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda import traffic


# Tuples of a name, the shape (B, T, C) and the probability of zoneout. The
# shapes for a GPU cover all three launch regimes.
_ON_GPU = [
    ('many channels', (128, 512, 512), 0.),
    ('PTB', (20, 105, 640), 0.),
    ('PTB, zoneout', (20, 105, 640), .1),
    ('IWSLT', (16, 300, 320), 0.),
    ('IWSLT, short', (16, 100, 320), 0.),
    ('one long sequence', (1, 131072, 512), 0.),
]
_ON_CPU = [
    ('many channels', (128, 32, 512), 0.),
    ('PTB', (20, 105, 640), 0.),
    ('one long sequence', (1, 4096, 512), 0.),
]
_POOLINGS = 'f', 'fo', 'ifo'
_SEED = 1
_TOLERANCE = {'float32': 1e-4, 'float16': 1e-2}


def _summary(rows):
    """Format a table of bandwidths as percentages of a copy's bandwidth."""
    lines = ['  bandwidth relative to a copy, in %',
             ' ' * 41 + ''.join(f'{p:>6}' for p in _POOLINGS)]
    for (size, dtype, direction), shares in _shares(rows).items():
        lines.append(f'  {size:<20}{dtype:<9}{direction:<10}' + ''.join(
            f'{shares[p]:>6.0f}' for p in _POOLINGS))
    return '\n'.join(lines)


def _draw(rows, figure):
    axes = figure.add_subplot()
    shares = _shares(rows)
    for i, pooling in enumerate(_POOLINGS):
        axes.barh([n + .27 * (i - 1) for n in range(len(shares))],
                  [s[pooling] for s in shares.values()], .25, label=pooling)
    axes.axvline(100, color='gray', linestyle='--', linewidth=1)
    axes.set_yticks(range(len(shares)), [', '.join(key) for key in shares],
                    fontsize='small')
    axes.invert_yaxis()
    axes.set_xlabel('bandwidth relative to a copy, in %')
    figure.legend(title='pooling', loc='outside right upper')


def _shares(rows):
    """Return bandwidths as percentages of the bandwidth of a copy.

    The result has the form ``{(size, dtype, direction): {pooling: %}}``.
    """
    shares = {}
    for row in rows:
        kernel, copy = row['gigabytes_per_second'].values()
        key = row['size'], row['dtype'], row['direction']
        shares.setdefault(key, {})[row['pooling']] = 100 * kernel / copy
    return shares


@benchmark('pooling', _summary, _draw)
def pooling(device, sizes=None, beyond_caches=BEYOND_CACHES):
    """Gates and pooling, forward and backward, compared with memory copies.

    A copy moves the minimum number of bytes that the operation requires. The
    bandwidth of the operation is computed from the bytes that its kernels
    move. In the regime ``chunked_scan``, they move more than the minimum.
    """
    on_cpu = device.xp is numpy
    for size in sizes or (_ON_CPU if on_cpu else _ON_GPU):
        for dtype in ['float32'] if on_cpu else ['float32', 'float16']:
            for name in _POOLINGS:
                for direction in 'forward', 'backward':
                    yield _compare(
                        device, *size, dtype, name, direction, beyond_caches)


def _compare(device, size, shape, zoneout, dtype, name, direction,
             beyond_caches):
    B, T, C = shape
    itemsize = numpy.dtype(dtype).itemsize
    operation = 'pooling_' + direction
    regime = plans.choose_regime(B * C, T)
    least, moved = (B * T * C * traffic.bytes_per_element(
        operation, name, r, itemsize) for r in ('block_scan', regime))
    if device.xp is numpy:
        regime, moved = 'CPU', least
    n = rounds_beyond_caches(least, beyond_caches)
    calls = [_Call(device, shape, dtype, name, zoneout) for _ in range(n)]
    if direction == 'backward':
        for call in calls:
            call.forward()

    def run():
        for call in calls:
            getattr(call, direction)()

    return Comparison(
        {'size': size, 'B': B, 'T': T, 'C': C, 'regime': regime,
         'dtype': dtype, 'pooling': name, 'direction': direction},
        {operation: run, 'copy': copy_of(least, n, device.xp)},
        lambda: calls[0].check(direction), calls=n,
        gigabytes={operation: moved / 1e9, 'copy': least / 1e9})


class _Call:
    """Inputs, outputs and gradients of a pooling on random arrays."""

    def __init__(self, device, shape, dtype, pooling, zoneout):
        B, T, C = shape
        xp = device.xp
        n_gates = len(GATES[pooling])
        self.pooling = pooling
        self.zoneout = zoneout
        self.mask = kernels.zoneout_mask(_SEED, zoneout, shape, xp) if (
            zoneout) else None
        self.u = xp.random.uniform(-2, 2, (B, T, n_gates * C)).astype(dtype)
        self.b = xp.random.uniform(-1, 1, n_gates * C).astype(dtype)
        self.gh = xp.random.uniform(-1, 1, shape).astype(dtype)

    def forward(self):
        self.outputs = None  # frees the previous outputs first
        self.outputs = kernels.pooling_forward(
            self.u, self.b, pooling=self.pooling, zoneout=self.zoneout,
            seed=_SEED)

    def backward(self):
        self.grads = None
        self.grads = kernels.pooling_backward(
            self.u, self.b, None, None, self.pooling, self.zoneout, _SEED,
            None, self.outputs[1], self.gh, None, None)

    def check(self, direction):
        """Compare two channels of the last sequence with the reference."""
        self.forward()
        u, gh, h = map(self._sample, (self.u, self.gh, self.outputs[0]))
        b = self._sample(self.b[None, None])[0, 0]
        mask = None if self.mask is None else self._sample(self.mask)
        if direction == 'forward':
            actual, expected = h, qrnn.qrnn_pooling_ref(
                u, b, pooling=self.pooling, mask=mask)[0]
        else:
            self.backward()
            actual = self._sample(self.grads[0])
            u, b, gh = (chainer.Variable(a.astype('d')) for a in (u, b, gh))
            y = qrnn.qrnn_pooling(u, b, pooling=self.pooling, mask=mask)[0]
            expected = chainer.grad([y], [u], [gh])[0].array
        tolerance = _TOLERANCE[self.gh.dtype.name]
        numpy.testing.assert_allclose(
            actual, expected, rtol=tolerance, atol=tolerance)

    def _sample(self, array):
        """Copy two channels of each gate in the last sequence to the CPU."""
        C = self.gh.shape[2]
        return numpy.concatenate([
            cuda.to_cpu(array[-1:, :, end - 2:end])
            for end in range(C, array.shape[2] + 1, C)], axis=2)
