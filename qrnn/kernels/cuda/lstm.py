"""The steps of an LSTM on CuPy arrays."""
from chainer.backends.cuda import cupy


def lstm_forward(t, u, product, lengths, gates, cs, hs):
    """Compute step t of an LSTM: gates ``[t]``, cells and outputs ``[t + 1]``.
    """
    m = cs.shape[2]
    a = u[:, t] + product
    i, f, o, z = _split(gates[t], m)
    gates[t, :, :3 * m] = 1 / (1 + cupy.exp(-a[:, :3 * m]))
    z[...] = cupy.tanh(a[:, 3 * m:])
    cs[t + 1] = f * cs[t] + i * z
    hs[t + 1] = o * cupy.tanh(cs[t + 1])
    if lengths is not None:
        past = t >= lengths[:, None]
        for states in cs, hs:
            cupy.copyto(states[t + 1], states[t], where=past)


def lstm_backward(t, gates, cs, lengths, gy, gh, held, gc, ga):
    """Compute the gradient of step t of an LSTM, into ``ga[t]`` and ``gc``."""
    m = gc.shape[1]
    i, f, o, z = _split(gates[t], m)
    g = gh + held
    held[...] = 0
    past = None if lengths is None else t >= lengths[:, None]
    if past is not None:
        held += cupy.where(past, g, 0)
    if gy is not None:
        g = g + gy[:, t]
    tanh_c = cupy.tanh(cs[t + 1])
    gc_here = gc + g * o * (1 - tanh_c * tanh_c)
    parts = (gc_here * z * i * (1 - i), gc_here * cs[t] * f * (1 - f),
             g * tanh_c * o * (1 - o), gc_here * i * (1 - z * z))
    ga[t] = cupy.concatenate(parts, axis=1)
    gc_here *= f
    if past is not None:
        ga[t] = cupy.where(past, 0, ga[t])
        gc_here = cupy.where(past, gc, gc_here)
    gc[...] = gc_here


def _split(a, m):
    return [a[:, n * m:(n + 1) * m] for n in range(4)]
