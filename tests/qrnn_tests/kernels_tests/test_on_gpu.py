"""The cases of ``test_on_host`` on a real device, and Chainer's own checks."""
import numpy
import pytest

from chainer import gradient_check
from chainer.backends import cuda
import qrnn
from qrnn.gates import GATES
from qrnn.kernels import cuda as kernels
from qrnn_tests.kernels_tests import cases


cupy = cuda.cupy

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not (cuda.available and cupy.is_available()),
                       reason='needs a GPU'),
]


@pytest.mark.parametrize('case', list(cases.cover(
    cases.STRNN, ('dtype', 'regime', 'reverse'), 10 ** 7)), ids=cases.name_of)
def test_strnn(case):
    cases.check_strnn(case, kernels.device, cupy.asarray, cuda.to_cpu)


@pytest.mark.parametrize('case', list(cases.cover(
    cases.POOLING, ('pooling', 'dtype', 'regime'), 10 ** 7)),
    ids=cases.name_of)
def test_pooling(case):
    cases.check_pooling(case, kernels.device, cupy.asarray, cuda.to_cpu)


@pytest.mark.parametrize('shape', [(20, 105, 640), (1, 131072, 512),
                                   (128, 512, 512)])
def test_real_sizes(shape):
    B, T, C = shape
    u = cupy.random.uniform(-2, 2, (B, T, 3 * C)).astype('f')
    h, c, c_last = kernels.pooling_forward(u, zoneout=.1, seed=3)
    some = numpy.s_[-1:, :, C - 2:]
    mask = kernels.zoneout_mask(3, .1, shape, cupy)
    gates = [u[:, :, g * C:(g + 1) * C][some] for g in range(3)]
    expected = qrnn.functions.pooling.qrnn_pooling_ref(
        cupy.concatenate(gates, 2).get(), mask=mask[some].get())
    for a, e in zip((h[some], c[some], c_last[-1:, C - 2:]), expected):
        numpy.testing.assert_allclose(a.get(), e, atol=1e-5)


def test_offsets_beyond_32_bits():
    B, T, C = 3, 1024, 2 ** 20
    if cupy.cuda.Device().mem_info[0] < 40 << 30:
        pytest.skip('needs 40 GiB of free memory on the GPU')
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
