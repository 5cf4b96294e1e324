"""How recurrences, poolings and losses are computed, on GPUs and CPUs.

CuPy's arrays go to CUDA kernels, :mod:`qrnn.kernels.cuda`, NumPy's to loops
that Numba compiles, :mod:`qrnn.kernels.cpu`. Both go over memory once, compute
gates anew in backward instead of keeping them, carry in float32 at least, and
draw zoneout and dropout from the same counters: a seed draws one mask on every
device.
Neither depends on the number of threads.
"""
from chainer.backends.cuda import ndarray  # no array is one without CuPy
import numpy

from qrnn.kernels.philox import expected_ratio  # NOQA


def strnn_forward(f, x, h0=None, reverse=False):
    """Return all states of h_t = f_t h_{t-1} + x_t, see :func:`qrnn.strnn`.

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
    """Return what a pooling computes, see :func:`qrnn.qrnn_pooling`.

    ===========  ============================  ===========================
    array        shape                         meaning
    ===========  ============================  ===========================
    ``u``        ``(B, T, G C)``               pre-activations f, z, o, i;
                                               rows apart are not copied
    ``b``        ``(G C,)``, ``(B, G C)``      bias, or None
    ``c0``       ``(B, C)``                    initial state, or None for 0
    ``lengths``  ``(B,)``                      steps of every sequence, or
                                               None for T
    ``mask``     ``(B, T, C)``                 true where zoned out, or None
    return       two ``(B, T, C)``, ``(B, C)`` outputs h, states c, and the
                                               state after the last step
    ===========  ============================  ===========================

    For f-pooling without lengths, ``h`` and ``c`` are the same array.

    Args:
        pooling (str): One of :data:`qrnn.gates.GATES`.
        zoneout (float): Probability of zoning out, where no mask is given.
        seed (int): Which draw of it, see :func:`zoneout_mask`. None for f's
            expectation under zoneout instead of a draw.
        activations (dict): That of every gate, see
            :func:`qrnn.gates.check_pooling`. The paper's if omitted.
        gated (bool): Whether the outputs are the states times their output
            gates, or these gates themselves.

    """
    return _backend(u).pooling_forward(
        u, b, c0, lengths, pooling, zoneout, seed, mask, activations, gated)


def pooling_backward(u, b, c0, lengths, pooling, zoneout, seed, mask, c, gh,
                     gc, gc_last, activations=None, gated=True):
    """Return the gradients of :func:`pooling_forward`.

    The arguments up to ``mask`` are forward's.

    ===========  =========================  ==================================
    array        shape                      meaning
    ===========  =========================  ==================================
    ``c``        ``(B, T, C)``              states, from forward
    ``gh``       ``(B, T, C)``              gradient of the outputs, or None
    ``gc``       ``(B, T, C)``              gradient of the states, or None
    ``gc_last``  ``(B, C)``                 gradient of the last state, or None
    return       ``(B, T, G C)``            gradient of u
    ..           as ``b``                   gradient of b, None without one
    ..           ``(B, C)``                 gradient of c0, None without one
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
    """Return the results of one step, see :func:`qrnn.functions.qrnn_step`.

    On a GPU this is one product, with one launch before and one after it; on
    a CPU one product and one compiled call.

    ===========  ============================  ===========================
    array        shape                         meaning
    ===========  ============================  ===========================
    ``x``        ``(B, n)``                    inputs
    ``W``        ``(k, n, G C)``               filters
    ``b``        ``(G C,)``, ``(B, G C)``      bias, or None
    ``c0``       ``(B, C)``                    previous state, or None
    ``x0``       ``(B, k - 1, n)``             previous inputs, or None
    return       two ``(B, C)``,               output, state and the last
                 ``(B, k - 1, n)``             inputs, in memory of their own
    ..           ``(B, k n)``, ``(B, G C)``    windows and pre-activations,
                                               for gradients; on a CPU in
                                               float32 at least
    ===========  ============================  ===========================

    The gradients are :func:`pooling_backward`'s and the product's. The other
    arguments are as in :func:`pooling_forward`.
    """
    return _backend(x).step_forward(
        x, W, b, c0, x0, pooling, zoneout, seed, activations, gated)


