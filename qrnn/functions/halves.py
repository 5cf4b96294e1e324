import numpy

from chainer import backend
import chainer.functions as F


def cast(x, dtype):
    """Casts a Variable, or returns it as it is if it is of the dtype.

    ``F.cast`` adds a node that does nothing then, and takes its time.
    """
    return x if x.dtype == dtype else F.cast(x, dtype)


def multiply(function, *xs):
    """Applies a function of matrix products to Variables of one dtype.

    Those of float16 on a CPU are multiplied in float32: no BLAS knows halves,
    and NumPy's own loops take some hundred times as long.
    """
    if (xs[0].dtype != numpy.float16
            or backend.get_array_module(xs[0]) is not numpy):
        return function(*xs)
    y = function(*(cast(x, numpy.float32) for x in xs))
    return cast(y, numpy.float16)


def multiply_arrays(a, b, dtype):
    """The matrix product of two arrays, as :func:`multiply` takes it."""
    xp = backend.get_array_module(a)
    if dtype != numpy.float16 or xp is not numpy:
        return xp.matmul(a, b)
    y = numpy.matmul(a.astype(numpy.float32, copy=False),
                     b.astype(numpy.float32, copy=False))
    return y.astype(numpy.float16)
