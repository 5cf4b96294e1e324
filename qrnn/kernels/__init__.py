"""Recurrences, poolings and losses, computed on GPUs and CPUs.

CUDA kernels process CuPy arrays (:mod:`qrnn.kernels.cuda`), and loops compiled
by Numba process NumPy arrays (:mod:`qrnn.kernels.cpu`). Both backends pass
over memory once, recompute the gates in backward instead of storing them, and
use float32 or wider for the carry. Both draw zoneout and dropout from the same
counters, so a seed gives the same mask on every device. Results do not depend
on the number of threads.
"""
from chainer.backends.cuda import ndarray  # a placeholder without CuPy
import numpy

from qrnn.kernels.philox import expected_ratio  # NOQA


def strnn_forward(f, x, h0=None, reverse=False):
    """Return all states of h_t = f_t h_{t-1} + x_t; see :func:`qrnn.strnn`.

    ``f`` and ``x`` may be slices of stacked gates, which are not copied.

    ===========  ===============  ==========================================
    array        shape            meaning
    ===========  ===============  ==========================================
    ``f``        ``(B, T, C)``    gates
    ``x``        ``(B, T, C)``    inputs
    ``h0``       ``(B, C)``       state before the first step, or None for 0
    return       ``(B, T, C)``    states
    ===========  ===============  ==========================================

    Args:
        reverse (bool): Whether to run from the last step to the first.

    """
    return _backend(x).strnn_forward(f, x, h0, reverse)


def strnn_backward(f, h, h0, gh, reverse=False):
    """Return the gradients of :func:`strnn_forward`.

    ===========  =========================  ================================
    array        shape                      meaning
    ===========  =========================  ================================
    ``h``        ``(B, T, C)``              states, from forward
    ``gh``       ``(B, T, C)``              gradient of the states
    return       two ``(B, T, C)``          gradients of ``f`` and ``x``
    ..           ``(B, C)``                 gradient of ``h0``
    ===========  =========================  ================================
    """
    return _backend(f).strnn_backward(f, h, h0, gh, reverse)


def pooling_forward(u, b=None, c0=None, lengths=None, pooling='fo',
                    zoneout=0., seed=0, mask=None, activations=None,
                    gated=True):
    """Return outputs and states of a pooling; see :func:`qrnn.qrnn_pooling`.

    ===========  ============================  ===========================
    array        shape                         meaning
    ===========  ============================  ===========================
    ``u``        ``(B, T, G C)``               pre-activations f, z, o, i;
                                               a view is not copied
    ``b``        ``(G C,)``, ``(B, G C)``      bias, or None
    ``c0``       ``(B, C)``                    initial state, or None for 0
    ``lengths``  ``(B,)``                      number of steps of each
                                               sequence, or None for T
    ``mask``     ``(B, T, C)``                 true where zoned out, or None
    return       two ``(B, T, C)``, ``(B, C)`` outputs h, states c, and the
                                               state after the last step
    ===========  ============================  ===========================

    For f-pooling without lengths, ``h`` and ``c`` are the same array.

    Args:
        pooling (str): One of :data:`qrnn.gates.GATES`.
        zoneout (float): Probability of zoning out, used if ``mask`` is None.
        seed (int): Seed of the mask; see :func:`zoneout_mask`. If None, f is
            replaced by its expectation under zoneout.
        activations (dict): Activation of each gate; see
            :func:`qrnn.gates.check_pooling`. The paper's if omitted.
        gated (bool): Whether outputs are states times output gates, or the
            output gates themselves.

    """
    return _backend(u).pooling_forward(
        u, b, c0, lengths, pooling, zoneout, seed, mask, activations, gated)


def pooling_backward(u, b, c0, lengths, pooling, zoneout, seed, mask, c, gh,
                     gc, gc_last, activations=None, gated=True):
    """Return the gradients of :func:`pooling_forward`.

    The arguments up to ``mask`` are the arguments of the forward call.

    ===========  =========================  ==================================
    array        shape                      meaning
    ===========  =========================  ==================================
    ``c``        ``(B, T, C)``              states, from forward
    ``gh``       ``(B, T, C)``              gradient of the outputs, or None
    ``gc``       ``(B, T, C)``              gradient of the states, or None
    ``gc_last``  ``(B, C)``                 gradient of the last state, or None
    return       ``(B, T, G C)``            gradient of u
    ..           as ``b``                   gradient of b, or None without b
    ..           ``(B, C)``                 gradient of c0, or None without c0
    ===========  =========================  ==================================
    """
    return _backend(u).pooling_backward(
        u, b, c0, lengths, pooling, zoneout, seed, mask, c, gh, gc, gc_last,
        activations, gated)


