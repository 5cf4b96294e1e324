import chainer
from chainer.link_hooks import SpectralNormalization
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import BiQRNNStack
from qrnn import interop
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform
from qrnn_tests.interop_tests.pytorch_layers import assert_same
from qrnn_tests.interop_tests.pytorch_layers import both_directions
from qrnn_tests.interop_tests.pytorch_layers import fastai
from qrnn_tests.interop_tests.pytorch_layers import fastai_bidirectional
from qrnn_tests.interop_tests.pytorch_layers import torchqrnn
from qrnn_tests.interop_tests.pytorch_layers import weights


T, B = 9, 3


@pytest.mark.parametrize('output_gate', [True, False])
@pytest.mark.parametrize('windows', [(1,), (2,), (1, 1, 1), (2, 2), (2, 1)])
@pytest.mark.parametrize('n, m', [(1, 1), (4, 4), (5, 3), (2, 7)])
def test_torchqrnn(n, m, windows, output_gate):
    arrays = weights([n] + [m] * len(windows), windows, output_gate)
    x = expected = uniform(T, B, n)
    last = []
    for i, window in enumerate(windows):
        expected, hidden = torchqrnn(
            expected, arrays[f'layers.{i}.linear.weight'],
            arrays[f'layers.{i}.linear.bias'], window, output_gate)
        last.append(hidden)

    stack = interop.from_state_dict(arrays, n, output_gate)
    assert [layer.kernel_size for layer in stack] == list(windows)
    h = stack(x.swapaxes(0, 1))
    assert h.dtype == numpy.float64
    assert_equal(h, expected.swapaxes(0, 1))
    assert_equal([layer.state.c for layer in stack], last)
    assert_same(interop.to_state_dict(stack), arrays)

    rnn = interop.from_state_dict(arrays, n, output_gate, kind=NStepQRNN)
    _, cy, ys = rnn(None, None, list(x.swapaxes(0, 1)))
    assert_equal(ys, list(expected.swapaxes(0, 1)))
    assert_equal(cy, numpy.stack(last))
    assert_same(interop.to_state_dict(rnn), arrays)


@pytest.mark.parametrize('output_gate', [True, False])
@pytest.mark.parametrize('kind', [QRNNStack, NStepQRNN, QRNNLayer])
def test_zoneout_in_evaluation(kind, output_gate):
    arrays = weights([4, 4], [2], output_gate)
    x = uniform(T, B, 4)
    expected, hidden = torchqrnn(
        x, *arrays.values(), 2, output_gate, zoneout=.3)
    link = interop.from_state_dict(
        arrays, 4, output_gate, kind=kind, zoneout=.3,
        zoneout_expectation=True)
    with chainer.using_config('train', False):
        if kind is NStepQRNN:
            _, c, ys = link(None, None, list(x.swapaxes(0, 1)))
            h = numpy.stack([y.array for y in ys])
        else:
            h = link(x.swapaxes(0, 1))
            c = link.state.c if kind is QRNNLayer else link[0].state.c
    assert_equal(h, expected.swapaxes(0, 1))
    assert_equal(c, hidden[None] if kind is NStepQRNN else hidden)
    assert_same(interop.to_state_dict(link), arrays)


@pytest.mark.parametrize('window', [1, 2])
def test_initial_hidden_state(window):
    arrays = weights([3, 4], [window], True)
    x, hidden = uniform(T, B, 3), uniform(B, 4)
    expected, _ = torchqrnn(x, *arrays.values(), window, True, hidden)
    rnn = interop.from_state_dict(arrays, 3, True, kind=NStepQRNN)
    _, _, ys = rnn(None, hidden[None], list(x.swapaxes(0, 1)))
    assert_equal(ys, list(expected.swapaxes(0, 1)))


@pytest.mark.parametrize('style, names', [
    ('fastai', ('rnns.{}.layers.0.linear.weight_raw',
                'rnns.{}.layers.0.linear.module.bias')),
    ('awd-lstm-lm', ('rnns.{}.linear.module.weight_raw',
                     'rnns.{}.linear.module.bias'))])
