"""Test index arithmetic with arrays of 130 GB, stored in sparse files."""
import shutil

import chainer
import numpy
import pytest

from qrnn.functions.pooling import qrnn_pooling
from qrnn.kernels import cuda as kernels
from qrnn.kernels import philox
from qrnn.kernels.cuda import plans
from qrnn_tests.kernels_tests import host_device
from qrnn_tests.kernels_tests.host_device import KernelError
from qrnn_tests.kernels_tests.host_device import LargeDevice
from qrnn_tests.kernels_tests.test_faults import Edit


pytestmark = pytest.mark.skipif(
    host_device.compiler is None, reason='needs g++')

# Offsets and Philox counters exceed 2 ** 32. A counter serves four steps.
SHAPE = B, T, C = 5, 128, 2 ** 25
LAST = 32  # number of channels to check, all computed by the last block
ZONEOUT, SEED = .3, 12345


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)


def check(folder, regime, edit=None):
    random = numpy.random.RandomState(0)
    device = LargeDevice(folder, edit)
    u, gh = (device.empty((B, T, n * C), 'e') for n in (3, 1))
    for array in u, gh:
        for part in _ends(array):
            part[...] = random.normal(size=part.shape)
    settings = None, None, None, 'fo', ZONEOUT, SEED, None
    options = {'regime': regime, 'device': device}
    h, c, _ = kernels.pooling_forward(u, *settings, **options)
    gu, _, _ = kernels.pooling_backward(
        u, *settings, c, gh, None, None, **options)

    groups = T // 4
    counters = ((B - 1) * groups + numpy.arange(groups)[:, None]) * C + (
        C - LAST + numpy.arange(LAST))
    assert counters.min() > 2 ** 32
    words = numpy.stack(philox.philox(counters, SEED), axis=1)
    mask = words.reshape(1, T, LAST) <= philox.limit_of(ZONEOUT)
    v = chainer.Variable(_last(u).astype('d'))
    ys = qrnn_pooling(v, mask=mask)
    gv, = chainer.grad(
        ys[:1], [v], [chainer.Variable(_last(gh).astype('d'))])
    for actual, expected in zip((h, c, gu), (*ys[:2], gv)):
        numpy.testing.assert_allclose(
            _last(actual), expected.array, atol=4e-3)


def _ends(array):
    return [array[-1:, :, end - LAST:end]
            for end in range(C, array.shape[2] + 1, C)]


def _last(array):
    return numpy.concatenate(_ends(array), axis=2)


@pytest.mark.parametrize('regime', plans.REGIMES)
def test_large(regime, folder):
    check(folder, regime)


@pytest.mark.parametrize('old, new', [
    ('philox((batch * groups + t / 4) * C', 'philox((int) (batch * groups) '
     '* (unsigned) C + t / 4 * C'),
    ('const Index start = batch * T * C', 'const int start = batch * T * C'),
    ('(long long) t * row_bytes', 't * row_bytes'),
])
def test_fault(old, new, folder):
    with pytest.raises((AssertionError, KernelError)):
        check(folder, 'block_scan', Edit(old, new))


def check_dropout(folder, edit=None):
    device = LargeDevice(folder, edit)
    x = device.empty((5 * 2 ** 32,), 'e')
    quarter = philox.CHUNK // 4
    x[-philox.CHUNK:] = 1
    y = kernels.dropout(x, .25, SEED, device=device)
    # Only the last block runs. It computes the last elements of each quarter
    # of the chunk, because each thread computes one element per quarter.
    counters = x.size // 4 - LAST + numpy.arange(LAST)
    assert counters.min() > 2 ** 32
    words = numpy.stack(philox.philox(counters, SEED))
    numpy.testing.assert_array_equal(
        y[-philox.CHUNK:].reshape(4, quarter)[:, -LAST:],
        (words > philox.limit_of(.25)) * numpy.float16(1 / .75))


def test_large_dropout(folder):
    check_dropout(folder)


@pytest.mark.parametrize('old, new', [
    ('(Index) blockIdx.x * blockDim.x', 'blockIdx.x * blockDim.x'),
    ('const Index at = first', 'const unsigned at = first'),
])
def test_fault_of_dropout(old, new, folder):
    with pytest.raises((AssertionError, KernelError)):
        check_dropout(folder, Edit(old, new))