def lstm_forward(u, W, c0, h0, lengths=None):
    """Return what an LSTM computes, see :func:`qrnn.functions.lstm`.

    Of each step one product and one launch, or call, for all else.

    ===========  ================  ==========================================
    array        shape             meaning
    ===========  ================  ==========================================
    ``u``        ``(B, T, 4 m)``   shares of the input, gates i, f, o, z
    ``W``        ``(4 m, m)``      weights
    ``c0``       ``(B, m)``        cells before the first step
    ``h0``       ``(B, m)``        output before the first step
    ``lengths``  ``(B,)``          steps of every sequence, or None for T
    return       ``(B, T, m)``,    outputs,
                 two ``(B, m)``,   the last cells and the last output,
                 three arrays      the ``kept`` of :func:`lstm_backward`
    ===========  ================  ==========================================
    """
    return _backend(u).lstm_forward(u, W, c0, h0, lengths)


def lstm_backward(W, lengths, kept, gy, gc_last, gh_last, dtype):
    """Return the gradients of :func:`lstm_forward`.

    ===========  ================  ==========================================
    array        shape             meaning
    ===========  ================  ==========================================
    ``kept``     three arrays      from forward
    ``gy``       ``(B, T, m)``     gradient of the outputs, or None
    ``gc_last``  ``(B, m)``        gradient of the last cells, or None
    ``gh_last``  ``(B, m)``        gradient of the last output, or None
    return       ``(B, T, 4 m)``   gradient of u
    ..           ``(4 m, m)``      gradient of W
    ..           two ``(B, m)``    gradients of c0 and h0
    ===========  ================  ==========================================

    Args:
        dtype (numpy.dtype): That of u.

    """
    return _backend(W).lstm_backward(
        W, lengths, kept, gy, gc_last, gh_last, dtype)


def unfold(x, x0, k, lookahead, lengths):
    """Return the window of every step of a convolution along time.

    ===========  =================  ======================================
    array        shape              meaning
    ===========  =================  ======================================
    ``x``        ``(B, T, n)``      inputs
    ``x0``       ``(B, k - 1, n)``  inputs before the first step, or None
    ``lengths``  ``(B,)``           steps of every sequence, or None for T
    return       ``(B, T, k, n)``   windows; on a CPU in float32 at least
    ===========  =================  ======================================

    For k = 1 without lengths it is a view of ``x``.

    Args:
        k (int): Size of the window.
        lookahead (int): How many of its steps lie in the future.

    """
    return _backend(x).unfold(x, x0, k, lookahead, lengths)


def fold(gwindows, x_shape, lookahead, lengths, glast=None):
    """Return the gradients of :func:`unfold` for ``x`` and ``x0``.

    Args:
        gwindows (:ref:`ndarray`): Gradient of the windows, ``(B, T, k, n)``.
        x_shape (tuple of ints): Shape of ``x``.
        lookahead (int): As in :func:`unfold`.
        lengths (:ref:`ndarray`): As in :func:`unfold`.
        glast (:ref:`ndarray`): Gradient of the last steps that
            :func:`last_steps` returns, ``(B, k - 1, n)``, or None.

    """
    return _backend(gwindows).fold(
        gwindows, x_shape, lookahead, lengths, glast)


def last_steps(x, x0, n_steps, lengths):
    """Return the last steps of each sequence, a copy.

    ===========  =====================  ====================================
    array        shape                  meaning
    ===========  =====================  ====================================
    ``x``        ``(B, T, n)``          inputs
    ``x0``       ``(B, n_steps, n)``    inputs before the first step, or
                                        None for 0
    ``lengths``  ``(B,)``               steps of every sequence, or None for
                                        T
    return       ``(B, n_steps, n)``    the last of ``x0`` followed by ``x``
    ===========  =====================  ====================================
    """
    return _backend(x).last_steps(x, x0, n_steps, lengths)


def clear_padding(x, lengths):
    """Return a padded batch ``(B, T, n)`` without NaN past sequences' ends.

    On a GPU the padding becomes 0. On a CPU it also does if it is not finite;
    otherwise ``x`` itself is returned, because 0 times the padding is 0.

    Args:
        x (:ref:`ndarray`): Padded batch.
        lengths (:ref:`ndarray`): Steps of every sequence, ``(B,)``, or None
            for T.

    """
    return _backend(x).clear_padding(x, lengths)


