import numpy

from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import contiguous


def softmax_cross_entropy(logits, b, t, ignore_label, device=launch.device):
    """See :func:`qrnn.kernels.softmax_cross_entropy`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    N, V = logits.shape
    if logits.dtype.itemsize < 4 or not logits.flags.c_contiguous:
        raise ValueError(
            'logits must be contiguous and of dtype float32 or float64, but '
            f'their dtype is {logits.dtype} and their strides are '
            f'{logits.strides}')
    losses = device.empty((N,), logits.dtype)
    b = contiguous(device, b, logits.dtype, (V,), 'b')
    t, t_bits = _labels(device, t, N)
    device.launch(_module(logits.dtype), plans.block_per_row(
        'softmax_cross_entropy', N, V, logits.itemsize,
        (logits, b, t, t_bits, ignore_label, losses, V)))
    return losses


def mean_loss(losses, t, V, ignore_label, device=launch.device):
    """See :func:`qrnn.kernels.mean_loss`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    N = len(t)
    mean = device.empty((), losses.dtype)
    weights = device.empty((N,), losses.dtype)
    t, t_bits = _labels(device, t, N)
    device.launch(_module(losses.dtype), plans.one_block('mean_loss', N, 16, (
        losses, t, t_bits, ignore_label, mean, weights, N, V)))
    return mean, weights


def _labels(device, t, N):
    """Return labels in int32 or int64, and the number of bits of a label."""
    dtype = numpy.dtype('i' if t.dtype == 'i' else 'q')
    return contiguous(device, t, dtype, (N,), 't'), 8 * dtype.itemsize


def _module(dtype):
    return launch.Module('softmax', plans.bits_of(dtype))
