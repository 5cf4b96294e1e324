"""Conversion of arrays into arguments of the loops."""
import numpy

from qrnn.kernels.cpu.compilation import compiled


def computed_in(dtype):
    """Return the dtype in which loops process arrays of ``dtype``."""
    return numpy.promote_types(dtype, numpy.float32)


def blocks_of(B, C):
    """Return the number of items, and the number of channels per item.

    If there are few sequences, each sequence is divided into several items.
    The division does not depend on the number of threads.
    """
    width = C if B >= 8 else max(64, (B * C // 8 + 15) // 16 * 16)
    width = max(1, min(C, width))
    return B * -(-C // width), width


def flat(array, dtype, shape=None):
    """Flatten an array, and return the flat array and the original strides.

    Args:
        array (numpy.ndarray): The array. It is copied only if necessary, for
            example if its channels are not adjacent or its dtype differs. None
            is replaced by a row of zeros with strides of 0.
        dtype (numpy.dtype): Dtype of the result.
        shape (tuple of ints): Required shape. If the array lacks the first
            axis, the stride of this axis is 0, and all sequences share the
            array.

    Returns:
        tuple: The array, ``(n,)``, and the stride of each axis except the
        last, in elements.

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
    """Return the number of steps of each sequence, int64 ``(B,)``."""
    if lengths is None:
        return numpy.full(B, T)
    return numpy.asarray(lengths, numpy.int64)


@compiled
def copy(target, source):
    """Copy a row in a loop, which compiles faster than assigning a slice."""
    for j in range(len(target)):
        target[j] = source[j]
