"""Windows of a convolution, and the last steps of sequences."""
from qrnn.kernels import dispatch


def unfold(x, x0, k, lookahead, lengths):
    """Return the window of inputs that a convolution reads at each step.

    ===========  =================  ======================================
    array        shape              meaning
    ===========  =================  ======================================
    ``x``        ``(B, T, n)``      inputs
    ``x0``       ``(B, k - 1, n)``  inputs before the first step, or None
                                    for 0
    ``lengths``  ``(B,)``           number of steps of each sequence, or
                                    None for T
    return       ``(B, T, k, n)``   windows; in float32 or wider on a CPU
    ===========  =================  ======================================

    If ``k`` is 1 and ``lengths`` is None, the result is a view of ``x``.

    Args:
        k (int): Number of steps in a window.
        lookahead (int): Number of future steps in a window.

    """
    return dispatch.backend_of(x).unfold(x, x0, k, lookahead, lengths)


def fold(gwindows, x_shape, lookahead, lengths, glast=None):
    """Return the gradients of ``x`` and ``x0``, the inputs of :func:`unfold`.

    If ``x`` and ``x0`` are also inputs of :func:`last_steps`, the gradients
    from both functions are added.

    Args:
        gwindows (:ref:`ndarray`): Gradient of the windows, ``(B, T, k, n)``,
            or None for 0.
        x_shape (tuple of ints): Shape of ``x``.
        lookahead (int): As in :func:`unfold`.
        lengths (:ref:`ndarray`): As in :func:`unfold`.
        glast (:ref:`ndarray`): Gradient of the result of :func:`last_steps`,
            ``(B, k - 1, n)``, or None for 0.

    """
    return dispatch.backend_of(glast if gwindows is None else gwindows).fold(
        gwindows, x_shape, lookahead, lengths, glast)


def last_steps(x, x0, n_steps, lengths):
    """Return a copy of the last ``n_steps`` steps of each sequence.

    ===========  =====================  ====================================
    array        shape                  meaning
    ===========  =====================  ====================================
    ``x``        ``(B, T, n)``          inputs
    ``x0``       ``(B, n_steps, n)``    inputs before the first step, or
                                        None for 0
    ``lengths``  ``(B,)``               number of steps of each sequence, or
                                        None for T
    return       ``(B, n_steps, n)``    the last steps; steps before the
                                        first step of ``x`` are from ``x0``
    ===========  =====================  ====================================
    """
    return dispatch.backend_of(x).last_steps(x, x0, n_steps, lengths)
