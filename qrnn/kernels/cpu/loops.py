"""Loops of the recurrences: strnn, poolings and LSTMs.

Each array is passed as a one-dimensional array, followed by the strides of the
batch and time axes. Adjacent channels are adjacent in memory, so the compiler
vectorises inner loops over channels. A stride of 0 broadcasts a row: a missing
gradient is passed as one row of zeros. An item is a block of channels of one
sequence. A loop processes the items from ``first`` to ``last - 1``.
"""
import functools
import math

from numba import types
from numba.extending import overload
import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.compilation import FASTMATH
from qrnn.kernels.cpu.rows import copy


@compiled
def strnn_forward(first, last, width, T, C, reverse, f, f_batch, f_row, x,
                  x_batch, x_row, h0, h0_batch, h):
    n_blocks = (C + width - 1) // width
    for item in range(first, last):
        s, start = item // n_blocks, item % n_blocks * width
        n = min(width, C - start)
        state = _row(h0, s * h0_batch + start, n).copy()
        for step in range(T):
            t = T - 1 - step if reverse else step
            f_t = _row(f, s * f_batch + t * f_row + start, n)
            x_t = _row(x, s * x_batch + t * x_row + start, n)
            h_t = _row(h, (s * T + t) * C + start, n)
            for j in range(n):
                state[j] = f_t[j] * state[j] + x_t[j]
                h_t[j] = state[j]


@compiled
def strnn_backward(first, last, width, T, C, reverse, f, f_batch, f_row, h,
                   h_batch, h_row, h0, h0_batch, gh, gh_batch, gh_row, gf, gx,
                   gh0):
    n_blocks = (C + width - 1) // width
    for item in range(first, last):
        s, start = item // n_blocks, item % n_blocks * width
        n = min(width, C - start)
        carry = _row(gh0, s * C + start, n)  # gradient from the next step
        carry[:] = 0
        for step in range(T - 1, -1, -1):
            t = T - 1 - step if reverse else step
            f_t = _row(f, s * f_batch + t * f_row + start, n)
            gh_t = _row(gh, s * gh_batch + t * gh_row + start, n)
            gf_t = _row(gf, (s * T + t) * C + start, n)
            gx_t = _row(gx, (s * T + t) * C + start, n)
            if step > 0:
                t_prev = t + 1 if reverse else t - 1
                h_prev = _row(h, s * h_batch + t_prev * h_row + start, n)
            else:
                h_prev = _row(h0, s * h0_batch + start, n)
            for j in range(n):
                g = gh_t[j] + carry[j]
                gf_t[j] = g * h_prev[j]
                gx_t[j] = g
                carry[j] = f_t[j] * g


@functools.lru_cache(maxsize=None)
def pooling_forward(writes_h, gated, has_o, has_i, z_kind, o_kind, i_kind):
    """Return the loop of a pooling with the given gates and activations.

    With an output gate, ``h`` is the state times the gate if ``gated`` is
    True, and the gate alone if ``gated`` is False. In the loop, ``expected``
    is the zoneout probability if f is replaced by its expectation under
    zoneout, and 0 otherwise.
    """

    @compiled
    def loop(first, last, width, T, C, u, u_batch, u_row, b, b_batch, c0,
             c0_batch, lengths, mask, mask_batch, mask_row, expected, h, c,
             c_last):
        n_blocks = (C + width - 1) // width
        for item in range(first, last):
            s, start = item // n_blocks, item % n_blocks * width
            n = min(width, C - start)
            state = _row(c_last, s * C + start, n)
            copy(state, _row(c0, s * c0_batch + start, n))
            b_f, b_z, b_o, b_i = _gates(
                b, s * b_batch + start, C, n, has_o, has_i)
            for t in range(lengths[s]):
                u_f, u_z, u_o, u_i = _gates(
                    u, s * u_batch + t * u_row + start, C, n, has_o, has_i)
                mask_t = _row(mask, s * mask_batch + t * mask_row + start, n)
                c_t = _row(c, (s * T + t) * C + start, n)
                h_t = _row(h, (s * T + t) * C + start, n)
                for j in range(n):
                    raw = sigmoid(u_f[j] + b_f[j])
                    raw = one(raw) if mask_t[j] else raw
                    f = raw + expected * (one(raw) - raw)
                    z = _activate(z_kind, u_z[j] + b_z[j])
                    if has_i:
                        i = _activate(i_kind, u_i[j] + b_i[j])
                    else:
                        i = one(f) - f
                    y = f * state[j] + i * z
                    state[j] = y
                    c_t[j] = y
                    if has_o:
                        o = _activate(o_kind, u_o[j] + b_o[j])
                        y = o * y if gated else o
                    if writes_h:
                        h_t[j] = y
            for t in range(lengths[s], T):  # c is unchanged, h is 0
                if writes_h:
                    _row(h, (s * T + t) * C + start, n)[:] = 0
                copy(_row(c, (s * T + t) * C + start, n), state)

    return loop