@pytest.mark.parametrize('prefix', ['', '0.', '0.module.'])
def test_language_models(style, names, prefix):
    """Layers of different sizes are read, and unrelated arrays are ignored."""
    names = [prefix + name for name in names]
    windows, sizes = (2, 1, 1), (4, 6, 6, 4)
    layers = weights(sizes, windows, True, *names)
    if style == 'fastai':
        # fastai stores each weight twice: before and after dropout.
        layers.update({
            name.replace('weight_raw', 'module.weight'): array.copy()
            for name, array in layers.items() if 'raw' in name})
    arrays = dict(layers, **{prefix + 'encoder.weight': uniform(10, 4),
                             '1.decoder.bias': uniform(10)})
    stack = interop.from_state_dict(arrays, 4)
    x = uniform(B, T, 4)
    assert_equal(stack(x), fastai(x, arrays, *names, windows, True))
    assert_same(interop.to_state_dict(stack, style, prefix), layers)


def test_copy_with_dropout_is_not_read():
    names = ('rnns.{}.layers.0.linear.weight_raw',
             'rnns.{}.layers.0.linear.module.bias')
    arrays = weights([3, 4], [1], True, *names)
    copy = 'rnns.0.layers.0.linear.module.weight'
    stack = interop.from_state_dict(
        dict(arrays, **{copy: numpy.zeros((12, 3))}), 3, True)
    written = interop.to_state_dict(stack, 'fastai')
    assert_equal(written[copy], arrays[names[0].format(0)], atol=0)


@pytest.mark.parametrize('dtype', [numpy.float16, numpy.float32])
@pytest.mark.parametrize('kind', ['.npz', '.safetensors'])
def test_files(tmp_path, dtype, kind):
    if kind == '.safetensors':
        pytest.importorskip('safetensors')
    arrays = weights([3, 4, 4], [2, 1], True, dtype=dtype)
    arrays['layers.0.linear.bias'][:3] = 0., -0., numpy.finfo(dtype).tiny
    one, other = str(tmp_path / ('a' + kind)), str(tmp_path / ('b' + kind))
    interop.write_arrays(one, arrays)
    stack = interop.from_state_dict(one, 3)
    assert stack[0].W.dtype == dtype
    interop.write_arrays(other, interop.to_state_dict(stack))
    assert_same(interop.read_arrays(other), arrays)


def test_dtype_is_converted():
    arrays = weights([3, 4], [2], True)
    layer = QRNNLayer(None, 4)
    interop.load_state_dict(arrays, layer)
    assert layer.W.dtype == numpy.float32 and layer.W.shape[1] == 3
    x = uniform(B, T, 3, dtype=numpy.float32)
    expected, _ = torchqrnn(x.swapaxes(0, 1), *arrays.values(), 2, True)
    assert_equal(layer(x).array, expected.swapaxes(0, 1), atol=1e-6)


@pytest.mark.parametrize('output_gate', [True, False])
@pytest.mark.parametrize('windows', [(2,), (2, 1), (2, 2), (1, 1, 1)])
def test_both_directions(windows, output_gate):
    """Outputs match fastai's formulae; gradients match finite differences."""
    arrays = both_directions(
        [3] + len(windows) * [4], windows, output_gate)
    rnn = interop.from_state_dict(arrays, 3, output_gate)
    assert isinstance(rnn, BiQRNNStack)
    x, gh = uniform(B, T, 3), uniform(B, T, 8)
    assert_equal(rnn(x), fastai_bidirectional(x, arrays, windows, output_gate))
    assert_same(interop.to_state_dict(rnn), arrays)

    def loss(x, arrays):
        h = fastai_bidirectional(x, arrays, windows, output_gate)
        return (h * gh).sum()

    def slope(function, eps=1e-6):
        return (function(eps) - function(-eps)) / (2 * eps)

    variable = chainer.Variable(x)
    rnn.cleargrads()
    h = rnn(variable)
    h.grad = gh
    h.backward()
    direction = uniform(*x.shape)
    numpy.testing.assert_allclose(
        (variable.grad * direction).sum(),
        slope(lambda eps: loss(x + eps * direction, arrays)), rtol=1e-7)
    # Gradients are converted in the same way as weights.
    grads = rnn.copy(mode='copy')
    for param, source in zip(grads.params(), rnn.params()):
        param.array[...] = source.grad
    for name, grad in interop.to_state_dict(grads).items():
        direction = uniform(*grad.shape)
        numpy.testing.assert_allclose(
            (grad * direction).sum(), slope(lambda eps: loss(
                x, dict(arrays, **{name: arrays[name] + eps * direction}))),
            rtol=1e-6, atol=1e-9)


