"""Softmax cross entropy over a large vocabulary for NumPy arrays."""
import math

from numba import types
from numba.extending import overload
import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.compilation import FASTMATH
from qrnn.kernels.cpu.threads import share


def softmax_cross_entropy(logits, b, t, ignore_label):
    """Replace logits by the gradient of their cross entropy, in place.

    Rows are processed one by one, so that a row stays in the cache during the
    three passes over it. Losses are float64.
    """
    counted, V = t[t != ignore_label], logits.shape[1]
    if counted.size and not 0 <= counted.min() <= counted.max() < V:
        raise ValueError(
            f'labels must be between 0 and {V - 1}, but they range from '
            f'{counted.min()} to {counted.max()}')
    losses = numpy.empty(len(logits))
    share(_softmax_cross_entropy, len(logits), logits.size,
          logits, b, t.astype(numpy.int64), ignore_label, losses)
    return losses


def mean_loss(losses, t, V, ignore_label):
    """Return the mean loss of the valid rows, and the weight of each row."""
    is_valid = t != ignore_label
    n_valid = max(1, is_valid.sum())
    return losses.sum() / n_valid, is_valid / n_valid


_LANES = 64  # number of partial sums, which are computed in parallel


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
            part, b_part = row[start:start + _LANES], b[start:start + _LANES]
            for j in range(len(part)):
                part[j] += b_part[j]
                lanes[j] = part[j] if part[j] > lanes[j] else lanes[j]
        largest = lanes.max()
        label = row[t[n]] - largest
        lanes[:] = 0
        for start in range(0, V, _LANES):
            part = row[start:start + _LANES]
            for j in range(len(part)):
                part[j] = exp(part[j] - largest)
                lanes[j] += part[j]
        total = lanes.sum()
        losses[n] = math.log(total) - label
        for j in range(V):
            row[j] /= total
        row[t[n]] -= 1


def exp(x):
    """Return the exponential of a number x <= 0."""


@overload(exp, jit_options={'fastmath': FASTMATH})
def _exp(x):
    # e^x = 2^n e^r with |r| <= ln(2) / 2. The polynomial is a minimax fit of
    # e^r with an error of 4e-9. With the rounding of float32, the error is
    # 1.3e-7.
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