@functools.lru_cache(maxsize=None)
def pooling_backward(gated, has_o, has_i, z_kind, o_kind, i_kind):
    """Return the loop that computes the gradients of a pooling."""

    @compiled
    def loop(first, last, width, T, C, u, u_batch, u_row, b, b_batch, c0,
             c0_batch, lengths, mask, mask_batch, mask_row, expected, c,
             c_batch, c_row, gh, gh_batch, gh_row, gc, gc_batch, gc_row,
             gc_last, gc_last_batch, gu, gb, gc0):
        G = 2 + has_o + has_i
        n_blocks = (C + width - 1) // width
        for item in range(first, last):
            s, start = item // n_blocks, item % n_blocks * width
            n = min(width, C - start)
            carry = _row(gc0, s * C + start, n)  # gradient from the next step
            copy(carry, _row(gc_last, s * gc_last_batch + start, n))
            b_f, b_z, b_o, b_i = _gates(
                b, s * b_batch + start, C, n, has_o, has_i)
            gb_f, gb_z, gb_o, gb_i = _gates(
                gb, s * G * C + start, C, n, has_o, has_i)
            for t in range(T - 1, -1, -1):
                gc_t = _row(gc, s * gc_batch + t * gc_row + start, n)
                gu_f, gu_z, gu_o, gu_i = _gates(
                    gu, (s * T + t) * G * C + start, C, n, has_o, has_i)
                if t >= lengths[s]:  # c is unchanged
                    for j in range(n):
                        carry[j] += gc_t[j]
                    gu_f[:] = 0
                    gu_z[:] = 0
                    if has_o:
                        gu_o[:] = 0
                    if has_i:
                        gu_i[:] = 0
                    continue
                u_f, u_z, u_o, u_i = _gates(
                    u, s * u_batch + t * u_row + start, C, n, has_o, has_i)
                mask_t = _row(mask, s * mask_batch + t * mask_row + start, n)
                gh_t = _row(gh, s * gh_batch + t * gh_row + start, n)
                c_t = _row(c, s * c_batch + t * c_row + start, n)
                if t > 0:
                    c_prev = _row(c, s * c_batch + (t - 1) * c_row + start, n)
                else:
                    c_prev = _row(c0, s * c0_batch + start, n)
                for j in range(n):
                    raw = sigmoid(u_f[j] + b_f[j])
                    raw = one(raw) if mask_t[j] else raw
                    f = raw + expected * (one(raw) - raw)
                    z = _activate(z_kind, u_z[j] + b_z[j])
                    g = carry[j] + gc_t[j]  # gradient of the state
                    if has_o:
                        o = _activate(o_kind, u_o[j] + b_o[j])
                        g_o = gh_t[j]
                        if gated:
                            g_o *= c_t[j]
                            g += gh_t[j] * o
                        g_o *= _slope(o_kind, o)
                        gu_o[j] = g_o
                        gb_o[j] += g_o
                    else:
                        g += gh_t[j]
                    if has_i:
                        i = _activate(i_kind, u_i[j] + b_i[j])
                        g_i = g * z * _slope(i_kind, i)
                        gu_i[j] = g_i
                        gb_i[j] += g_i
                        g_f = g * c_prev[j]
                    else:
                        i = one(f) - f
                        g_f = g * (c_prev[j] - z)
                    g_f *= raw * (one(f) - f)
                    g_z = g * i * _slope(z_kind, z)
                    gu_f[j] = g_f
                    gb_f[j] += g_f
                    gu_z[j] = g_z
                    gb_z[j] += g_z
                    carry[j] = f * g

    return loop


@compiled
def lstm_forward(first, last, t, T, m, u, u_batch, u_row, product, ends,
                 gates, c, h, c_next, h_next, y):
    """Compute step ``t`` of an LSTM for some of the sequences."""
    for s in range(first, last):
        c_s, h_s = _row(c, s * m, m), _row(h, s * m, m)
        c_after, h_after = _row(c_next, s * m, m), _row(h_next, s * m, m)
        y_t = _row(y, (s * T + t) * m, m)
        if t >= ends[s]:
            copy(c_after, c_s)
            copy(h_after, h_s)
            y_t[:] = 0
            continue
        u_i, u_f, u_o, u_z = _quarters(u, s * u_batch + t * u_row, m)
        p_i, p_f, p_o, p_z = _quarters(product, s * 4 * m, m)
        g_i, g_f, g_o, g_z = _quarters(gates, s * 4 * m, m)
        for j in range(m):
            i, f = sigmoid(u_i[j] + p_i[j]), sigmoid(u_f[j] + p_f[j])
            o, z = sigmoid(u_o[j] + p_o[j]), tanh(u_z[j] + p_z[j])
            cell = f * c_s[j] + i * z
            g_i[j], g_f[j], g_o[j], g_z[j] = i, f, o, z
            c_after[j] = cell
            h_after[j] = y_t[j] = o * tanh(cell)


