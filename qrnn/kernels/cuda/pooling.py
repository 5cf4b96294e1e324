from qrnn.gates import GATES
from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import as_int32
from qrnn.kernels.cuda.arrays import by_rows
from qrnn.kernels.cuda.arrays import contiguous
from qrnn.kernels.cuda.arrays import signed
from qrnn.kernels.philox import expected_ratio
from qrnn.kernels.philox import limit_of


def pooling_forward(u, b=None, c0=None, lengths=None, pooling='fo',
                    zoneout=0., seed=0, mask=None, activations=None,
                    gated=True, regime=None, device=launch.device):
    """See :func:`qrnn.kernels.pooling_forward`.

    Args:
        regime (str): Launch regime, one of ``plans.REGIMES``. Selected by
            :func:`~qrnn.kernels.cuda.plans.choose_regime` if omitted.
        device (CudaDevice): Device that runs the kernels.

    """
    module = launch.pooling_module(
        u.dtype, pooling, activations,
        bool(expected_ratio(zoneout, seed, mask)), gated)
    gates, dtype, (B, T, C) = _gates(
        device, u, b, c0, lengths, pooling, zoneout, seed, mask)
    c = device.empty((B, T, C), dtype)
    # If outputs and states are equal, only the states are written.
    h = (None if 'o' not in GATES[pooling] and lengths is None
         else device.empty((B, T, C), dtype))
    c_last = device.empty((B, C), dtype)
    scan = plans.Scan('pooling_forward', dtype, B * C, T, regime)
    device.launch(module, scan.launches(
        gates + (h, c, c_last), gates[_C0], device.empty))
    return c if h is None else h, c, c_last


def pooling_backward(u, b, c0, lengths, pooling, zoneout, seed, mask, c,
                     gh, gc, gc_last, activations=None, gated=True,
                     regime=None, device=launch.device):
    """See :func:`qrnn.kernels.pooling_backward`.

    Args:
        regime (str): Launch regime, one of ``plans.REGIMES``. Selected by
            :func:`~qrnn.kernels.cuda.plans.choose_regime` if omitted.
        device (CudaDevice): Device that runs the kernels.

    """
    module = launch.pooling_module(
        u.dtype, pooling, activations,
        bool(expected_ratio(zoneout, seed, mask)), gated)
    gates, dtype, (B, T, C) = _gates(
        device, u, b, c0, lengths, pooling, zoneout, seed, mask)
    shape = B, T, C
    scan = plans.Scan('pooling_backward', dtype, B * C, T, regime)
    c = contiguous(device, c, dtype, shape, 'c')
    gh = contiguous(device, gh, dtype, shape, 'gh')
    gc = contiguous(device, gc, dtype, shape, 'gc')
    gc_last = contiguous(device, gc_last, dtype, (B, C), 'gc_last')
    gu = device.empty(u.shape, dtype)
    gc0 = device.empty((B, C), dtype)
    sums = gb = None
    if b is not None:
        sums = device.empty((scan.chunks, B, u.shape[2]), scan.carry)
        gb = device.empty(b.shape, dtype)
    device.launch(module, scan.launches(
        gates + (c, gh, gc, gc_last, gu, sums, gc0), gc_last, device.empty))
    if b is not None:
        columns = gb.size
        device.launch(module, plans.sum_rows(
            sums, gb, sums.size // columns if columns else 0, columns))
    return gu, gb, None if c0 is None else gc0


_C0 = 5  # index of c0 in the arguments that _gates returns


def _gates(device, u, b, c0, lengths, pooling, zoneout, seed, mask):
    """Return a triple: arguments for GATES_PARAMETERS, dtype, (B, T, C)."""
    dtype = u.dtype
    B, T, channels = u.shape
    n_gates = len(GATES[pooling])
    C, rest = divmod(channels, n_gates)
    if rest:
        raise ValueError(
            f'u has {channels} channels, but {pooling!r} pooling needs a '
            f'multiple of {n_gates}, the number of gates')
    u, u_batch, u_row = by_rows(device, u, dtype)
    b_batch = 0
    if b is not None:
        b_batch = channels if b.ndim == 2 else 0
        b = contiguous(device, b, dtype, (B, channels)[2 - b.ndim:], 'b')
    c0 = contiguous(device, c0, dtype, (B, C), 'c0')
    lengths = as_int32(device, lengths, B)
    if mask is not None:
        mask = contiguous(device, mask, bool, (B, T, C), 'mask')
    expected = expected_ratio(zoneout, seed, mask)
    limit = limit_of(zoneout) if mask is None and not expected else -1
    return (u, u_batch, u_row, b, b_batch, c0, lengths, mask,
            signed(seed or 0), limit, expected, B, T, C), dtype, (B, T, C)
