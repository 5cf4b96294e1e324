"""Matrix products that BLAS computes fast, on NumPy arrays."""
import numpy

from qrnn.kernels.cpu.rows import computed_in


def linear(x, W, b=None):
    """Return x W^T + b."""
    dtype = computed_in(x.dtype)
    x, W = numpy.asarray(x, dtype), numpy.asarray(W, dtype)
    y = numpy.empty((len(x), len(W)), dtype)
    times_transposed(x, W, y)
    if b is not None:
        y += b
    return y


#: Rows up to which products are computed the other way round.
_FEW_ROWS = 64


def times_transposed(x, W, out):
    """Compute x W^T into an array.

    BLAS copies a matrix that it has to transpose, which takes as long as the
    product if x has few rows. W x^T does not need it.
    """
    if len(x) <= _FEW_ROWS:
        out[:] = numpy.dot(W, x.T).T
    else:
        numpy.dot(x, W.T, out=out)
