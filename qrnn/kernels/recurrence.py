"""Recurrences along time: strnn, poolings, single steps and LSTMs."""
from qrnn.kernels import dispatch


def strnn_forward(f, x, h0=None, reverse=False):
    """Return all states of h_t = f_t h_{t-1} + x_t; see :func:`qrnn.strnn`.

    ``f`` and ``x`` may be slices of an array of stacked gates. Such slices are
    not copied.

    ===========  ===============  ==========================================
    array        shape            meaning
    ===========  ===============  ==========================================
    ``f``        ``(B, T, C)``    gates
    ``x``        ``(B, T, C)``    inputs
    ``h0``       ``(B, C)``       state before the first step, or None for 0
    return       ``(B, T, C)``    states
    ===========  ===============  ==========================================

    Args:
        reverse (bool): If True, run from the last step to the first.

    """
    return dispatch.backend_of(x).strnn_forward(f, x, h0, reverse)


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
    return dispatch.backend_of(f).strnn_backward(f, h, h0, gh, reverse)


def pooling_forward(u, b=None, c0=None, lengths=None, pooling='fo',
                    zoneout=0., seed=0, mask=None, activations=None,
                    gated=True):
    """Return outputs and states of a pooling; see :func:`qrnn.qrnn_pooling`.

    ===========  ============================  ===========================
    array        shape                         meaning
    ===========  ============================  ===========================
    ``u``        ``(B, T, G C)``               pre-activations f, z, o, i
                                               of G gates; a view is not
                                               copied
    ``b``        ``(G C,)`` or ``(B, G C)``    bias, or None
    ``c0``       ``(B, C)``                    initial state, or None for 0
    ``lengths``  ``(B,)``                      number of steps of each
                                               sequence, or None for T
    ``mask``     ``(B, T, C)``                 true where zoned out, or None
    return       two ``(B, T, C)``, ``(B, C)`` outputs h, states c, and the
                                               state after the last step
    ===========  ============================  ===========================

    Without lengths, ``h`` and ``c`` are the same array for f- and if-pooling.

    Args:
        pooling (str): One of :data:`qrnn.gates.GATES`.
        zoneout (float): Probability of zoning out, used if ``mask`` is None.
        seed (int): Seed of the mask; see :func:`qrnn.kernels.zoneout_mask`. If
            None, f is replaced by its expectation under zoneout.
        activations (dict): Activation of each gate; see
            :func:`qrnn.gates.check_pooling`. If omitted, the activations of
            the paper are used.
        gated (bool): If True, outputs are states times output gates.
            Otherwise, outputs are the output gates alone.

    """
    return dispatch.backend_of(u).pooling_forward(
        u, b, c0, lengths, pooling, zoneout, seed, mask, activations, gated)


def pooling_backward(u, b, c0, lengths, pooling, zoneout, seed, mask, c, gh,
                     gc, gc_last, activations=None, gated=True):
    """Return the gradients of :func:`pooling_forward`.

    The arguments up to ``mask`` are those of the forward call.

    ===========  =========================  ==================================
    array        shape                      meaning
    ===========  =========================  ==================================
    ``c``        ``(B, T, C)``              states, from forward
    ``gh``       ``(B, T, C)``              gradient of the outputs, or None
    ``gc``       ``(B, T, C)``              gradient of the states, or None
    ``gc_last``  ``(B, C)``                 gradient of the last state, or None
    return       ``(B, T, G C)``            gradient of u
    ..           shape of ``b``             gradient of b, or None without b
    ..           ``(B, C)``                 gradient of c0, or None without c0
    ===========  =========================  ==================================
    """
    return dispatch.backend_of(u).pooling_backward(
        u, b, c0, lengths, pooling, zoneout, seed, mask, c, gh, gc, gc_last,
        activations, gated)


def step_forward(x, W, b, c0, x0, pooling, zoneout, seed, activations, gated):
    """Return the results of one step; see :func:`qrnn.functions.qrnn_step`.

    On a GPU, a step consists of a launch, a matrix product and another launch.
    On a CPU, a step consists of a matrix product and one compiled call.

    ===========  ============================  ===========================
    array        shape                         meaning
    ===========  ============================  ===========================
    ``x``        ``(B, n)``                    inputs
    ``W``        ``(k, n, G C)``               filters
    ``b``        ``(G C,)`` or ``(B, G C)``    bias, or None
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
    return dispatch.backend_of(x).step_forward(
        x, W, b, c0, x0, pooling, zoneout, seed, activations, gated)


def lstm_forward(u, W, c0, h0, lengths=None):
    """Return outputs and states of an LSTM; see :func:`qrnn.functions.lstm`.

    Each step consists of one matrix product, and one kernel launch for the
    gates and the state. On a CPU, a compiled loop replaces the launch.

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
    return dispatch.backend_of(u).lstm_forward(u, W, c0, h0, lengths)


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
        dtype (numpy.dtype): Dtype of ``u`` and of the returned gradients.

    """
    return dispatch.backend_of(W).lstm_backward(
        W, lengths, kept, gy, gc_last, gh_last, dtype)
