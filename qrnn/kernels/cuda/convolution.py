"""The windows of a convolution along time, on CuPy arrays."""
from chainer.backends.cuda import cupy


def unfold(x, x0, k, lookahead, lengths):
    """Return the window of every step, ``(B, T, k, n)``."""
    B, T, n = x.shape
    valid = _valid(lengths, T)
    row = cupy.zeros((B, k - 1 + T + lookahead, n), x.dtype)
    if x0 is not None:
        row[:, :k - 1] = x0
    row[:, k - 1:k - 1 + T] = (
        x if valid is None else cupy.where(valid, x, x.dtype.type(0)))
    windows = cupy.stack(
        [row[:, lookahead + j:lookahead + j + T] for j in range(k)], axis=2)
    if valid is not None:
        windows *= valid[:, :, None]
    return windows


def fold(gwindows, x_shape, lookahead, lengths):
    """Return the gradients of :func:`unfold` for ``x`` and ``x0``."""
    B, T, n = x_shape
    k = gwindows.shape[2]
    valid = _valid(lengths, T)
    if valid is not None:
        gwindows = cupy.where(
            valid[:, :, None], gwindows, gwindows.dtype.type(0))
    grow = cupy.zeros((B, k - 1 + T + lookahead, n), gwindows.dtype)
    for j in range(k):
        grow[:, lookahead + j:lookahead + j + T] += gwindows[:, :, j]
    gx = grow[:, k - 1:k - 1 + T]
    if valid is not None:
        gx = gx * valid
    return gx, grow[:, :k - 1]


def _valid(lengths, T):
    if lengths is None:
        return None
    return (cupy.arange(T) < lengths[:, None])[:, :, None]