@compiled
def lstm_backward(first, last, t, m, ends, gates, c, c_next, gy, gy_batch,
                  gy_row, gh, held, gc, ga):
    """Compute the gradients of :func:`lstm_forward`.

    ``gh`` is the part of the output's gradient that comes from step ``t + 1``.
    The steps are processed in reverse, so the padding comes first. At padded
    steps, ``gh`` is added to ``held``. The last valid step adds ``held`` to
    the gradient of its output.
    """
    for s in range(first, last):
        gh_s, gc_s = _row(gh, s * m, m), _row(gc, s * m, m)
        held_s = _row(held, s * m, m)
        ga_i, ga_f, ga_o, ga_z = _quarters(ga, s * 4 * m, m)
        if t >= ends[s]:
            for j in range(m):
                held_s[j] += gh_s[j]
            _row(ga, s * 4 * m, 4 * m)[:] = 0
            continue
        g_i, g_f, g_o, g_z = _quarters(gates, s * 4 * m, m)
        c_s, c_after = _row(c, s * m, m), _row(c_next, s * m, m)
        gy_t = _row(gy, s * gy_batch + t * gy_row, m)
        for j in range(m):
            i, f, o, z = g_i[j], g_f[j], g_o[j], g_z[j]
            unit = one(i)
            g = gh_s[j] + held_s[j] + gy_t[j]
            held_s[j] = 0
            y = tanh(c_after[j])
            gc_here = gc_s[j] + g * o * (unit - y * y)
            ga_i[j] = gc_here * z * i * (unit - i)
            ga_f[j] = gc_here * c_s[j] * f * (unit - f)
            ga_o[j] = g * y * o * (unit - o)
            ga_z[j] = gc_here * i * (unit - z * z)
            gc_s[j] = gc_here * f


@compiled
def _row(array, start, n):
    return array[start:start + n]


@compiled
def _gates(array, start, C, n, has_o, has_i):
    """Return the rows of the gates f, z, o and i.

    For a missing gate, the row of f is returned.
    """
    f, z = array[start:start + n], array[start + C:start + C + n]
    o_start = start + 2 * C if has_o else start
    i_start = start + (2 + has_o) * C if has_i else start
    return f, z, array[o_start:o_start + n], array[i_start:i_start + n]


@compiled
def _quarters(array, start, m):
    return (array[start:start + m], array[start + m:start + 2 * m],
            array[start + 2 * m:start + 3 * m],
            array[start + 3 * m:start + 4 * m])


# Activations. In float32, tanh and sigmoid are rational functions, which are
# compiled to vector instructions. In float64, they call the C library.

_TANH, _SIGMOID, _IDENTITY = range(3)
KINDS = {'tanh': _TANH, 'sigmoid': _SIGMOID, 'identity': _IDENTITY}


def tanh(x):
    """Return the hyperbolic tangent, with errors up to 4e-7 in float32."""


def sigmoid(x):
    """Return the logistic function, 1 / (1 + exp(-x))."""


def one(x):
    """Return 1 in the type of x."""


@overload(tanh, jit_options={'fastmath': FASTMATH})
def _tanh(x):
    # x p(x^2) / q(x^2) is a minimax fit for |x| <= 9. Above 9, tanh rounds to
    # 1. The error of the fit is 2e-8. With the rounding of float32, the error
    # is 3.5e-7. NaN stays NaN, because all comparisons with NaN are false.
    def of_float32(x):
        x = numpy.float32(9) if x > numpy.float32(9) else x
        x = numpy.float32(-9) if x < numpy.float32(-9) else x
        s = x * x
        p = numpy.float32(1.33534141e-08)
        p = p * s + numpy.float32(2.06081843e-05)
        p = p * s + numpy.float32(3.49553444e-03)
        p = p * s + numpy.float32(1.33809810e-01)
        p = p * s + numpy.float32(9.99999980e-01)
        q = numpy.float32(7.77604726e-07)
        q = q * s + numpy.float32(3.28554622e-04)
        q = q * s + numpy.float32(2.58767796e-02)
        q = q * s + numpy.float32(4.67142967e-01)
        q = q * s + numpy.float32(1)
        y = x * p / q
        y = numpy.float32(1) if y > numpy.float32(1) else y
        return numpy.float32(-1) if y < numpy.float32(-1) else y

    def of_float64(x):
        return math.tanh(x)

    return of_float32 if x == types.float32 else of_float64


@overload(sigmoid, jit_options={'fastmath': FASTMATH})
def _sigmoid(x):
    def of_float32(x):
        half = numpy.float32(.5)
        return half + half * tanh(half * x)

    def of_float64(x):
        return 1 / (1 + math.exp(-x))

    return of_float32 if x == types.float32 else of_float64


@overload(one)
def _one(x):
    def of_float32(x):
        return numpy.float32(1)

    def of_float64(x):
        return 1.

    return of_float32 if x == types.float32 else of_float64


@compiled
def _activate(kind, x):
    if kind == _TANH:
        return tanh(x)
    if kind == _SIGMOID:
        return sigmoid(x)
    return x


@compiled
def _slope(kind, y):
    """Return the derivative of an activation whose value is y."""
    if kind == _TANH:
        return one(y) - y * y
    if kind == _SIGMOID:
        return y * (one(y) - y)
    return one(y)
