"""Random masks of zoneout and dropout for NumPy arrays.

The generator is the same as in :mod:`qrnn.kernels.philox`. A random word
depends only on the seed and a counter, so backward draws the same mask as
forward.
"""
import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.rows import computed_in
from qrnn.kernels.cpu.threads import share
from qrnn.kernels.philox import CHUNK
from qrnn.kernels.philox import limit_of
from qrnn.kernels.philox import scale_of


def zoneout_mask(seed, ratio, shape):
    """Return the zoneout mask, booleans ``(B, T, C)``."""
    B, T, C = shape
    limit = limit_of(ratio)
    if limit < 0:
        return numpy.zeros(shape, bool)
    mask = numpy.empty(shape, bool)
    share(_zoneout_mask, B * ((T + 3) // 4), mask.size, _key(seed),
          numpy.uint32(limit), T, C, mask.reshape(-1))
    return mask


def dropout(x, ratio, seed):
    """Apply dropout to an array; see :func:`qrnn.kernels.dropout`."""
    dtype = computed_in(x.dtype)
    limit = limit_of(ratio)
    if limit < 0:
        return x.copy()
    y = numpy.empty(x.shape, dtype)
    share(_dropout, -(-x.size // CHUNK), x.size, _key(seed),
          numpy.uint32(limit), dtype.type(scale_of(ratio)), CHUNK,
          numpy.ascontiguousarray(x, dtype).reshape(-1), y.reshape(-1))
    return y.astype(x.dtype, copy=False)


def _key(seed):
    return numpy.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], 'Q')


@compiled
def _zoneout_mask(first, last, key, limit, T, C, mask):
    # Each item consists of four steps of a sequence.
    groups = (T + 3) // 4
    words = numpy.empty((4, C), numpy.uint32)
    for item in range(first, last):
        _draw(key, item * C, words)
        start = (item // groups * T + item % groups * 4) * C
        for k in range(min(4, T - item % groups * 4)):
            row = mask[start + k * C:start + (k + 1) * C]
            for j in range(C):
                row[j] = words[k, j] <= limit


@compiled
def _dropout(first, last, key, limit, scale, chunk, x, y):
    # Each item is a chunk of adjacent elements.
    quarter = chunk // 4
    words = numpy.empty((4, quarter), numpy.uint32)
    for item in range(first, last):
        _draw(key, item * quarter, words)
        for k in range(4):
            start = item * chunk + k * quarter
            x_k, y_k = x[start:start + quarter], y[start:start + quarter]
            for j in range(len(x_k)):  # x is multiplied by 0, so NaN stays NaN
                y_k[j] = x_k[j] * (scale * (words[k, j] > limit))


@compiled
def _draw(key, counter, words):
    """Fill ``words``, ``(4, n)``, with four 32-bit numbers per counter.

    The n counters are consecutive and start at ``counter``.
    """
    low, half = numpy.uint64(0xFFFFFFFF), numpy.uint64(32)
    multiplier0 = numpy.uint64(0xD2511F53)
    multiplier1 = numpy.uint64(0xCD9E8D57)
    for j in range(words.shape[1]):
        c = numpy.uint64(counter + j)
        x0, x1, x2, x3 = c & low, c >> half, c - c, c - c
        key0, key1 = key[0], key[1]
        for _ in range(10):
            product0, product1 = multiplier0 * x0, multiplier1 * x2
            x0, x1, x2, x3 = (
                (product1 >> half) ^ x1 ^ key0, product1 & low,
                (product0 >> half) ^ x3 ^ key1, product0 & low)
            key0 = (key0 + numpy.uint64(0x9E3779B9)) & low
            key1 = (key1 + numpy.uint64(0xBB67AE85)) & low
        words[0, j] = x0
        words[1, j] = x1
        words[2, j] = x2
        words[3, j] = x3
