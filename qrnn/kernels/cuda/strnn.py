from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import by_rows
from qrnn.kernels.cuda.arrays import contiguous


def strnn_forward(f, x, h0=None, reverse=False, regime=None,
                  device=launch.device):
    """All states of h_t = f_t h_{t-1} + x_t, see :func:`qrnn.strnn`.

    ===========  ===============  ==========================================
    array        shape            meaning
    ===========  ===============  ==========================================
    ``f``        ``(B, T, C)``    gates; a slice of stacked gates is not copied
    ``x``        ``(B, T, C)``    inputs, likewise
    ``h0``       ``(B, C)``       state before the first step, or None for 0
    return       ``(B, T, C)``    states
    ===========  ===============  ==========================================

    Args:
        reverse (bool): Whether to run from the last step to the first.
        regime (str): One of ``plans.REGIMES``; chosen from
            the sizes if omitted.
        device: Where to run.

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
    """Gradients of :func:`strnn_forward`, in one pass.

    ===========  ===============  ==========================================
    array        shape            meaning
    ===========  ===============  ==========================================
    ``f``        ``(B, T, C)``    gates; a slice of stacked gates is not copied
    ``h``        ``(B, T, C)``    states, from forward
    ``h0``       ``(B, C)``       state before the first step, or None for 0
    ``gh``       ``(B, T, C)``    gradients of the states
    return       two ``(B, T, C)``, ``(B, C)``  gradients of f, x and h0
    ===========  ===============  ==========================================
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
