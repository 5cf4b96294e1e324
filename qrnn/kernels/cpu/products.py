"""Fast matrix products of NumPy arrays."""
import functools

import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.compilation import FASTMATH
from qrnn.kernels.cpu.rows import computed_in
from qrnn.kernels.cpu.rows import copy
from qrnn.kernels.cpu.threads import share


def linear(x, W, b=None):
    """Return x W^T + b."""
    dtype = computed_in(x.dtype)
    x, W = numpy.asarray(x, dtype), numpy.asarray(W, dtype)
    y = numpy.empty((len(x), len(W)), dtype)
    times_transposed(x, W, y)
    if b is not None:
        y += b
    return y


def multiply(x, W):
    """Return x W for two matrices of the same dtype.

    If x has two to eight rows, BLAS takes up to twice as long as a compiled
    loop. If x has one row and W is small, starting the threads of BLAS takes
    longer than the product. In both cases, the loop computes the product.
    """
    if not (len(x) <= _FEWER_ROWS and W.flags.c_contiguous
            and (len(x) > 1 or W.size < _SMALL)):
        return numpy.matmul(x, W)
    y = numpy.empty((len(x), W.shape[1]), x.dtype)
    share(_multiply, W.shape[1], len(x) * W.size // _PRODUCTS_PER_ELEMENT,
          x, W, y)
    return y


#: Largest number of rows of x for which :func:`multiply` avoids BLAS.
_FEWER_ROWS = 8

#: For a single row of x, BLAS is faster if W has at least this many elements.
_SMALL = 1 << 20

#: A recurrence takes as long for one element as this many multiplications.
_PRODUCTS_PER_ELEMENT = 128

#: Number of elements of W above which a product mostly waits for memory.
_LARGE = 1 << 21

#: If x has at most this many rows, W x^T is computed instead of x W^T.
_FEW_ROWS = 64


def times_transposed(x, W, out):
    """Write x W^T to ``out``.

    To transpose W, BLAS copies W. If x has few rows, the copy takes as long as
    the product, so W x^T is computed instead, which needs no copy. If x has a
    single row and W is large, a compiled loop computes the product, because
    BLAS takes twice as long as reading W.
    """
    if len(x) == 1 and W.size >= _LARGE and W.flags.c_contiguous:
        share(_multiply_row, len(W), W.size, W, x.reshape(-1), out[0])
    elif len(x) <= _FEW_ROWS:
        out[:] = numpy.dot(W, x.T).T
    else:
        numpy.dot(x, W.T, out=out)


@functools.partial(compiled, fastmath=FASTMATH | {'reassoc'})
def _multiply_row(first, last, W, x, out):
    for i in range(first, last):
        row = W[i]
        total = row.dtype.type(0)
        for j in range(len(row)):
            total += row[j] * x[j]
        out[i] = total


@compiled
def _multiply(first, last, x, W, y):
    """Compute the columns ``first`` to ``last - 1`` of x W.

    Up to four rows of x and four rows of W are processed at a time. The result
    for a row of x does not depend on the other rows of x. A thread computes
    sums in its own array: two cores that write to neighbouring columns of y
    would wait for each other.
    """
    B, n_rows, n_steps = len(x), len(x) // 4 * 4, len(W) // 4 * 4
    n = last - first
    sums = numpy.empty((4, n), y.dtype)
    y_0, y_1, y_2, y_3 = sums[0], sums[1], sums[2], sums[3]
    for s in range(0, n_rows, 4):
        sums[:] = 0
        for i in range(0, n_steps, 4):
            W_0, W_1 = W[i, first:last], W[i + 1, first:last]
            W_2, W_3 = W[i + 2, first:last], W[i + 3, first:last]
            x_0, x_1 = x[s, i:i + 4], x[s + 1, i:i + 4]
            x_2, x_3 = x[s + 2, i:i + 4], x[s + 3, i:i + 4]
            for j in range(n):
                w = W_0[j], W_1[j], W_2[j], W_3[j]
                y_0[j] = _add(y_0[j], x_0, w)
                y_1[j] = _add(y_1[j], x_1, w)
                y_2[j] = _add(y_2[j], x_2, w)
                y_3[j] = _add(y_3[j], x_3, w)
        for i in range(n_steps, len(W)):
            W_i = W[i, first:last]
            for j in range(n):
                y_0[j] += x[s, i] * W_i[j]
                y_1[j] += x[s + 1, i] * W_i[j]
                y_2[j] += x[s + 2, i] * W_i[j]
                y_3[j] += x[s + 3, i] * W_i[j]
        for r in range(4):
            copy(y[s + r, first:last], sums[r])
    for s in range(n_rows, B):
        y_0[:] = 0
        for i in range(0, n_steps, 4):
            W_0, W_1 = W[i, first:last], W[i + 1, first:last]
            W_2, W_3 = W[i + 2, first:last], W[i + 3, first:last]
            x_s = x[s, i:i + 4]
            for j in range(n):
                y_0[j] = _add(y_0[j], x_s, (W_0[j], W_1[j], W_2[j], W_3[j]))
        for i in range(n_steps, len(W)):
            W_i = W[i, first:last]
            for j in range(n):
                y_0[j] += x[s, i] * W_i[j]
        copy(y[s, first:last], y_0)


@compiled
def _add(y, x, w):
    return y + x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3]
