from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import by_rows
from qrnn.kernels.cuda.arrays import contiguous


def strnn_forward(f, x, h0=None, reverse=False, regime=None,
                  device=launch.device):
    """See :func:`qrnn.kernels.strnn_forward`.

    Args:
        regime (str): Launch regime, one of ``plans.REGIMES``. Selected by
            :func:`~qrnn.kernels.cuda.plans.choose_regime` if omitted.
        device (CudaDevice): Device that runs the kernels.

    """
    dtype = x.dtype
    B, T, C = x.shape
    f, f_batch, f_row = by_rows(device, f, dtype)
    x, x_batch, x_row = by_rows(device, x, dtype)
    h0 = contiguous(device, h0, dtype, (B, C), 'h0')
    h = device.empty((B, T, C), dtype)
    _run(device, 'strnn_forward',
         (f, f_batch, f_row, x, x_batch, x_row, h0, h, int(reverse), B, T, C),
         h0, dtype, (B, T, C), regime)
    return h


def strnn_backward(f, h, h0, gh, reverse=False, regime=None,
                   device=launch.device):
    """See :func:`qrnn.kernels.strnn_backward`.

    Args:
        regime (str): Launch regime, one of ``plans.REGIMES``. Selected by
            :func:`~qrnn.kernels.cuda.plans.choose_regime` if omitted.
        device (CudaDevice): Device that runs the kernels.

    """
    dtype = f.dtype
    B, T, C = shape = f.shape
    f, f_batch, f_row = by_rows(device, f, dtype)
    h = contiguous(device, h, dtype, shape, 'h')
    h0 = contiguous(device, h0, dtype, (B, C), 'h0')
    gh = contiguous(device, gh, dtype, shape, 'gh')
    gf = device.empty(shape, dtype)
    gx = device.empty(shape, dtype)
    gh0 = device.empty((B, C), dtype)
    _run(device, 'strnn_backward',
         (f, f_batch, f_row, h, h0, gh, gf, gx, gh0, int(reverse), B, T, C),
         None, dtype, shape, regime)
    return gf, gx, gh0


def _run(device, name, args, initial, dtype, shape, regime):
    B, T, C = shape
    scan = plans.Scan(name, dtype, B * C, T, regime)
    device.launch(launch.Module('strnn', plans.bits_of(dtype)),
                  scan.launches(args, initial, device.empty))
