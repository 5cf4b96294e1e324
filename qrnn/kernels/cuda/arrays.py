"""Conversion of arrays into arguments of the kernels."""
from qrnn.kernels.cuda import plans


def contiguous(device, array, dtype, shape, name):
    """Return a contiguous array of the given dtype; copy only if necessary.

    Raises:
        ValueError: If the array does not have the given shape.

    """
    if array is None:
        return None
    if array.shape != shape:
        raise ValueError(
            f'{name} must have shape {shape}, not {array.shape}')
    return device.xp.ascontiguousarray(array, dtype)


def by_rows(device, array, dtype):
    """Return a (B, T, C) array with contiguous channels, and its strides.

    The result is a triple of the array and the strides of the batch axis and
    the time axis, in elements. The array is not copied if it is a view with
    contiguous channels, such as one gate of stacked gates.
    """
    size = dtype.itemsize
    B, T, C = array.shape
    batch, row, last = array.strides
    fits = (array.dtype == dtype and (last == size or C <= 1)
            and batch % size == row % size == 0
            and 0 <= row <= plans.MAX_ROW_BYTES and batch >= 0)
    if not fits:
        array = device.xp.ascontiguousarray(array, dtype)
        batch, row = T * C * size, C * size
    if row > plans.MAX_ROW_BYTES:
        raise ValueError(
            f'{C} channels of {dtype} exceed the limit of '
            f'{plans.MAX_ROW_BYTES} bytes in a row; use fewer channels')
    return array, batch // size, row // size


def as_int32(device, lengths, B):
    """Return lengths as an int32 array; if lengths is None, return None."""
    if lengths is None:
        return None
    return contiguous(device, device.xp.asarray(lengths), 'i', (B,), 'lengths')


def signed(seed):
    """Return the 64 bits of a seed as a signed integer."""
    return (int(seed) + 2 ** 63) % 2 ** 64 - 2 ** 63


def address(array):
    """Return the address of an array's first element, or 0 for None."""
    if array is None:
        return 0
    return (array.data.ptr if hasattr(array.data, 'ptr')
            else array.ctypes.data)  # the tests pass NumPy arrays
