from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import address
from qrnn.kernels.cuda.arrays import as_int32
from qrnn.kernels.cuda.arrays import by_rows
from qrnn.kernels.cuda.arrays import contiguous


def unfold(x, x0, k, lookahead, lengths, device=launch.device):
    """See :func:`qrnn.kernels.unfold`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    B, T, n = x.shape
    if k == 1 and lengths is None:
        return x[:, :, None]
    dtype = x.dtype
    windows = device.empty((B, T, k, n), dtype)
    x, x_batch, x_row = by_rows(device, x, dtype)
    x0 = contiguous(device, x0, dtype, (B, k - 1, n), 'x0')
    # Values are copied bit by bit. Four or two values are copied at a time if
    # sizes, strides and addresses are multiples of four or two values.
    width = next(width for width in (4, 2, 1) if width * dtype.itemsize <= 8
                 and all(number % width == 0 for number in (
                     n, x_batch, x_row, *(address(a) // dtype.itemsize
                                          for a in (x, x0, windows)))))
    module = launch.Module('windows', 8 * dtype.itemsize * width)
    columns = n // width
    device.launch(module, plans.over_rows(
        'unfold', k * columns, B * T,
        (x, x_batch // width, x_row // width, x0,
         as_int32(device, lengths, B), windows, k, lookahead, B, T, columns)))
    return windows


def fold(gwindows, x_shape, lookahead, lengths, glast=None,
         device=launch.device):
    """See :func:`qrnn.kernels.fold`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    B, T, n = x_shape
    if gwindows is None:
        k, dtype = glast.shape[1] + 1, glast.dtype
    else:
        k, dtype = gwindows.shape[2], gwindows.dtype
    gx0 = device.empty((B, k - 1, n), dtype)
    if k == 1 and lengths is None and gwindows is not None:
        return gwindows[:, :, 0], gx0
    gwindows = contiguous(device, gwindows, dtype, (B, T, k, n), 'gwindows')
    glast = contiguous(device, glast, dtype, (B, k - 1, n), 'glast')
    gx = device.empty((B, T, n), dtype)
    device.launch(
        launch.Module('windows', plans.bits_of(dtype)), plans.over_rows(
            'fold', n, B * (T + k - 1),
            (gwindows, as_int32(device, lengths, B), glast, gx, gx0, k,
             lookahead, B, T, n)))
    return gx, gx0


def last_steps(x, x0, n_steps, lengths, device=launch.device):
    """See :func:`qrnn.kernels.last_steps`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    B, T, n = x.shape
    dtype = x.dtype
    last = device.empty((B, n_steps, n), dtype)
    x, x_batch, x_row = by_rows(device, x, dtype)
    x0 = contiguous(device, x0, dtype, (B, n_steps, n), 'x0')
    module = launch.Module('windows', plans.bits_of(dtype))
    device.launch(module, plans.over_rows(
        'last_steps', n, B * n_steps,
        (x, x_batch, x_row, x0, as_int32(device, lengths, B), last, n_steps,
         B, T, n)))
    return last
