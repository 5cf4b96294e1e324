"""Tests of functions with CUDA kernels on machines without a GPU.

The inputs are NumPy arrays, and the CUDA kernels are compiled for the CPU.
Everything except the kernel launch is the same as on a GPU.
"""
import functools
import types

import chainer
from chainer import gradient_check
import numpy
import pytest

from qrnn import kernels
from qrnn import qrnn_pooling
from qrnn import qrnn_pooling_ref
from qrnn import strnn
from qrnn import strnn_ref
from qrnn.kernels import cuda
from qrnn.kernels import dispatch
from qrnn.kernels import philox
from qrnn_tests.helpers import uniform
from qrnn_tests.kernels_tests import host_device


pytestmark = pytest.mark.skipif(
    host_device.compiler is None, reason='needs g++')

EXACT = {'dtype': 'd', 'atol': 1e-5, 'rtol': 1e-5}


@pytest.fixture
def device(monkeypatch):
    device = host_device.HostDevice('shuffled')
    backend = types.SimpleNamespace(
        zoneout_mask=philox.zoneout_mask, **{
            name: functools.partial(getattr(cuda, name), device=device)
            for name in ('strnn_forward', 'strnn_backward',
                         'pooling_forward', 'pooling_backward')})
    monkeypatch.setattr(dispatch, 'backend_of', lambda array: backend)
    return device


@pytest.mark.parametrize('reverse', [False, True])
def test_strnn(device, reverse):
    inputs = [uniform(*shape, dtype='d')
              for shape in ((2, 9, 3), (2, 9, 3), (2, 3))]

    def run(f, x, h0):
        return strnn(f, x, h0, reverse)

    h = run(*inputs)
    numpy.testing.assert_allclose(h.array, strnn_ref(*inputs, reverse))
    gradient_check.check_backward(run, inputs, h.array, **EXACT)
    gradient_check.check_double_backward(
        run, inputs, h.array, inputs, **EXACT)
    assert {'strnn_forward_block_scan', 'strnn_backward_block_scan'} <= set(
        device.kernels)


@pytest.mark.parametrize('lengths', [None, [9, 4]])
@pytest.mark.parametrize('pooling, n_gates', [
    ('f', 2), ('fo', 3), ('if', 3), ('ifo', 4)])
def test_qrnn_pooling(device, pooling, n_gates, lengths):
    inputs = [uniform(*shape, dtype='d') for shape in (
        (2, 9, n_gates * 3), (n_gates * 3,), (2, 3))]
    mask = numpy.random.RandomState(0).rand(2, 9, 3) < .3

    def run(u, b, c0):
        return qrnn_pooling(u, b, c0, lengths, pooling, mask=mask)

    outputs = [y.array for y in run(*inputs)]
    expected = qrnn_pooling_ref(*inputs, lengths, pooling, mask=mask)
    for y, e in zip(outputs, expected):
        numpy.testing.assert_allclose(y, e, atol=1e-12)
    gradient_check.check_backward(run, inputs, outputs, **EXACT)
    gradient_check.check_double_backward(
        run, inputs, outputs, inputs, **EXACT)
    assert set(device.kernels) >= {
        'pooling_forward_block_scan', 'pooling_backward_block_scan'}


@pytest.mark.parametrize('pooling, activations', [
    ('fo', {'z': 'identity', 'o': 'tanh'})])
def test_activations(device, pooling, activations):
    inputs = [uniform(*shape, dtype='d')
              for shape in ((2, 9, 9), (9,), (2, 3))]

    def run(u, b, c0):
        return qrnn_pooling(
            u, b, c0, [9, 4], pooling, activations=activations)

    outputs = [y.array for y in run(*inputs)]
    expected = qrnn_pooling_ref(
        *inputs, [9, 4], pooling, activations=activations)
    for y, e in zip(outputs, expected):
        numpy.testing.assert_allclose(y, e, atol=1e-12)
    gradient_check.check_backward(run, inputs, outputs, **EXACT)
    assert device.kernels


@pytest.mark.parametrize('train', [True, False])
def test_zoneout_is_drawn_once(device, train):
    """Gradients use the forward mask, with and without double backprop."""
    u = chainer.Variable(uniform(2, 9, 9, dtype='d'))
    numpy.random.seed(3)
    seed = numpy.random.randint(2 ** 63 - 1, dtype=numpy.int64)
    numpy.random.seed(3)
    with chainer.using_config('train', train):
        h, _, _ = qrnn_pooling(u, zoneout=.5)
    mask = kernels.zoneout_mask(int(seed), .5, (2, 9, 3)) if train else None
    expected, _, _ = qrnn_pooling_ref(u.array, mask=mask)
    numpy.testing.assert_allclose(h.array, expected, atol=1e-12)

    gu, = chainer.grad([h], [u], [h])
    by_parts, = chainer.grad([h], [u], [h], enable_double_backprop=True)
    numpy.testing.assert_allclose(gu.array, by_parts.array, atol=1e-12)
