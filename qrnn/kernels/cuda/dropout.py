from qrnn.kernels import philox
from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import signed


def dropout(x, ratio, seed, device=launch.device):
    """See :func:`qrnn.kernels.dropout`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    limit = philox.limit_of(ratio)
    if limit < 0:
        return x.copy()
    y = device.empty(x.shape, x.dtype)
    x = device.xp.ascontiguousarray(x)
    chunks = -(-x.size // philox.CHUNK)
    device.launch(
        launch.Module('dropout', plans.bits_of(x.dtype)), plans.over_rows(
            'dropout', chunks * philox.CHUNK // 4, 1, (
                x, y, signed(seed), limit, philox.scale_of(ratio),
                x.size)))
    return y
