"""Recurrences of NumPy arrays."""
import functools

import numpy

from qrnn.gates import ACTIVATIONS
from qrnn.gates import GATES
from qrnn.kernels.cpu import loops
from qrnn.kernels.cpu.products import multiply
from qrnn.kernels.cpu.products import times_transposed
from qrnn.kernels.cpu.rows import blocks_of
from qrnn.kernels.cpu.rows import computed_in
from qrnn.kernels.cpu.rows import ends_of
from qrnn.kernels.cpu.rows import flat
from qrnn.kernels.cpu.threads import share
from qrnn.kernels.cpu.philox import zoneout_mask
from qrnn.kernels.philox import expected_ratio


def strnn_forward(f, x, h0=None, reverse=False):
    """Return all states of h_t = f_t h_{t-1} + x_t."""
    B, T, C = x.shape
    dtype = computed_in(x.dtype)
    h = numpy.empty((B, T, C), dtype)
    n_items, width = blocks_of(B, C)
    share(loops.strnn_forward, n_items, h.size, width, T, C, reverse,
          *flat(f, dtype, x.shape), *flat(x, dtype),
          *flat(h0, dtype, (B, C)), h.reshape(-1))
    return h.astype(x.dtype, copy=False)


def strnn_backward(f, h, h0, gh, reverse=False):
    """Return the gradients of :func:`strnn_forward`."""
    B, T, C = f.shape
    dtype = computed_in(f.dtype)
    gf, gx = (numpy.empty((B, T, C), dtype) for _ in range(2))
    gh0 = numpy.empty((B, C), dtype)
    n_items, width = blocks_of(B, C)
    share(loops.strnn_backward, n_items, gf.size, width, T, C, reverse,
          *flat(f, dtype), *flat(h, dtype, f.shape),
          *flat(h0, dtype, (B, C)), *flat(gh, dtype, f.shape),
          gf.reshape(-1), gx.reshape(-1), gh0.reshape(-1))
    return tuple(g.astype(f.dtype, copy=False) for g in (gf, gx, gh0))


def pooling_forward(u, b=None, c0=None, lengths=None, pooling='fo',
                    zoneout=0., seed=0, mask=None, activations=None,
                    gated=True):
    """Return outputs, states and last states of a pooling."""
    B, T, C = shape = _shape(u, pooling)
    dtype = computed_in(u.dtype)
    c = numpy.empty(shape, dtype)
    # If outputs and states are equal, one array is used for both.
    same = 'o' not in GATES[pooling] and lengths is None
    h = c if same else numpy.empty(shape, dtype)
    c_last = numpy.empty((B, C), dtype)
    _run(functools.partial(loops.pooling_forward, not same, gated), u, b, c0,
         lengths, pooling, zoneout, seed, mask, activations,
         h.reshape(-1), c.reshape(-1), c_last.reshape(-1))
    c, c_last = (a.astype(u.dtype, copy=False) for a in (c, c_last))
    return c if same else h.astype(u.dtype, copy=False), c, c_last


def pooling_backward(u, b, c0, lengths, pooling, zoneout, seed, mask, c, gh,
                     gc, gc_last, activations=None, gated=True):
    """Return the gradients of :func:`pooling_forward`.

    Gates and mask are recomputed from the inputs of the forward pass.
    """
    B, T, C = shape = _shape(u, pooling)
    dtype = computed_in(u.dtype)
    gu = numpy.empty(u.shape, dtype)
    gb = numpy.zeros((B, u.shape[2]), dtype)  # one row per sequence
    gc0 = numpy.empty((B, C), dtype)
    _run(functools.partial(loops.pooling_backward, gated), u, b, c0, lengths,
         pooling, zoneout, seed, mask, activations, *flat(c, dtype, shape),
         *flat(gh, dtype, shape), *flat(gc, dtype, shape),
         *flat(gc_last, dtype, (B, C)), gu.reshape(-1), gb.reshape(-1),
         gc0.reshape(-1))
    if b is not None and b.ndim == 1:
        gb = gb.sum(axis=0)
    return (gu.astype(u.dtype, copy=False),
            None if b is None else gb.astype(u.dtype, copy=False),
            None if c0 is None else gc0.astype(u.dtype, copy=False))


