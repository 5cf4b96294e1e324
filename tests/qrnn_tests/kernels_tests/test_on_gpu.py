"""Test the kernels on a GPU, and check their gradients numerically."""
import os

import chainer
import numpy
import pytest

from chainer import gradient_check
from chainer.backends import cuda
import qrnn
from qrnn.gates import GATES
from qrnn.kernels import cuda as kernels
from qrnn_tests.kernels_tests import cases
from qrnn_tests.kernels_tests import covering
from qrnn_tests.kernels_tests import loss_cases
from qrnn_tests.kernels_tests import step_cases


cupy = cuda.cupy

pytestmark = pytest.mark.gpu

if not (cuda.available and cupy.is_available()):
    # Skip the module before it selects cases, which takes time.
    pytest.skip('needs a GPU', allow_module_level=True)


@covering.parametrize(cases.STRNN, 'dtype', 'regime', 'reverse', most=10 ** 7)
def test_strnn(case):
    cases.check_strnn(case, kernels.device, cupy.asarray, cuda.to_cpu)


@covering.parametrize(
    cases.POOLING, 'pooling', 'dtype', 'regime', most=10 ** 7)
def test_pooling(case):
    cases.check_pooling(case, kernels.device, cupy.asarray, cuda.to_cpu)


@covering.parametrize(cases.WINDOWS, 'dtype', 'k', 'lookahead')
def test_windows(case):
    cases.check_windows(case, kernels.device, cupy.asarray, cuda.to_cpu)


@covering.parametrize(cases.LSTM, 'dtype', 'lengths')
def test_lstm(case):
    cases.check_lstm(case, kernels.device, cupy.asarray, cuda.to_cpu)


@covering.parametrize(loss_cases.DROPOUT, 'dtype', 'ratio')
def test_dropout(case):
    loss_cases.check_dropout(case, kernels.device, cupy.asarray, cuda.to_cpu)


@covering.parametrize(loss_cases.SOFTMAX, 'dtype', 'ignored')
def test_softmax(case):
    loss_cases.check_softmax(case, kernels.device, cupy.asarray, cuda.to_cpu)


@covering.parametrize(step_cases.STEP, 'pooling', 'dtype')
def test_step(case):
    step_cases.check_step(case, kernels.device, cupy.asarray, cuda.to_cpu)


@covering.parametrize(loss_cases.ATTENTION, 'dtype', 'lengths')
def test_attention(case):
    loss_cases.check_attention(
        case, kernels.device, cupy.asarray, cuda.to_cpu)


def test_not_finite():
    loss_cases.check_not_finite(kernels.device, cupy.asarray, cuda.to_cpu)


def test_rounding():
    cases.check_rounding(kernels.device, cupy.asarray, cuda.to_cpu)


@pytest.mark.parametrize('shape', [(20, 105, 640), (1, 131072, 512),
                                   (128, 512, 512)])
def test_real_sizes(shape):
    B, T, C = shape
    u = cupy.random.uniform(-2, 2, (B, T, 3 * C)).astype('f')
    gh = cupy.random.uniform(-1, 1, shape).astype('f')
    settings = None, None, None, 'fo', .1, 3, None
    h, c, c_last = kernels.pooling_forward(u, *settings)
    gu, _, _ = kernels.pooling_backward(u, *settings, c, gh, None, None)

    def some(array):
        # Return the last two channels of each gate for the last sequence.
        return numpy.concatenate([
            array[-1:, :, end - 2:end].get()
            for end in range(C, array.shape[2] + 1, C)], axis=2)

    mask = kernels.zoneout_mask(3, .1, shape)
    v = chainer.Variable(some(u).astype('d'))
    expected = qrnn.functions.qrnn_pooling(v, mask=some(mask))
    expected_gu, = chainer.grad(
        [expected[0]], [v], [chainer.Variable(some(gh).astype('d'))])
    for a, e in zip((h, c, gu), (*expected[:2], expected_gu)):
        numpy.testing.assert_allclose(some(a), e.array, atol=2e-5)
    numpy.testing.assert_allclose(
        c_last.get(), c[:, -1].get(), rtol=0, atol=1e-6)


