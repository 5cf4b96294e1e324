"""Gates and pooling on plain arrays, forward and backward, block by block."""

import numpy

from chainer import backend

from qrnn.functions.blocks import each_block
from qrnn.functions.strnn import scan
from qrnn.gates import GATES


def pooling_forward(u, b, c0, valid, pooling, activations, mask):
    """Computes what :func:`qrnn.qrnn_pooling` says, on arrays.

    Args:
        activations (dict): The activation of every gate.
        valid: Steps before each sequence's end, booleans ``(B, T)``, or None.

    Returns:
        tuple: ``h``, ``c``, ``c_last``, and the stacked gates, which
        :func:`pooling_backward` needs: those of steps past the end closed,
        those of zoned-out channels open, all in float32 at least.

    """
    xp = backend.get_array_module(u)
    B, T, channels = u.shape
    C = channels // len(GATES[pooling])
    dtype = numpy.promote_types(u.dtype, numpy.float32)
    gates = xp.empty(u.shape, dtype)
    c = xp.empty((B, T, C), dtype)

    def activate(block):
        gate_of = _split(gates[block], pooling)
        if b is None:
            gates[block] = u[block]
        else:
            bias = b if b.ndim == 1 else b[block[0], None]
            # Halves are added up in float32, as the kernels do.
            xp.add(u[block], bias, out=gates[block], dtype=dtype)
        for name, gate in gate_of.items():
            _activate(activations[name], gate, xp)
        if mask is not None:
            xp.copyto(gate_of['f'], 1, where=mask[block])
        if valid is not None:
            past = ~valid[block][:, :, None]
            for name, gate in gate_of.items():
                xp.copyto(gate, 1 if name == 'f' else 0, where=past)
        f, z, x = gate_of['f'], gate_of['z'], c[block]
        if 'i' in gate_of:
            xp.multiply(gate_of['i'], z, out=x)
        else:
            xp.multiply(f, z, out=x)
            xp.subtract(z, x, out=x)  # (1 - f) z

    each_block(activate, u.shape, xp)
    scan(_split(gates, pooling)['f'], c, c0, out=c)
    if T:
        c_last = c[:, -1].copy()
    else:
        c_last = xp.zeros((B, C), dtype) if c0 is None else c0.copy()
    factor = _output_factor(gates, valid, pooling)
    if factor is None:
        h = c
    else:
        h = xp.empty_like(c)

        def output(block):
            xp.multiply(c[block], factor[block], out=h[block])

        each_block(output, h.shape, xp)
    h, c, c_last = (a.astype(u.dtype, copy=False) for a in (h, c, c_last))
    return h, c, c_last, gates


def pooling_backward(gates, c, c0, valid, pooling, activations, gh, gc,
                     gc_last):
    """Computes the gradients of :func:`pooling_forward`.

    Args:
        gates: The stacked gates that :func:`pooling_forward` returned.
        c: The states that it returned.
        gh: Gradient of ``h``, or None. ``gc`` and ``gc_last`` alike.

    Returns:
        tuple: Gradients of ``u``, stacked as the gates are, and of ``c0``.

    """
    xp = backend.get_array_module(gates)
    B, T, C = c.shape
    gate_of = _split(gates, pooling)
    f = gate_of['f']
    factor = _output_factor(gates, valid, pooling)
    gu = xp.empty_like(gates)
    gstate = xp.empty(c.shape, gates.dtype)

    def gather(block):
        if gh is None:
            gstate[block] = 0
        elif factor is None:
            gstate[block] = gh[block]
        else:
            xp.multiply(gh[block], factor[block], out=gstate[block])
        if gc is not None:
            gstate[block] += gc[block]

    def differentiate(block):
        g, gu_of = gstate[block], _split(gu[block], pooling)
        f, z, o, i = (
            gate_of[name][block] if name in gate_of else None
            for name in 'fzoi')
        sequences, steps = block
        gf = gu_of['f']
        first = steps.start == 0
        if first:
            gf[:, :1] = 0 if c0 is None else c0[sequences, None]
        gf[:, first:] = c[sequences, steps.start - 1 + first:steps.stop - 1]
        if i is None:
            gf -= z
        gf *= g
        _times_slope(activations['f'], gf, f)
        gz = gu_of['z']
        xp.multiply(g, 1 - f if i is None else i, out=gz)
        _times_slope(activations['z'], gz, z)
        if i is not None:
            xp.multiply(z, g, out=gu_of['i'])
            _times_slope(activations['i'], gu_of['i'], i)
        if o is not None:
            if gh is None:
                gu_of['o'][...] = 0
            else:
                xp.multiply(gh[block], c[block], out=gu_of['o'])
                _times_slope(activations['o'], gu_of['o'], o)
            if valid is not None:
                # Not every activation is flat where the gate is closed.
                xp.copyto(gu_of['o'], 0, where=~valid[block][:, :, None])

    each_block(gather, c.shape, xp)
    if T:
        if gc_last is not None:
            gstate[:, -1] += gc_last
        # What arrives at a state: its own, and, times f, the next one's.
        before = gstate[:, :-1]
        scan(f[:, 1:], before, gstate[:, -1], reverse=True, out=before)
        gc0 = f[:, 0] * gstate[:, 0]
    else:
        gc0 = xp.zeros((B, C), gates.dtype) if gc_last is None else gc_last
    each_block(differentiate, gu.shape, xp)
    return gu.astype(c.dtype, copy=False), gc0.astype(c.dtype, copy=False)


def _split(gates, pooling):
    """Views of the stacked gates by name."""
    names = GATES[pooling]
    C = gates.shape[2] // len(names)
    return {name: gates[:, :, n * C:(n + 1) * C]
            for n, name in enumerate(names)}


def _output_factor(gates, valid, pooling):
    """What turns c into h: the output gate, 0 past the end; None for 1."""
    if 'o' in GATES[pooling]:
        return _split(gates, pooling)['o']
    return None if valid is None else valid[:, :, None]


def _activate(name, gate, xp):
    """Applies an activation in place."""
    if name == 'tanh':
        xp.tanh(gate, out=gate)
    elif name == 'sigmoid':  # where its exponential overflows it is 0
        # NumPy 2.4's negative is wrong in place over every fourth number.
        gate *= -1
        with numpy.errstate(over='ignore'):
            xp.exp(gate, out=gate)
        gate += 1
        xp.reciprocal(gate, out=gate)


def _times_slope(name, g, gate):
    """Multiplies by an activation's derivative, in place."""
    if name == 'tanh':
        g *= 1 - gate * gate
    elif name == 'sigmoid':
        g *= gate
        g *= 1 - gate
