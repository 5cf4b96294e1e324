import numpy

from chainer import backend
import chainer.functions as F


def cast(x, dtype):
    """Return a Variable in a dtype, the same one if it has it already.

    ``F.cast`` would add a node that does nothing, and takes its time.
    """
    return x if x.dtype == dtype else F.cast(x, dtype)


def apply_matmul(function, *xs):
    """Apply a function that is a matrix product to Variables of one dtype.

    float16 on a CPU is multiplied in float32: no BLAS has float16, and
    NumPy's own loops take some hundred times as long.
    """
    if (xs[0].dtype != numpy.float16
            or backend.get_array_module(xs[0]) is not numpy):
        return function(*xs)
    y = function(*(cast(x, numpy.float32) for x in xs))
    return cast(y, numpy.float16)


def matmul(a, b, dtype):
    """Return the matrix product of two arrays; see :func:`apply_matmul`."""
    xp = backend.get_array_module(a)
    if dtype != numpy.float16 or xp is not numpy:
        return xp.matmul(a, b)
    y = numpy.matmul(a.astype(numpy.float32, copy=False),
                     b.astype(numpy.float32, copy=False))
    return y.astype(numpy.float16)
