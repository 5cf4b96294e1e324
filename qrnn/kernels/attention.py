"""Attention over the states of an encoder."""
from qrnn.kernels import dispatch


def clear_padding(x, lengths):
    """Return a padded batch without infinity or NaN in the padding.

    ``x`` is returned if ``lengths`` is None or, on a CPU, if the padding is
    finite and the dtype is not float16. Otherwise, the result is a copy in
    which the padding is 0. Finite padding needs no change, because its
    attention weights are 0.

    Args:
        x (:ref:`ndarray`): Padded batch, ``(B, T, n)``.
        lengths (:ref:`ndarray`): Number of steps of each sequence, ``(B,)``,
            or None if all have T steps.

    Returns:
        :ref:`ndarray`: Batch, ``(B, T, n)``.

    """
    return dispatch.backend_of(x).clear_padding(x, lengths)


def attention_weights(scores, lengths):
    """Replace scores by their softmax along the last axis, in place.

    ===========  =============  ==============================================
    array        shape          meaning
    ===========  =============  ==============================================
    ``scores``   ``(B, T, S)``  scores, contiguous, in float32 or float64
    ``lengths``  ``(B,)``       number of valid scores, or None for S; the
                                weights of invalid scores are 0
    ===========  =============  ==============================================
    """
    dispatch.backend_of(scores).attention_weights(scores, lengths)


def attention_weights_backward(weights, gweights):
    """Replace gradients of weights by gradients of scores, in place.

    Args:
        weights (:ref:`ndarray`): Weights from :func:`attention_weights`,
            ``(B, T, S)``.
        gweights (:ref:`ndarray`): Gradients of the weights, contiguous, of the
            same shape and dtype.

    """
    dispatch.backend_of(weights).attention_weights_backward(weights, gweights)
