"""What the entry points do to arrays before they meet a kernel."""
from qrnn.kernels.cuda import plans


def contiguous(device, array, dtype, shape, name):
    """Return the array as kernels need it, a copy only if it has to be."""
    if array is None:
        return None
    if array.shape != shape:
        raise ValueError(
            f'{name} must have shape {shape}, not {array.shape}')
    return device.xp.ascontiguousarray(array, dtype)


def by_rows(device, array, dtype):
    """Return a (B, T, C) array with contiguous channels, and its strides.

    A view whose rows are apart, like a gate among stacked gates, is not
    copied. Strides are in elements, of the batch and the time axis.
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
        raise ValueError(f'{C} channels are too many')
    return array, batch // size, row // size


def as_int32(device, lengths, B):
    """Return lengths in int32, or None."""
    if lengths is None:
        return None
    return contiguous(device, device.xp.asarray(lengths), 'i', (B,), 'lengths')


def signed(seed):
    """Return the 64 bits of a seed as a signed integer."""
    return (int(seed) + 2 ** 63) % 2 ** 64 - 2 ** 63


def address(array):
    """Return where an array starts, 0 for None."""
    if array is None:
        return 0
    return (array.data.ptr if hasattr(array.data, 'ptr')
            else array.ctypes.data)  # NumPy's, in the tests
