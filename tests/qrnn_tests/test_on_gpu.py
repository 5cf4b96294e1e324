"""Tests that need one or two GPUs."""
import warnings

import chainer
from chainer.backends import cuda
import chainer.functions as F
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import functions
from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal


pytestmark = pytest.mark.gpu
cupy = cuda.cupy


# Each value is a pair: a function of Variables, and the shapes of its inputs.
FUNCTIONS = {
    'attention_sum': (
        lambda e, q: functions.attention_sum(e, q, [5, 3]),
        [(2, 5, 4), (2, 3, 4)]),
    'last_steps': (
        lambda x: functions.last_steps(x, 2, lengths=[5, 1]), [(2, 5, 3)]),
    'lstm': (
        lambda u, W: functions.lstm(u, W, lengths=[5, 3])[0],
        [(2, 5, 12), (12, 3)]),
    'masked_convolution': (
        lambda x, W: functions.masked_convolution(x, W, lengths=[5, 3]),
        [(2, 5, 3), (2, 3, 4)]),
    'qrnn_pooling': (
        lambda u: functions.qrnn_pooling(u, lengths=[5, 3])[0], [(2, 5, 9)]),
    'reverse_sequences': (
        lambda x: functions.reverse_sequences(x, [5, 3]), [(2, 5, 3)]),
    'strnn': (functions.strnn, [(2, 5, 3), (2, 5, 3)]),
    'unpad_sequence': (
        lambda x: functions.unpad_sequence(x, [5, 3])[1], [(2, 5, 3)]),
}


def count_devices():
    try:
        return cupy.cuda.runtime.getDeviceCount()
    except Exception:  # CuPy or the driver is missing
        return 0


@pytest.mark.parametrize('to_lengths', [
    list, numpy.array, lambda lengths: cupy.array(lengths)])
@pytest.mark.parametrize('to_indices', [
    list, numpy.array, lambda indices: cupy.array(indices)])
@pytest.mark.parametrize('kind', [QRNNLayer, LSTMLayer])
def test_reorder_state(kind, to_indices, to_lengths):
    layer = kind(3, 4, attention=True)
    encoder_h, lengths = numpy.random.rand(2, 5, 4).astype('f'), [5, 3]
    x, y = numpy.random.rand(2, 4, 2, 3).astype('f')[:, :, 0]

    def run(xp, lengths, *indices):
        layer.init(encoder_h=xp.asarray(encoder_h), lengths=lengths)
        layer(xp.asarray(x[:2]))
        for each in indices:
            layer.reorder_state(each)
        return cuda.to_cpu(layer(xp.asarray(y[:2])).array)

    expected = run(numpy, lengths, [1, 1], [0, 1])
    layer.to_device('@cupy:0')
    actual = run(cupy, to_lengths(lengths),
                 to_indices([1, 1]), to_indices([0, 1]))
    assert_equal(actual, expected, 1e-5)
    layer.to_device('@numpy')  # moves both parameters and state
    assert layer(y[:2]).shape == (2, 4)


@pytest.mark.skipif(count_devices() < 2, reason='needs two GPUs')
@pytest.mark.parametrize('make', [
    lambda: QRNNLayer(3, 4, 2), lambda: LSTMLayer(3, 4),
    lambda: QRNNStack(2, 3, 4, attention=True),
    lambda: LSTMStack(2, 3, 4, attention=True),
    lambda: BiQRNNLayer(3, 4, 2), lambda: NStepQRNN(2, 3, 4, 0.)])
def test_other_device(make):
    link, lengths = make(), [5, 3]
    link.to_device('@cupy:1')
    with chainer.using_device('@cupy:1'):
        x = cupy.random.rand(2, 5, 3).astype('f')
        encoder_h = cupy.random.rand(2, 5, 4).astype('f')
    with chainer.using_device('@cupy:0'):
        if isinstance(link, NStepQRNN):
            y = link(None, None, [x[0, :5], x[1, :3]])[-1][1]
        else:
            for _ in range(2):
                if getattr(link, 'attention', False) or hasattr(
                        link, 'encode'):
                    states = [encoder_h] * 2
                    link.init(encoder_h=states, lengths=lengths)
                y = link(x, lengths)
        F.sum(y).backward()
        assert y.array.device.id == 1
        for param in link.params():
            assert param.grad is None or param.grad.device.id == 1


@pytest.mark.skipif(count_devices() < 2, reason='needs two GPUs')
@pytest.mark.parametrize('name', list(FUNCTIONS))
def test_arrays_on_other_device(name):
    function, shapes = FUNCTIONS[name]
    arrays = [numpy.random.rand(*shape) for shape in shapes]

    def run(device):
        with chainer.using_device(device):
            inputs = [chainer.Variable(device.send(a)) for a in arrays]
        y = function(*inputs)
        F.sum(y * y).backward(enable_double_backprop=True)
        grads = [x.grad_var for x in inputs]
        for x in inputs:
            x.cleargrad()
        sum(F.sum(g * g) for g in grads).backward()
        return [y.array] + [x.grad for x in inputs]

    expected = run(chainer.get_device('@numpy'))
    with chainer.using_device('@cupy:0'):
        actual = run(chainer.get_device('@cupy:1'))
    for a, b in zip(actual, expected):
        assert a.device.id == 1
        assert_equal(cuda.to_cpu(a), b, 1e-5)


@pytest.mark.skipif(count_devices() < 2, reason='needs two GPUs')
def test_zoneout_on_the_device_of_the_gates():
    f = chainer.get_device('@cupy:1').send(numpy.zeros((2, 3), 'f'))
    with chainer.using_device('@cupy:0'), chainer.using_config('train', True):
        assert functions.zoneout(f, 1.).array.device.id == 1


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_packed_nccl_gradients(dtype):
    """ChainerMN's CUDA kernels compile and give correct results."""
    utility = pytest.importorskip(
        'chainermn.communicators._memory_utility', exc_type=ImportError)
    params = [chainer.Parameter(numpy.random.rand(*shape).astype('f'))
              for shape in ((2, 3), (5,))]
    for param in params:
        param.to_device('@cupy:0')
        param.grad = param.array * 2
    attribute = 'grad'
    data = utility.ParamsData(params, attribute, False)
    buffer = utility.DeviceMemory()
    buffer.assign(numpy.dtype(dtype).itemsize * 11)
    utility._batched_pack_params(data, buffer, numpy.dtype(dtype))
    packed = buffer.array(11, dtype=numpy.dtype(dtype))
    flat = numpy.concatenate([p.array.get().ravel() * 2 for p in params])
    assert_equal(packed.get(), flat.astype(dtype), 2e-3)
    packed /= 2
    utility._batched_unpack_params(data, buffer, numpy.dtype(dtype))
    for param in params:
        assert_equal(param.grad.get(), param.array.get(), 2e-3)


@pytest.mark.skipif(getattr(cupy, '__version__', '14') < '14',
                    reason='CuPy 13 does not warn')
def test_no_warning_for_gradient_of_indexing():
    x = chainer.Variable(cupy.zeros((3, 2), 'f'))
    y = x[cupy.array([0, 2, 2])]
    with warnings.catch_warnings(action='error'):
        F.sum(y).backward()
    assert_equal(cuda.to_cpu(x.grad), numpy.array([[1, 1], [0, 0], [2, 2]]))