def step_forward(x, W, b, c0, x0, pooling, zoneout, seed, activations, gated):
    """Return the results of a step; see :func:`qrnn.kernels.step_forward`."""
    k, n, channels = W.shape
    B, C = len(x), channels // len(GATES[pooling])
    dtype = computed_in(x.dtype)
    window = numpy.empty((B, k, n), dtype)
    window[:, :-1] = 0 if x0 is None else x0
    window[:, -1] = x
    x_last = window[:, 1:].astype(x.dtype)
    window = window.reshape(B, k * n)
    W = numpy.asarray(W, dtype).reshape(k * n, channels)
    u = multiply(window, W)
    expected, mask = expected_ratio(zoneout, seed, None), None
    if zoneout and not expected:
        mask = zoneout_mask(seed, zoneout, (B, 1, C))
    h, c, states = (numpy.empty((B, C), dtype) for _ in range(3))
    loop = _loop(
        functools.partial(loops.pooling_forward, True, gated), pooling,
        activations)
    # _run is not used, because its overhead would be a third of the time of a
    # small matrix product.
    share(loop, B, u.size, C, 1, C, u.reshape(-1), channels, 0,
          *flat(b, dtype, (B, channels)), *flat(c0, dtype, (B, C)),
          _ones(B), *flat(mask, bool, (B, 1, C)),
          dtype.type(expected), h.reshape(-1), states.reshape(-1),
          c.reshape(-1))
    h, c = (a.astype(x.dtype, copy=False) for a in (h, c))
    return h, c, x_last, window, u


@functools.lru_cache
def _ones(B):
    return numpy.ones(B, numpy.int64)


def lstm_forward(u, W, c0, h0, lengths=None):
    """Return outputs, last cell states, last outputs, arrays for backward."""
    B, T, _ = u.shape
    m = W.shape[1]
    dtype = computed_in(u.dtype)
    # Time is the first axis, so that a step uses a contiguous block.
    gates = numpy.empty((T, B, 4 * m), dtype)
    cs, hs = (numpy.empty((T + 1, B, m), dtype) for _ in range(2))
    cs[0], hs[0] = c0, h0
    y = numpy.empty((B, T, m), dtype)
    product = numpy.empty((B, 4 * m), dtype)
    W = numpy.asarray(W, dtype)
    multiply = times_transposed
    if T > _FEW_STEPS:
        W, multiply = numpy.ascontiguousarray(W.T), numpy.dot
    u, ends = flat(u, dtype), ends_of(lengths, B, T)
    for t in range(T):
        multiply(hs[t], W, product)
        share(loops.lstm_forward, B, product.size, t, T, m, *u,
              product.reshape(-1), ends, gates[t].reshape(-1),
              *(a[n].reshape(-1) for n in (t, t + 1) for a in (cs, hs)),
              y.reshape(-1))
    # astype copies; a view of the last step would keep all steps in memory.
    c_last, h_last = (a[T].astype(c0.dtype) for a in (cs, hs))
    return y.astype(c0.dtype, copy=False), c_last, h_last, (gates, cs, hs)


#: Largest number of steps for which a transposed copy of the weights costs
#: more time than it saves.
_FEW_STEPS = 8


def lstm_backward(W, lengths, kept, gy, gc_last, gh_last, dtype):
    """Return the gradients of :func:`lstm_forward`."""
    gates, cs, hs = kept
    T, B, _ = gates.shape
    m, real = W.shape[1], gates.dtype
    # Contiguous copies, because the loop writes to them.
    gc, gh = (numpy.zeros((B, m), real) if g is None else
              numpy.array(g, real, order='C') for g in (gc_last, gh_last))
    held = numpy.zeros((B, m), real)  # see loops.lstm_backward
    W = numpy.ascontiguousarray(W, real)
    ga = numpy.empty(gates.shape, real)
    gy, ends = flat(gy, real, (B, T, m)), ends_of(lengths, B, T)
    for t in range(T - 1, -1, -1):
        share(loops.lstm_backward, B, ga[t].size, t, m, ends,
              gates[t].reshape(-1), cs[t].reshape(-1), cs[t + 1].reshape(-1),
              *gy, gh.reshape(-1), held.reshape(-1), gc.reshape(-1),
              ga[t].reshape(-1))
        numpy.dot(ga[t], W, out=gh)
    gh += held
    gW = ga.reshape(T * B, 4 * m).T.dot(hs[:-1].reshape(T * B, m))
    return tuple(g.astype(dtype, copy=False)
                 for g in (ga.transpose(1, 0, 2), gW, gc, gh))


def _shape(u, pooling):
    B, T, channels = u.shape
    return B, T, channels // len(GATES[pooling])


def _run(make_loop, u, b, c0, lengths, pooling, zoneout, seed, mask,
         activations, *outputs):
    B, T, C = shape = _shape(u, pooling)
    dtype = computed_in(u.dtype)
    expected = expected_ratio(zoneout, seed, mask)
    if mask is None and zoneout and not expected:
        mask = zoneout_mask(seed, zoneout, shape)
    loop = _loop(make_loop, pooling, activations or ACTIVATIONS)
    n_items, width = blocks_of(B, C)
    share(loop, n_items, u.size, width, T, C, *flat(u, dtype),
          *flat(b, dtype, (B, u.shape[2])), *flat(c0, dtype, (B, C)),
          ends_of(lengths, B, T), *flat(mask, bool, shape),
          dtype.type(expected), *outputs)


def _loop(make_loop, pooling, activations):
    gates = GATES[pooling]
    return make_loop('o' in gates, 'i' in gates, *[
        loops.KINDS[activations[gate]] for gate in 'zoi'])