def test_offsets_beyond_32_bits():
    B, T, C = 3, 1024, 2 ** 20
    # An emulated GPU uses the memory of the host.
    free = os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    if min(cupy.cuda.Device().mem_info[0], free) < 40 << 30:
        pytest.skip('needs 40 GiB of free memory, of the GPU and the host')
    x = cupy.zeros((B, T, C), 'e')
    x[-1, -1, -1] = 1
    f = cupy.ones((B, T, C), 'e')
    h = kernels.strnn_forward(f, x)
    assert h[-1, -1, -1] == 1 and h[-1, -2, -1] == 0 and h[0, 0, 0] == 0


def test_runs_on_the_current_stream():
    f = cupy.full((1, 1000, 64), .5, 'f')
    with cupy.cuda.Stream(non_blocking=True) as stream:
        h = kernels.strnn_forward(f, f)
        stream.synchronize()
    numpy.testing.assert_allclose(h[:, -1].get(), 1)


@pytest.mark.parametrize('T', [1, 17, 300])
@pytest.mark.parametrize('reverse', [False, True])
def test_gradients_of_strnn(T, reverse):
    f, x, gh = [cupy.random.uniform(-1, 1, (2, T, 3)) for _ in range(3)]
    h0 = cupy.random.uniform(-1, 1, (2, 3))
    gradient_check.check_backward(
        lambda *xs: qrnn.strnn(*xs, reverse=reverse), (f, x, h0), gh,
        dtype='d', atol=1e-5, rtol=1e-5)
    gradient_check.check_double_backward(
        lambda *xs: qrnn.strnn(*xs, reverse=reverse), (f, x, h0), gh,
        (f, x, h0), dtype='d', atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('T', [1, 17, 300])
@pytest.mark.parametrize('pooling', GATES)
def test_gradients_of_pooling(T, pooling):
    B, C = 2, 3
    channels = len(GATES[pooling]) * C
    u = cupy.random.uniform(-1, 1, (B, T, channels))
    b = cupy.random.uniform(-1, 1, channels)
    c0, gc_last = [cupy.random.uniform(-1, 1, (B, C)) for _ in range(2)]
    gh, gc = [cupy.random.uniform(-1, 1, (B, T, C)) for _ in range(2)]
    mask = cupy.random.uniform(size=(B, T, C)) < .3

    def pool(u, b, c0):
        return qrnn.functions.qrnn_pooling(
            u, b, c0, lengths=[T, T // 2], pooling=pooling, mask=mask)

    options = {'dtype': 'd', 'atol': 1e-5, 'rtol': 1e-5}
    gradient_check.check_backward(
        pool, (u, b, c0), (gh, gc, gc_last), **options)
    gradient_check.check_double_backward(
        pool, (u, b, c0), (gh, gc, gc_last), (u, b, c0), **options)


@pytest.mark.parametrize('kind, launches, products', [
    # One of the launches copies the last inputs into the state.
    (qrnn.QRNNLayer, 7, 3),
    # Every step needs two launches and two matrix products.
    (qrnn.LSTMLayer, 2 * 9 + 10, 2 * 9 + 4)])
def test_launches(kind, launches, products):
    """Forward and backward passes of nine steps need few launches."""
    virtual_gpu = pytest.importorskip(
        'virtual_gpu', reason='only an emulated GPU counts its launches')
    layer = kind(8, 12)
    layer.to_device('@cupy:0')
    gy = cupy.ones((3, 9, 12), 'f')
    for _ in range(2):  # the first call initializes and compiles
        layer.reset_state()
        layer.cleargrads()
        x = chainer.Variable(cupy.ones((3, 9, 8), 'f'))
        with virtual_gpu.counting() as counts:
            y = layer(x)
            y.grad = gy
            y.backward()
    assert counts['launches'] <= launches
    assert counts['products'] <= products
    assert counts['host_to_device'] == counts['synchronisations'] == 0
