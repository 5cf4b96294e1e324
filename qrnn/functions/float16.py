import numpy

from chainer import backend
import chainer.functions as F


def cast(x, dtype):
    """Cast a Variable, but return it unchanged if it already has the dtype.

    Unlike this function, ``F.cast`` always adds a node to the graph.
    """
    return x if x.dtype == dtype else F.cast(x, dtype)


def apply_matmul(function, *xs):
    """Apply a product such as ``F.matmul`` to Variables of the same dtype.

    On a CPU, float16 Variables are multiplied in float32. BLAS libraries do
    not support float16, and NumPy's own float16 loops take about a hundred
    times as long.
    """
    if (xs[0].dtype != numpy.float16
            or backend.get_array_module(xs[0]) is not numpy):
        return function(*xs)
    y = function(*(cast(x, numpy.float32) for x in xs))
    return cast(y, numpy.float16)


def matmul(a, b, dtype):
    """Multiply two arrays of the same dtype; see :func:`apply_matmul`."""
    xp = backend.get_array_module(a)
    if dtype != numpy.float16 or xp is not numpy:
        return xp.matmul(a, b)
    y = numpy.matmul(a.astype(numpy.float32, copy=False),
                     b.astype(numpy.float32, copy=False))
    return y.astype(numpy.float16)
