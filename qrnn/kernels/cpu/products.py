"""Matrix products that BLAS computes fast, on NumPy arrays."""
import functools

import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.compilation import FASTMATH
from qrnn.kernels.cpu.rows import computed_in
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


#: Number of elements of W above which a product mostly waits for memory.
_LARGE = 1 << 21

#: Largest number of rows for which W x^T is computed instead of x W^T.
_FEW_ROWS = 64


def times_transposed(x, W, out):
    """Compute x W^T into an array.

    BLAS copies a matrix that it has to transpose, which takes as long as the
    product if x has few rows. W x^T needs no copy. With a single row, BLAS
    reads several rows of W at once, which takes twice as long as memory
    permits if W is large.
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
