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


def mean_loss(losses, t, V, ignore_label, device=launch.device):
    """Return the mean over the rows that count, and their weights in it.

    One launch; the host does not wait for the number of rows.

    ===========  ========  ==============================================
    array        shape     meaning
    ===========  ========  ==============================================
    ``losses``   ``(N,)``  from :func:`softmax_cross_entropy`
    ``t``        ``(N,)``  labels, as there
    return       ``()``    mean, 0 if no row counts
    ..           ``(N,)``  1 / (number of rows that count), or 0
    ===========  ========  ==============================================
    """
    N = len(t)
    mean = device.empty((), losses.dtype)
    weights = device.empty((N,), losses.dtype)
    t, t_bits = _labels(device, t, N)
    device.launch(_module(losses.dtype), plans.one_block('mean_loss', N, 16, (
        losses, t, t_bits, ignore_label, mean, weights, N, V)))
    return mean, weights


def _labels(device, t, N):
    """Labels as the kernels take them, and their bits."""
    dtype = numpy.dtype('i' if t.dtype == 'i' else 'q')
    return contiguous(device, t, dtype, (N,), 't'), 8 * dtype.itemsize


def _module(dtype):
    return launch.Module('softmax', plans.bits_of(dtype))