def linear(x, W, b=None):
    """Return x W^T + b.

    ======  ===========  ===========================================
    array   shape        meaning
    ======  ===========  ===========================================
    ``x``   ``(N, n)``   rows
    ``W``   ``(m, n)``   weights
    ``b``   ``(m,)``     bias, or None
    return  ``(N, m)``   products; on a CPU in float32 at least
    ======  ===========  ===========================================
    """
    return _backend(x).linear(x, W, b)


def step_forward(x, W, b, c0, x0, pooling, zoneout, seed, activations, gated):
    """Return the results of one step; see :func:`qrnn.functions.qrnn_step`.

    On a GPU a step consists of a matrix product, a launch before it and a
    launch after it. On a CPU it consists of a matrix product and one compiled
    call.

    ===========  ============================  ===========================
    array        shape                         meaning
    ===========  ============================  ===========================
    ``x``        ``(B, n)``                    inputs
    ``W``        ``(k, n, G C)``               filters
    ``b``        ``(G C,)``, ``(B, G C)``      bias, or None
    ``c0``       ``(B, C)``                    previous state, or None
    ``x0``       ``(B, k - 1, n)``             previous inputs, or None
    return       two ``(B, C)``,               output, state, and a copy of
                 ``(B, k - 1, n)``             the last inputs
    ..           ``(B, k n)``, ``(B, G C)``    windows and pre-activations,
                                               for backward; in float32 or
                                               wider on a CPU
    ===========  ============================  ===========================

    The other arguments are described in :func:`pooling_forward`. There is no
    ``step_backward``: the gradients follow from :func:`pooling_backward` and
    the matrix product.
    """
    return _backend(x).step_forward(
        x, W, b, c0, x0, pooling, zoneout, seed, activations, gated)


def lstm_forward(u, W, c0, h0, lengths=None):
    """Return outputs and states of an LSTM; see :func:`qrnn.functions.lstm`.

    Each step consists of one matrix product and one kernel launch (on a CPU,
    one call) for the gates and the state.

    ===========  ================  ==========================================
    array        shape             meaning
    ===========  ================  ==========================================
    ``u``        ``(B, T, 4 m)``   pre-activations from the input, in the
                                   gate order i, f, o, z
    ``W``        ``(4 m, m)``      recurrent weights
    ``c0``       ``(B, m)``        cell state before the first step
    ``h0``       ``(B, m)``        output before the first step
    ``lengths``  ``(B,)``          number of steps of each sequence, or None
                                   for T
    return       ``(B, T, m)``,    outputs,
                 two ``(B, m)``,   the last cell state and the last output,
                 three arrays      the argument ``kept`` of
                                   :func:`lstm_backward`
    ===========  ================  ==========================================
    """
    return _backend(u).lstm_forward(u, W, c0, h0, lengths)


def lstm_backward(W, lengths, kept, gy, gc_last, gh_last, dtype):
    """Return the gradients of :func:`lstm_forward`.

    ===========  ================  ==========================================
    array        shape             meaning
    ===========  ================  ==========================================
    ``kept``     three arrays      gates, cell states and outputs, from forward
    ``gy``       ``(B, T, m)``     gradient of the outputs, or None
    ``gc_last``  ``(B, m)``        gradient of the last cell state, or None
    ``gh_last``  ``(B, m)``        gradient of the last output, or None
    return       ``(B, T, 4 m)``   gradient of u
    ..           ``(4 m, m)``      gradient of W
    ..           two ``(B, m)``    gradients of c0 and h0
    ===========  ================  ==========================================

    Args:
        dtype (numpy.dtype): Dtype of u, and of the gradients.

    """
    return _backend(W).lstm_backward(
        W, lengths, kept, gy, gc_last, gh_last, dtype)


def unfold(x, x0, k, lookahead, lengths):
    """Return the window of inputs that a convolution reads at each step.

    ===========  =================  ======================================
    array        shape              meaning
    ===========  =================  ======================================
    ``x``        ``(B, T, n)``      inputs
    ``x0``       ``(B, k - 1, n)``  inputs before the first step, or None
    ``lengths``  ``(B,)``           number of steps of each sequence, or
                                    None for T
    return       ``(B, T, k, n)``   windows; in float32 or wider on a CPU
    ===========  =================  ======================================

    With k = 1 and without lengths, the result is a view of ``x``.

    Args:
        k (int): Number of steps in a window.
        lookahead (int): Number of future steps in a window.

    """
    return _backend(x).unfold(x, x0, k, lookahead, lengths)


def fold(gwindows, x_shape, lookahead, lengths, glast=None):
    """Return the gradients of :func:`unfold` for ``x`` and ``x0``.

    Args:
        gwindows (:ref:`ndarray`): Gradient of the windows, ``(B, T, k, n)``,
            or None for 0.
        x_shape (tuple of ints): Shape of ``x``.
        lookahead (int): As in :func:`unfold`.
        lengths (:ref:`ndarray`): As in :func:`unfold`.
        glast (:ref:`ndarray`): Gradient of the last steps that
            :func:`last_steps` returns, ``(B, k - 1, n)``, or None.

    """
    return _backend(glast if gwindows is None else gwindows).fold(
        gwindows, x_shape, lookahead, lengths, glast)


