"""Softmax cross entropy and its mean over valid rows."""
from qrnn.kernels import dispatch


def softmax_cross_entropy(logits, b, t, ignore_label):
    """Replace logits by the gradient of their cross entropy, in place.

    ==========  ==========  ==================================================
    array       shape       meaning
    ==========  ==========  ==================================================
    ``logits``  ``(N, V)``  logits without the bias, contiguous, in float32
                            or float64; overwritten by the gradient of the
                            sum of the losses
    ``b``       ``(V,)``    bias
    ``t``       ``(N,)``    labels, each in ``[0, V)`` or ``ignore_label``
    return      ``(N,)``    losses; in float64 on a CPU, in the dtype of the
                            logits on a GPU
    ==========  ==========  ==================================================

    Args:
        ignore_label (int): Label of rows whose loss and gradient are 0.

    Raises:
        ValueError: On a CPU, if a label is out of range. On a GPU, labels are
            not checked, because a check would synchronise. Rows with an
            invalid label have a loss and a gradient of 0.

    """
    return dispatch.backend_of(logits).softmax_cross_entropy(
        logits, b, t, ignore_label)


def mean_loss(losses, t, V, ignore_label):
    """Return the mean loss of the valid rows, and the weight of each row.

    A row is valid if its label is in ``[0, V)`` and not ``ignore_label``.

    ===========  ========  ==============================================
    array        shape     meaning
    ===========  ========  ==============================================
    ``losses``   ``(N,)``  losses from :func:`softmax_cross_entropy`
    ``t``        ``(N,)``  labels
    return       ``()``    mean loss, or 0 without valid rows
    ..           ``(N,)``  weights: 1 / (number of valid rows) for valid
                           rows, 0 for invalid rows
    ===========  ========  ==============================================

    Args:
        V (int): Number of labels.
        ignore_label (int): Label of rows to ignore.

    """
    return dispatch.backend_of(losses).mean_loss(losses, t, V, ignore_label)
