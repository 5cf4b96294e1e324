"""Windows of a convolution along time for NumPy arrays."""
import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.rows import computed_in
from qrnn.kernels.cpu.rows import copy
from qrnn.kernels.cpu.rows import ends_of
from qrnn.kernels.cpu.rows import flat
from qrnn.kernels.cpu.threads import share


def unfold(x, x0, k, lookahead, lengths):
    """Return the window of inputs at each step, ``(B, T, k, n)``."""
    B, T, n = x.shape
    if k == 1 and lengths is None:
        return x[:, :, None]
    dtype = computed_in(x.dtype)
    windows = numpy.empty((B, T, k, n), dtype)
    share(_unfold, B * T, windows.size, T, n, k, lookahead, *flat(x, dtype),
          *flat(x0, dtype, (B, k - 1, n)), ends_of(lengths, B, T),
          windows.reshape(-1))
    return windows


def fold(gwindows, x_shape, lookahead, lengths, glast=None):
    """Return the gradients of ``x`` and ``x0``, the inputs of unfold."""
    if gwindows is None:
        return _fold_last_steps(glast, x_shape, lengths)
    B, T, n = x_shape
    k = gwindows.shape[2]
    if k == 1 and lengths is None:
        return gwindows[:, :, 0], gwindows[:, :0, 0]
    dtype = computed_in(gwindows.dtype)
    gx = numpy.empty((B, T, n), dtype)
    gx0 = numpy.empty((B, k - 1, n), dtype)
    share(_fold, B * (k - 1 + T), gwindows.size, T, n, k, lookahead,
          flat(gwindows, dtype, (B, T, k, n))[0], ends_of(lengths, B, T),
          *flat(glast, dtype, (B, k - 1, n)), gx.reshape(-1), gx0.reshape(-1))
    return tuple(g.astype(gwindows.dtype, copy=False) for g in (gx, gx0))


def _fold_last_steps(glast, x_shape, lengths):
    B, n_steps, n = glast.shape
    T = x_shape[1]
    gx, gx0 = (numpy.zeros((B, size, n), glast.dtype) for size in (T, n_steps))
    rows, steps = numpy.arange(B), ends_of(lengths, B, T)
    for j in range(n_steps):
        step = steps - n_steps + j
        in_x = step >= 0
        gx[rows[in_x], step[in_x]] = glast[in_x, j]
        gx0[rows[~in_x], step[~in_x]] = glast[~in_x, j]
    return gx, gx0


def last_steps(x, x0, n_steps, lengths):
    """Return the last steps of each sequence, ``(B, n_steps, n)``."""
    B, T, n = x.shape
    if lengths is None:
        n_new = min(T, n_steps)
        last = numpy.empty((B, n_steps, n), x.dtype)
        last[:, n_steps - n_new:] = x[:, T - n_new:]
        last[:, :n_steps - n_new] = 0 if x0 is None else x0[:, n_new:]
        return last
    if x0 is None:
        x0 = numpy.zeros((B, n_steps, n), x.dtype)
    rows = numpy.arange(B)[:, None]
    steps = lengths[:, None] + numpy.arange(-n_steps, 0)
    last = x0[rows, numpy.minimum(steps, -1)]
    if T == 0:
        return last
    return numpy.where((steps >= 0)[:, :, None],
                       x[rows, numpy.maximum(steps, 0)], last)


# Tap j of the window at step t reads step t - k + 1 + lookahead + j of x.
# Negative steps are read from x0. Taps past the end of a sequence are 0.


@compiled
def _unfold(first, last, T, n, k, lookahead, x, x_batch, x_row, x0, x0_batch,
            x0_row, ends, windows):
    for item in range(first, last):
        s, t = item // T, item % T
        end = ends[s]
        for j in range(k):
            tap = windows[(item * k + j) * n:(item * k + j + 1) * n]
            source = t - k + 1 + lookahead + j
            if t >= end or source >= end:
                tap[:] = 0
            elif source >= 0:
                start = s * x_batch + source * x_row
                copy(tap, x[start:start + n])
            else:
                start = s * x0_batch + (k - 1 + source) * x0_row
                copy(tap, x0[start:start + n])


@compiled
def _fold(first, last, T, n, k, lookahead, gwindows, ends, glast, glast_batch,
          glast_row, gx, gx0):
    # Each item is a step of x0 or x.
    for item in range(first, last):
        s, source = item // (k - 1 + T), item % (k - 1 + T) - (k - 1)
        if source < 0:
            start = (s * (k - 1) + k - 1 + source) * n
            g = gx0[start:start + n]
        else:
            g = gx[(s * T + source) * n:(s * T + source + 1) * n]
        g[:] = 0
        if source >= ends[s]:
            continue
        i = source - ends[s] + k - 1  # index of the step in glast
        if i >= 0:
            start = s * glast_batch + i * glast_row
            g[:] = glast[start:start + n]
        for j in range(k):
            t = source + k - 1 - lookahead - j
            if 0 <= t < ends[s]:
                start = ((s * T + t) * k + j) * n
                tap = gwindows[start:start + n]
                for m in range(n):
                    g[m] += tap[m]