def attention_weights(scores, lengths):
    """Turn scores into their softmax along the last axis, in place.

    ===========  =============  ==============================================
    array        shape          meaning
    ===========  =============  ==============================================
    ``scores``   ``(B, T, S)``  contiguous, in float32 or float64
    ``lengths``  ``(B,)``       valid scores of every row, or None for S; the
                                others get the weight 0, whatever they are
    ===========  =============  ==============================================
    """
    _backend(scores).attention_weights(scores, lengths)


def attention_weights_backward(weights, gweights):
    """Turn gradients of weights into gradients of the scores, in place.

    Args:
        weights (:ref:`ndarray`): From :func:`attention_weights`.
        gweights (:ref:`ndarray`): Their gradients, contiguous and of the same
            shape and dtype.

    """
    _backend(weights).attention_weights_backward(weights, gweights)


def softmax_cross_entropy(logits, b, t, ignore_label):
    """Turn logits into the gradient of their cross entropy, in place.

    ==========  ==========  ==================================================
    array       shape       meaning
    ==========  ==========  ==================================================
    ``logits``  ``(N, V)``  contiguous, in float32 or float64, without the
                            bias; they become the gradient of the sum of the
                            losses
    ``b``       ``(V,)``    bias
    ``t``       ``(N,)``    labels, each in ``[0, V)`` or ``ignore_label``
    return      ``(N,)``    losses; in float64 on a CPU, on a GPU in the
                            dtype of the logits
    ==========  ==========  ==================================================

    Args:
        ignore_label (int): Label of rows without loss and gradient.

    Raises:
        ValueError: If a label is neither of these, on a CPU. A GPU is not
            waited for: there such rows are without loss and gradient.

    """
    return _backend(logits).softmax_cross_entropy(logits, b, t, ignore_label)


def mean_loss(losses, t, V, ignore_label):
    """Return the mean over the rows that count, and their weights in it.

    ===========  ========  ==============================================
    array        shape     meaning
    ===========  ========  ==============================================
    ``losses``   ``(N,)``  from :func:`softmax_cross_entropy`
    ``t``        ``(N,)``  labels, as there
    return       ``()``    mean, 0 if no row counts
    ..           ``(N,)``  1 / (number of rows that count), or 0 for rows
                           that do not
    ===========  ========  ==============================================

    Args:
        V (int): Number of labels.
        ignore_label (int): Label of rows that do not count.

    """
    return _backend(losses).mean_loss(losses, t, V, ignore_label)


def dropout(x, ratio, seed):
    """Return x / (1 - ratio), or 0 with the probability ``ratio``.

    As in :func:`zoneout_mask`, a draw depends on the seed and on the element's
    place alone.

    Args:
        x (:ref:`ndarray`): Any shape, of dtype float16, float32 or float64;
            computed in float32 at least.
        ratio (float): Probability of an element becoming 0, in steps of
            2 ** -32.
        seed (int): Any 64-bit integer.

    Returns:
        :ref:`ndarray`: Of the shape and dtype of ``x``.

    .. admonition:: Example

        >>> from qrnn.kernels import dropout
        >>> dropout(numpy.ones(4, 'f'), .5, seed=0)
        array([0., 2., 0., 2.], dtype=float32)

    """
    return _backend(x).dropout(x, ratio, seed)


def zoneout_mask(seed, ratio, shape, xp=numpy):
    """Return where the poolings zone out, for a seed.

    A draw depends on the seed and on the element's place alone, not on dtype,
    device or threads: the poolings draw it anew in backward, and whoever
    needs the mask itself (the reference, second derivatives) has it from
    here.

    Args:
        seed (int): Any 64-bit integer.
        ratio (float): Probability of true, in steps of 2 ** -32.
        shape (tuple of ints): ``(B, T, C)``.
        xp: NumPy or CuPy.

    Returns:
        Booleans ``(B, T, C)``.

    .. admonition:: Example

        >>> from qrnn.kernels import zoneout_mask
        >>> zoneout_mask(0, .5, (1, 4, 1)).ravel()
        array([ True, False, False, False])

    """
    return _backend(xp.empty(0)).zoneout_mask(seed, ratio, shape)


def _backend(array):
    # Imported where it is needed: Numba takes a while.
    if isinstance(array, ndarray):
        from qrnn.kernels import cuda as backend
    else:
        from qrnn.kernels import cpu as backend
    return backend
