from qrnn.kernels.cuda import launch


def linear(x, W, b=None, device=launch.device):
    """See :func:`qrnn.kernels.linear`.

    Args:
        device (CudaDevice): Device that computes the product.

    """
    y = device.xp.dot(x, W.T)
    if b is not None:
        y += b
    return y