def test_one_layer_in_both_directions():
    arrays = both_directions([3, 5], [2], prefix='encoder.')
    with chainer.using_config('dtype', numpy.float64):
        layer = BiQRNNLayer(3, 5)
    interop.load_state_dict(arrays, layer)
    stack = interop.from_state_dict(arrays, 3)
    x = uniform(B, T, 3)
    assert_equal(layer(x), stack(x))
    assert_same(interop.to_state_dict(layer, prefix='encoder.'), arrays)


@pytest.mark.parametrize('prefix', ['', 'encoder.0.'])
def test_single_layer(prefix):
    arrays = weights([3, 5], [2], True, prefix + 'linear.weight',
                     prefix + 'linear.bias')
    x = uniform(B, T, 3)
    expected, _ = torchqrnn(x.swapaxes(0, 1), *arrays.values(), 2, True)
    layer = interop.from_state_dict(arrays, 3)
    assert isinstance(layer, QRNNLayer)
    for link in layer, interop.from_state_dict(arrays, 3, kind=QRNNStack):
        assert_equal(link(x), expected.swapaxes(0, 1))
        assert_same(
            interop.to_state_dict(link, 'torchqrnn-layer', prefix), arrays)
    with pytest.raises(ValueError, match='a single layer, but the link has 2'):
        interop.to_state_dict(QRNNStack(2, 3, 5), 'torchqrnn-layer')


def test_prefix_of_one_layer():
    arrays = weights([3, 5, 5], [2, 2], True)
    layer = interop.from_state_dict(arrays, 5, prefix='layers.1.')
    assert_same(
        interop.to_state_dict(layer, 'torchqrnn-layer', 'layers.1.'),
        {name: array for name, array in arrays.items() if '.1.' in name})


def test_pytorch_parameters():
    torch = pytest.importorskip('torch')

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(6, 15)

    model = torch.nn.Module()
    model.layers = torch.nn.ModuleList([Layer()])
    parameters = dict(model.named_parameters())
    stack = interop.from_state_dict(parameters, 3)
    assert_same(interop.to_state_dict(stack), {
        name: value.detach().numpy() for name, value in parameters.items()})


def test_other_byte_order():
    arrays = {name: array.astype('>f4') for name, array in weights(
        [3, 5], [2], True).items()}
    stack = interop.from_state_dict(arrays, 3)
    assert stack[0].W.dtype.isnative and stack[0].W.dtype == numpy.float32
    for name, array in interop.to_state_dict(stack).items():
        numpy.testing.assert_array_equal(array, arrays[name])


def test_values_replaced_by_a_hook():
    """If a hook replaces a parameter, the new values are exported."""
    layer, x = QRNNLayer(4, 5), uniform(B, T, 4, dtype=numpy.float32)
    layer.W.array[...] *= 10
    layer.add_hook(SpectralNormalization(20))
    other = interop.from_state_dict(interop.to_state_dict(layer), 4)
    with chainer.using_config('train', False):
        assert_equal(other(x), layer(x), atol=1e-6)


def test_numpy_integers():
    arrays = weights([4, 5, 5], [2, 2], True)
    four, five, two = map(numpy.int64, (4, 5, 2))
    stack = interop.from_state_dict(arrays, four, out_size=five, window=two)
    assert stack[0].W.shape == (2, 4, 15)
    layer = QRNNLayer(four, five, two)
    interop.load_state_dict(weights([4, 5], [2], True), layer)
