"""Test cases of a single time step of a QRNN."""
import numpy

from qrnn.functions.masked_convolution import masked_convolution_ref
from qrnn.functions.pooling import qrnn_pooling_ref
from qrnn.functions.qrnn_step import qrnn_step_ref
from qrnn.gates import ACTIVATIONS
from qrnn.gates import GATES
from qrnn.kernels import philox
from qrnn_tests.kernels_tests.cases import backend
from qrnn_tests.kernels_tests.cases import TOLERANCE


STEP = {
    'pooling': list(GATES), 'dtype': list(TOLERANCE), 'k': [1, 2, 5],
    'rows': [0, 1, 3, 130], 'n': [1, 7, 130], 'C': [1, 7, 33],
    'x0': [True, False], 'c0': [True, False], 'b': [None, 'shared', 'each'],
    'zoneout': [None, 'expectation', 'seed'], 'gated': [True, False],
    'strided': [False, True]}


def check_step(case, device=None, to_device=lambda a: a,
               to_host=lambda a: a):
    """Compare the forward pass of a step with the reference."""
    kernels, options = backend(device)
    random = numpy.random.RandomState(1)
    B, n, C, k = case.rows, case.n, case.C, case.k
    channels = len(GATES[case.pooling]) * C
    gated = case.gated or 'o' not in case.pooling
    x, W, b, c0, x0 = given = [
        None if shape is None else random.uniform(-1, 1, shape).astype(
            case.dtype) for shape in (
            (B, n), (k, n, channels),
            {None: None, 'shared': (channels,), 'each': (B, channels)}[case.b],
            (B, C) if case.c0 else None,
            (B, k - 1, n) if case.x0 else None)]
    W /= n * k
    inputs = [None if a is None else to_device(a) for a in given]
    if case.strided:
        inputs[0] = to_device(numpy.hstack([x * numpy.nan, x]))[:, n:]
    ratio = .3 if case.zoneout else 0.
    seed = None if case.zoneout == 'expectation' else 2 ** 63 + 12345
    h, c, x_last, window, u = map(to_host, kernels.step_forward(
        *inputs, case.pooling, ratio, seed, ACTIVATIONS, gated, **options))
    mask = None if seed is None else philox.zoneout_mask(
        seed, ratio, (B, 1, C))
    h_ref, _, c_ref = qrnn_pooling_ref(
        masked_convolution_ref(x[:, None], W, x0), b, c0, None, case.pooling,
        ratio, mask, None, seed is None, gated)
    _, _, x_ref = qrnn_step_ref(*given, case.pooling)
    for y, e in (h, h_ref[:, 0]), (c, c_ref), (x_last, x_ref):
        assert y.dtype == case.dtype
        numpy.testing.assert_allclose(
            y, e, rtol=0, atol=TOLERANCE[case.dtype])
    numpy.testing.assert_allclose(
        u, window.astype('d') @ W.reshape(k * n, channels).astype('d'),
        rtol=0, atol=TOLERANCE[case.dtype])
    for array, original in zip(inputs, given):
        if array is not None:
            numpy.testing.assert_array_equal(to_host(array), original)
