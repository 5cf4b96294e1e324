from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import by_rows
from qrnn.kernels.cuda.arrays import contiguous
from qrnn.kernels.cuda.pooling import pooling_forward


def step_forward(x, W, b, c0, x0, pooling, zoneout, seed, activations, gated,
                 device=launch.device):
    """See :func:`qrnn.kernels.step_forward`.

    Args:
        device (CudaDevice): Device that runs the kernels.

    """
    k, n, channels = W.shape
    B, dtype = len(x), x.dtype
    window = device.empty((B, k * n), dtype)
    x_last = device.empty((B, k - 1, n), dtype)
    x, x_row, _ = by_rows(device, x[:, None], dtype)
    x0 = contiguous(device, x0, dtype, (B, k - 1, n), 'x0')
    device.launch(
        launch.Module('windows', plans.bits_of(dtype)), plans.over_rows(
            'step_window', k * n, B, (x, x_row, x0, window, x_last, k, B, n)))
    u = device.xp.matmul(window, W.reshape(k * n, channels))
    h, _, c = pooling_forward(
        u[:, None], b, c0, None, pooling, zoneout, seed, None, activations,
        gated, device=device)
    return h[:, 0], c, x_last, window, u
