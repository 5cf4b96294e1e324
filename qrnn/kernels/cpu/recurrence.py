"""The recurrences on NumPy arrays, one pass over memory."""
import functools

import numpy

from qrnn.gates import ACTIVATIONS
from qrnn.gates import GATES
from qrnn.kernels.cpu import loops
from qrnn.kernels.cpu.rows import blocks_of
from qrnn.kernels.cpu.rows import computed_in
from qrnn.kernels.cpu.rows import ends_of
from qrnn.kernels.cpu.rows import flat
from qrnn.kernels.cpu.threads import share
from qrnn.kernels.cpu.philox import zoneout_mask


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
                    zoneout=0., seed=0, mask=None, activations=None):
    """Return outputs, states and last states of a pooling."""
    B, T, C = shape = _shape(u, pooling)
    dtype = computed_in(u.dtype)
    c = numpy.empty(shape, dtype)
    # Where the output is the state, it is written once.
    same = 'o' not in GATES[pooling] and lengths is None
    h = c if same else numpy.empty(shape, dtype)
    c_last = numpy.empty((B, C), dtype)
    _run(functools.partial(loops.pooling_forward, not same), u, b, c0,
         lengths, pooling, zoneout, seed, mask, activations,
         h.reshape(-1), c.reshape(-1), c_last.reshape(-1))
    c, c_last = (a.astype(u.dtype, copy=False) for a in (c, c_last))
    return c if same else h.astype(u.dtype, copy=False), c, c_last


def pooling_backward(u, b, c0, lengths, pooling, zoneout, seed, mask, c, gh,
                     gc, gc_last, activations=None):
    """Return the gradients of :func:`pooling_forward`.

    Gates and mask are computed again from what forward was given.
    """
    B, T, C = shape = _shape(u, pooling)
    dtype = computed_in(u.dtype)
    gu = numpy.empty(u.shape, dtype)
    gb = numpy.zeros((B, u.shape[2]), dtype)  # of every sequence
    gc0 = numpy.empty((B, C), dtype)
    _run(loops.pooling_backward, u, b, c0, lengths, pooling, zoneout, seed,
         mask, activations, *flat(c, dtype, shape), *flat(gh, dtype, shape),
         *flat(gc, dtype, shape), *flat(gc_last, dtype, (B, C)),
         gu.reshape(-1), gb.reshape(-1), gc0.reshape(-1))
    if b is not None and b.ndim == 1:
        gb = gb.sum(axis=0)
    return (gu.astype(u.dtype, copy=False),
            None if b is None else gb.astype(u.dtype, copy=False),
            None if c0 is None else gc0.astype(u.dtype, copy=False))


def lstm_forward(t, u, product, lengths, gates, cs, hs):
    """Compute step t of an LSTM: gates ``[t]``, cells and outputs ``[t + 1]``.
    """
    _, B, m = cs.shape
    share(loops.lstm_forward, B, u[:, 0].size, t, m,
          *flat(u, cs.dtype), product.reshape(-1),
          ends_of(lengths, B, u.shape[1]), gates[t].reshape(-1),
          *(a[n].reshape(-1) for n in (t, t + 1) for a in (cs, hs)))


def lstm_backward(t, gates, cs, lengths, gy, gh, held, gc, ga):
    """Compute the gradient of step t of an LSTM, into ``ga[t]`` and ``gc``."""
    T, B, m = len(gates), *gc.shape
    share(loops.lstm_backward, B, gates[t].size, t, m, ends_of(lengths, B, T),
          gates[t].reshape(-1), cs[t].reshape(-1), cs[t + 1].reshape(-1),
          *flat(gy, cs.dtype, (B, T, m)), gh.reshape(-1), held.reshape(-1),
          gc.reshape(-1), ga[t].reshape(-1))


def _shape(u, pooling):
    B, T, channels = u.shape
    return B, T, channels // len(GATES[pooling])


def _run(make_loop, u, b, c0, lengths, pooling, zoneout, seed, mask,
         activations, *outputs):
    B, T, C = shape = _shape(u, pooling)
    dtype = computed_in(u.dtype)
    if mask is None and zoneout:
        mask = zoneout_mask(seed, zoneout, shape)
    activations = activations or ACTIVATIONS
    loop = make_loop('o' in GATES[pooling], 'i' in GATES[pooling], *(
        loops.KINDS[activations[gate]] for gate in 'zoi'))
    n_items, width = blocks_of(B, C)
    share(loop, n_items, u.size, width, T, C, *flat(u, dtype),
          *flat(b, dtype, (B, u.shape[2])), *flat(c0, dtype, (B, C)),
          ends_of(lengths, B, T), *flat(mask, bool, shape), *outputs)
