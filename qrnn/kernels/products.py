"""Matrix products."""
from qrnn.kernels import dispatch


def linear(x, W, b=None):
    """Return x W^T + b.

    ======  ===========  ===========================================
    array   shape        meaning
    ======  ===========  ===========================================
    ``x``   ``(N, n)``   rows
    ``W``   ``(m, n)``   weights
    ``b``   ``(m,)``     bias, or None
    return  ``(N, m)``   products; in float32 or wider on a CPU
    ======  ===========  ===========================================
    """
    return dispatch.backend_of(x).linear(x, W, b)
