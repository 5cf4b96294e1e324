"""Dropout and zoneout."""
import numpy

from qrnn.kernels import dispatch


def dropout(x, ratio, seed):
    """Apply dropout to an array.

    Each element becomes 0 with probability ``ratio``. Otherwise, it is divided
    by ``1 - ratio``. As in :func:`zoneout_mask`, the mask depends only on the
    seed and on the index of each element.

    Args:
        x (:ref:`ndarray`): Array of any shape, of dtype float16, float32 or
            float64. For float16, the computation is in float32.
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
    return dispatch.backend_of(x).dropout(x, ratio, seed)


def zoneout_mask(seed, ratio, shape, xp=numpy):
    """Return the zoneout mask that the poolings draw for a seed.

    The mask depends only on the seed and on the index of each element, not on
    dtype, device or threads. The poolings draw it again in backward instead of
    storing it. The reference implementations and second derivatives need the
    mask as an array, which this function returns.

    Args:
        seed (int): Any 64-bit integer.
        ratio (float): Probability of an element being true, in steps of
            2 ** -32.
        shape (tuple of ints): Shape ``(B, T, C)`` of the mask.
        xp: Module of the returned array, NumPy or CuPy.

    Returns:
        :ref:`ndarray`: Booleans ``(B, T, C)``, true for elements that are
        zoned out.

    .. admonition:: Example

        >>> from qrnn.kernels import zoneout_mask
        >>> zoneout_mask(0, .5, (1, 4, 1)).ravel()
        array([ True, False, False, False])

    """
    return dispatch.backend_of(xp.empty(0)).zoneout_mask(seed, ratio, shape)
