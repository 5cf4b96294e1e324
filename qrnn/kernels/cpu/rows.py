"""Conversion of arrays into arguments of the loops."""
import numpy

from qrnn.kernels.cpu.compilation import compiled


def computed_in(dtype):
    """Return the dtype in which arrays of ``dtype`` are computed."""
    return numpy.promote_types(dtype, numpy.float32)


def blocks_of(B, C):
    """Return the number of items of a loop, and the width of a block.

    A sequence is cut into blocks of channels where there are few sequences.
    It does not depend on the number of threads.
    """
    width = C if B >= 8 else max(64, (B * C // 8 + 15) // 16 * 16)
    width = max(1, min(C, width))
    return B * -(-C // width), width


def flat(array, dtype, shape=None):
    """Return an array in one dimension, and the distances between its rows.

    Args:
        array (numpy.ndarray): Copied if its channels are apart, or if it is
            of another dtype. For None a row of zeros at a distance of 0.
        dtype: Of what is returned.
        shape (tuple of ints): The shape of the array, of which it may lack
            the first dimension: then each sequence has the same.

    Returns:
        tuple: The array, ``(n,)``, and the distance between neighbours along
        each axis but the last.

    """
    if array is None:
        return (numpy.zeros(shape[-1], dtype), *([0] * (len(shape) - 1)))
    array = numpy.asarray(array, dtype)
    n_missing = 0 if shape is None else len(shape) - array.ndim
    if shape is not None and array.shape != shape[n_missing:]:
        raise ValueError(f'shape {array.shape} is not {shape}')
    size = array.itemsize
    if not (array.flags.c_contiguous and array.flags.writeable):
        apart = array.shape[-1] > 1 and array.strides[-1] != size
        if (apart or not array.flags.writeable or not array.size
                or any(d < 0 or d % size for d in array.strides)):
            array = array.copy(order='C')
    distances = [d // size for d in array.strides[:-1]]
    if not array.flags.c_contiguous:
        extent = array.shape[-1] + sum(
            (n - 1) * d for n, d in zip(array.shape, distances))
        array = numpy.lib.stride_tricks.as_strided(array, (extent,), (size,))
    return (array.reshape(-1), *([0] * n_missing), *distances)


def ends_of(lengths, B, T):
    """Return the number of steps of every sequence, int64 ``(B,)``."""
    if lengths is None:
        return numpy.full(B, T)
    return numpy.asarray(lengths, numpy.int64)


@compiled
def copy(target, source):
    """Copy a row within a loop."""
    for j in range(len(target)):
        target[j] = source[j]