def last_steps(x, x0, n_steps, lengths):
    """Return a copy of the last steps of each sequence.

    ===========  =====================  ====================================
    array        shape                  meaning
    ===========  =====================  ====================================
    ``x``        ``(B, T, n)``          inputs
    ``x0``       ``(B, n_steps, n)``    inputs before the first step, or
                                        None for 0
    ``lengths``  ``(B,)``               number of steps of each sequence, or
                                        None for T
    return       ``(B, n_steps, n)``    the last steps of the concatenation
                                        of ``x0`` and ``x``
    ===========  =====================  ====================================
    """
    return _backend(x).last_steps(x, x0, n_steps, lengths)


def clear_padding(x, lengths):
    """Return a padded batch without infinity and NaN in the padding.

    On a GPU the padding is set to 0. On a CPU it is set to 0 only if it is not
    finite. Otherwise ``x`` is returned, because 0 times its padding is 0.

    Args:
        x (:ref:`ndarray`): Padded batch, ``(B, T, n)``.
        lengths (:ref:`ndarray`): Number of steps of each sequence, ``(B,)``,
            or None for T.

    Returns:
        :ref:`ndarray`: Batch, ``(B, T, n)``.

    """
    return _backend(x).clear_padding(x, lengths)


def attention_weights(scores, lengths):
    """Replace scores by their softmax along the last axis, in place.

    ===========  =============  ==============================================
    array        shape          meaning
    ===========  =============  ==============================================
    ``scores``   ``(B, T, S)``  scores, contiguous, in float32 or float64
    ``lengths``  ``(B,)``       number of valid scores, or None for S; the
                                weights of the others are 0
    ===========  =============  ==============================================
    """
    _backend(scores).attention_weights(scores, lengths)


def attention_weights_backward(weights, gweights):
    """Replace gradients of weights by gradients of scores, in place.

    Args:
        weights (:ref:`ndarray`): Weights from :func:`attention_weights`,
            ``(B, T, S)``.
        gweights (:ref:`ndarray`): Gradients of the weights, contiguous, of the
            same shape and dtype.

    """
    _backend(weights).attention_weights_backward(weights, gweights)


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
        ValueError: On a CPU, if a label is out of range. On a GPU labels are
            not checked, which would synchronise; the loss and the gradient of
            rows with an invalid label are 0.

    """
    return _backend(logits).softmax_cross_entropy(logits, b, t, ignore_label)


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
                           rows, 0 for the others
    ===========  ========  ==============================================

    Args:
        V (int): Number of labels.
        ignore_label (int): Label of rows to ignore.

    """
    return _backend(losses).mean_loss(losses, t, V, ignore_label)


def dropout(x, ratio, seed):
    """Set elements to 0 with probability ``ratio``, and scale the others.

    The others are divided by ``1 - ratio``. As in :func:`zoneout_mask`, the
    mask depends only on the seed and on the index of each element.

    Args:
        x (:ref:`ndarray`): Array of any shape, of dtype float16, float32 or
            float64. Float16 is computed in float32.
        ratio (float): Probability of an element becoming 0, in steps of
            2 ** -32.
        seed (int): Any 64-bit integer.

    Returns:
        :ref:`ndarray`: Array of the shape and dtype of ``x``.

    .. admonition:: Example

        >>> from qrnn.kernels import dropout
        >>> dropout(numpy.ones(4, 'f'), .5, seed=0)
        array([0., 2., 0., 2.], dtype=float32)

    """
    return _backend(x).dropout(x, ratio, seed)


def zoneout_mask(seed, ratio, shape, xp=numpy):
    """Return the mask that the poolings draw for a seed, true where zoned out.

    The mask depends only on the seed and on the index of each element, not on
    dtype, device or threads. The poolings draw it again in backward instead of
    storing it. This function gives the mask to code that needs it as an array:
    the references and second derivatives.

    Args:
        seed (int): Any 64-bit integer.
        ratio (float): Probability of true, in steps of 2 ** -32.
        shape (tuple of ints): Shape ``(B, T, C)`` of the mask.
        xp: Module of the returned array, NumPy or CuPy.

    Returns:
        :ref:`ndarray`: Booleans ``(B, T, C)``.

    .. admonition:: Example

        >>> from qrnn.kernels import zoneout_mask
        >>> zoneout_mask(0, .5, (1, 4, 1)).ravel()
        array([ True, False, False, False])

    """
    return _backend(xp.empty(0)).zoneout_mask(seed, ratio, shape)


def _backend(array):
    # Imported on first use, because importing Numba is slow.
    if isinstance(array, ndarray):
        from qrnn.kernels import cuda as backend
    else:
        from qrnn.kernels import cpu as backend
    return backend
