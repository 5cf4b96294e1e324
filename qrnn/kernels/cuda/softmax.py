import numpy

from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import contiguous


def softmax_cross_entropy(logits, b, t, ignore_label, device=launch.device):
    """Turn logits into the gradient of their cross entropy, in one launch.

    ==========  ==========  ===============================================
    array       shape       meaning
    ==========  ==========  ===============================================
    ``logits``  ``(N, V)``  contiguous, in float32 or float64; they become
                            the gradient of the sum of the losses
    ``b``       ``(V,)``    bias, added to each row
    ``t``       ``(N,)``    labels; others than 0 to V - 1 are ignored, too
    return      ``(N,)``    losses, in the dtype of the logits
    ==========  ==========  ===============================================
    """
    N, V = logits.shape
    if logits.dtype.itemsize < 4 or not logits.flags.c_contiguous:
        raise ValueError('logits must be contiguous, in float32 or float64')
    losses = device.empty((N,), logits.dtype)
    b = contiguous(device, b, logits.dtype, (V,), 'b')
    t, t_bits = _labels(device, t, N)
    device.launch(_module(logits.dtype), plans.block_per_row(
        'softmax_cross_entropy', N, V, logits.itemsize,
        (logits, b, t, t_bits, ignore_label, losses, V)))
    return losses


def label_weights(t, V, ignore_label, dtype, device=launch.device):
    """Return what each row counts for in the mean loss, in one launch.

    Labels are not looked at on the host: it would have to wait for them.

    Args:
        t (cupy.ndarray): Labels, ``(N,)``.
        V (int): Number of labels; others than 0 to V - 1 are ignored.
        ignore_label (int): Label of rows that do not count.
        dtype (numpy.dtype): That of the logits.
        device: Where to run.

    Returns:
        cupy.ndarray: ``(N,)``, 1 / (number of rows that count), or 0.

    """
    N = len(t)
    weights = device.empty((N,), dtype)
    t, t_bits = _labels(device, t, N)
    device.launch(_module(dtype), plans.one_block(
        'label_weights', N, (t, t_bits, ignore_label, weights, N, V)))
    return weights


def _labels(device, t, N):
    """Labels as the kernels take them, and their bits."""
    dtype = numpy.dtype('i' if t.dtype == 'i' else 'q')
    return contiguous(device, t, dtype, (N,), 't'), 8 * dtype.itemsize


def _module(dtype):
    return launch.Module('softmax', plans.bits_of(dtype))
