"""The gradient of a softmax over a large vocabulary, on NumPy arrays."""
import math

from numba import types
from numba.extending import overload
import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.compilation import FASTMATH
from qrnn.kernels.cpu.threads import share


def softmax_cross_entropy(logits, b, t, ignore_label):
    """Turn logits into the gradient of their cross entropy, in place.

    A row stays in a core's cache while it is gone over. Losses are float64.
    """
    counted, V = t[t != ignore_label], logits.shape[1]
    if counted.size and not 0 <= counted.min() <= counted.max() < V:
        raise ValueError(
            f'labels must lie between 0 and {V - 1}, but they range '
            f'from {counted.min()} to {counted.max()}')
    losses = numpy.empty(len(logits))
    share(_softmax_cross_entropy, len(logits), logits.size,
          logits, b, t.astype(numpy.int64), ignore_label, losses)
    return losses


def mean_loss(losses, t, V, ignore_label):
    """Return the mean over the rows that count, and their weights in it."""
    counts = t != ignore_label
    number = max(1, counts.sum())
    return losses.sum() / number, counts / number


_LANES = 64  # maxima and sums side by side, so that they are vectors


@compiled
def _softmax_cross_entropy(first, last, logits, b, t, ignore_label, losses):
    V = logits.shape[1]
    lanes = numpy.empty(_LANES, logits.dtype)
    for n in range(first, last):
        row = logits[n]
        if t[n] == ignore_label:
            losses[n] = 0
            row[:] = 0
            continue
        lanes[:] = -numpy.inf
        for start in range(0, V, _LANES):
            some, b_some = row[start:start + _LANES], b[start:start + _LANES]
            for j in range(len(some)):
                some[j] += b_some[j]
                lanes[j] = some[j] if some[j] > lanes[j] else lanes[j]
        largest = lanes.max()
        label = row[t[n]] - largest
        lanes[:] = 0
        for start in range(0, V, _LANES):
            some = row[start:start + _LANES]
            for j in range(len(some)):
                some[j] = exp(some[j] - largest)
                lanes[j] += some[j]
        total = lanes.sum()
        losses[n] = math.log(total) - label
        for j in range(V):
            row[j] /= total
        row[t[n]] -= 1


def exp(x):
    """Return the exponential function, for x <= 0."""


@overload(exp, jit_options={'fastmath': FASTMATH})
def _exp(x):
    # 2^n e^r, where r lies within +-ln(2) / 2. A minimax fit of e^r: off by
    # 4e-9, and with the rounding of float32 by 1.3e-7.
    def of_float32(x):
        x = numpy.float32(-87) if x < numpy.float32(-87) else x
        n = numpy.rint(x * numpy.float32(1.44269504))
        r = x - n * numpy.float32(.693359375)
        r = r + n * numpy.float32(2.12194440e-4)
        p = numpy.float32(1.38637287e-03)
        p = p * r + numpy.float32(8.36754269e-03)
        p = p * r + numpy.float32(4.16672399e-02)
        p = p * r + numpy.float32(1.66665335e-01)
        p = p * r + numpy.float32(.5)
        p = p * r + numpy.float32(1)
        p = p * r + numpy.float32(1)
        exponent = (numpy.int32(n) + numpy.int32(127)) << numpy.int32(23)
        return p * numpy.int32(exponent).view(numpy.float32)

    def of_float64(x):
        return math.exp(x)

    return of_float32 if x == types.float32 else of_float64
