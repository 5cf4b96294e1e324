from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import as_int32
from qrnn.kernels.cuda.arrays import by_rows
from qrnn.kernels.cuda.arrays import contiguous


def lstm_forward(u, W, c0, h0, lengths=None, device=launch.device):
    """See :func:`qrnn.kernels.lstm_forward`.

    Args:
        device (CudaDevice): Device that runs the kernels.

    """
    xp, dtype = device.xp, u.dtype
    B, T, _ = u.shape
    m, carry = W.shape[1], plans.carry_dtype(dtype)
    u, u_batch, u_row = by_rows(device, u, dtype)
    lengths = as_int32(device, lengths, B)
    gates = device.empty((T, B, 4 * m), carry)
    cs, hs = (device.empty((T + 1, B, m), carry) for _ in range(2))
    cs[0], hs[0] = c0, h0
    y = device.empty((B, T, m), dtype)
    W = W.T.astype(carry)
    product = device.empty((B, 4 * m), carry)
    module = launch.Module('lstm', plans.bits_of(dtype))
    for t in range(T):
        xp.dot(hs[t], W, out=product)
        device.launch(module, plans.over_rows('lstm_forward', m, B, (
            u, u_batch, u_row, product, cs[t], hs[t], lengths, gates[t],
            cs[t + 1], hs[t + 1], y, t, B, T, m)))
    return y, cs[T].astype(dtype), hs[T].astype(dtype), (gates, cs, hs)


def lstm_backward(W, lengths, kept, gy, gc_last, gh_last, dtype,
                  device=launch.device):
    """See :func:`qrnn.kernels.lstm_backward`.

    Args:
        device (CudaDevice): Device that runs the kernels.

    """
    xp = device.xp
    gates, cs, hs = kept
    T, B, _ = gates.shape
    m, carry = W.shape[1], gates.dtype
    lengths = as_int32(device, lengths, B)
    gy = contiguous(device, gy, dtype, (B, T, m), 'gy')
    gc, passed = (xp.zeros((B, m), carry) if g is None else xp.array(g, carry)
                  for g in (gc_last, gh_last))
    W = xp.ascontiguousarray(W, carry)
    ga = device.empty((T, B, 4 * m), carry)
    product, buffer = None, device.empty((B, m), carry)
    gc_next = device.empty((B, m), carry)
    module = launch.Module('lstm', plans.bits_of(dtype))
    for t in reversed(range(T)):
        # With lengths, the gradient of the last output is passed through the
        # padding to the last step of each sequence.
        passed_on = None if lengths is None else device.empty((B, m), carry)
        device.launch(module, plans.over_rows('lstm_backward', m, B, (
            gates[t], cs[t], cs[t + 1], gy, product, passed, gc, lengths,
            ga[t], passed_on, gc_next, t, B, T, m)))
        gc, gc_next, passed = gc_next, gc, passed_on
        product = xp.dot(ga[t], W, out=buffer)
    gh = product if passed is None else passed if product is None else (
        product + passed)
    gW = xp.dot(ga.reshape(T * B, 4 * m).T, hs[:-1].reshape(T * B, m))
    gu = ga.transpose(1, 0, 2)
    return tuple(g.astype(dtype) for g in (gu, gW, gc, gh))
