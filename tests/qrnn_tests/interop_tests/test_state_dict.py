import chainer
from chainer.link_hooks import SpectralNormalization
from chainer.link_hooks import TimerHook
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import BiQRNNStack
from qrnn import interop
from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform


T, B = 9, 3


def sigmoid(a):
    return 1 / (1 + numpy.exp(-a))


def torchqrnn(x, weight, bias, window, output_gate, hidden=None, zoneout=0.):
    """Compute a layer of torchqrnn in evaluation, ``(T, B, n)``."""
    source = x
    if window == 2:
        previous = numpy.concatenate([0 * x[:1], x[:-1]], 0)
        source = numpy.concatenate([x, previous], 2)
    y = source @ weight.T + bias
    chunks = numpy.split(y, 3 if output_gate else 2, axis=2)
    z, f = numpy.tanh(chunks[0]), sigmoid(chunks[1])
    f *= 1 - zoneout  # f is the weight of the new value
    states = []
    for t in range(len(x)):
        new = f[t] * z[t]
        hidden = new if hidden is None else new + (1 - f[t]) * hidden
        states.append(hidden)
    c = numpy.stack(states)
    return (sigmoid(chunks[2]) * c if output_gate else c), c[-1]


def fastai(x, arrays, weight, bias, windows, output_gate):
    """Compute the layers of fastai, ``(B, T, n)``."""
    for i, window in enumerate(windows):
        y, last = torchqrnn(
            x.swapaxes(0, 1), arrays[weight.format(i)],
            arrays[bias.format(i)], window, output_gate)
        x = y.swapaxes(0, 1)
    return x


def fastai_bidirectional(x, arrays, windows, output_gate):
    """Compute fastai's bidirectional QRNN, which consists of two stacks.

    The layers of the second stack run backwards, and their window contains the
    next step instead of the previous step.
    """
    def backward(x, weight, bias, window):
        source = x
        if window == 2:
            after = numpy.concatenate([x[:, 1:], 0 * x[:, :1]], 1)
            source = numpy.concatenate([x, after], 2)
        y = source @ weight.T + bias
        z, f, *o = numpy.split(y, 3 if output_gate else 2, axis=2)
        z, f = numpy.tanh(z), sigmoid(f)
        c, states = numpy.zeros_like(z[:, 0]), []
        for t in reversed(range(x.shape[1])):
            c = f[:, t] * z[:, t] + (1 - f[:, t]) * c
            states.insert(0, c)
        c = numpy.stack(states, 1)
        return sigmoid(o[0]) * c if output_gate else c

    ahead = fastai(x, arrays, 'layers.{}.linear.weight',
                   'layers.{}.linear.bias', windows, output_gate)
    for i, window in enumerate(windows):
        x = backward(x, arrays[f'layers_bwd.{i}.linear.weight'],
                     arrays[f'layers_bwd.{i}.linear.bias'], window)
    return numpy.concatenate([ahead, x], 2)


def weights(sizes, windows, output_gate, weight='layers.{}.linear.weight',
            bias='layers.{}.linear.bias', dtype=numpy.float64):
    n_gates = 3 if output_gate else 2
    arrays = {}
    for i, (n, m, k) in enumerate(zip(sizes, sizes[1:], windows)):
        arrays[weight.format(i)] = uniform(n_gates * m, k * n, dtype=dtype)
        arrays[bias.format(i)] = uniform(n_gates * m, dtype=dtype)
    return arrays


def assert_same(actual, expected):
    """Check that names, dtypes and bits of arrays are the same."""
    assert set(actual) == set(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert actual[name].shape == array.shape
        assert actual[name].tobytes() == array.tobytes()


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
    """Layers have different sizes, and the file contains other arrays."""
    names = [prefix + name for name in names]
    windows, sizes = (2, 1, 1), (4, 6, 6, 4)
    layers = weights(sizes, windows, True, *names)
    if style == 'fastai':  # a second copy of the weights, with dropout
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


def both_directions(sizes, windows, output_gate=True, prefix=''):
    arrays = {}
    for part in 'layers', 'layers_bwd':
        arrays.update(weights(
            sizes, windows, output_gate, prefix + part + '.{}.linear.weight',
            prefix + part + '.{}.linear.bias'))
    return arrays


@pytest.mark.parametrize('output_gate', [True, False])
@pytest.mark.parametrize('windows', [(2,), (2, 1), (2, 2), (1, 1, 1)])
def test_both_directions(windows, output_gate):
    """Values equal fastai's formulae, gradients their finite differences."""
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


def test_wrong_number_of_directions():
    both = both_directions([3, 4, 4], [2, 1])
    one = weights([3, 4, 4], [2, 1], True)
    for link in QRNNStack(2, 3, 4, (2, 1)), NStepQRNN(
            2, 3, 4, 0., kernel_size=(2, 1)):
        with pytest.raises(ValueError, match='have two directions, but .* has '
                           'one direction'):
            interop.load_state_dict(both, link)
    with pytest.raises(ValueError, match='one direction, but BiQRNNStack'):
        interop.load_state_dict(one, BiQRNNStack(2, 3, 4, (2, 1)))
    with pytest.raises(ValueError, match='kind must be BiQRNNStack, not'):
        interop.from_state_dict(both, 3, kind=QRNNStack)
    with pytest.raises(ValueError, match=r'layers_bwd\.1\.\S* is missing'):
        interop.from_state_dict(
            without(both, 'layers_bwd.1.linear.weight'), 3)
    with pytest.raises(ValueError, match=r'layers_bwd\.2\.\S* belongs to a'):
        interop.from_state_dict(
            dict(both, **{'layers_bwd.2.linear.weight': uniform(12, 4)}), 3)
    with pytest.raises(ValueError, match="'torchqrnn' for a BiQRNNStack"):
        interop.to_state_dict(BiQRNNStack(2, 3, 4), 'fastai')


# Ambiguous shapes

def test_ambiguous_number_of_gates():
    """12 rows are 4 channels with an output gate, or 6 without."""
    arrays = weights([3, 6], [2], False)
    with pytest.raises(ValueError, match=r'\(12, 6\): a layer of 4 channels '
                       'with an output gate, or of 6 channels without'):
        interop.from_state_dict(arrays, 3)
    x = uniform(B, T, 3)
    expected, _ = torchqrnn(
        x.swapaxes(0, 1), *arrays.values(), 2, False)
    for given in {'out_size': 6}, {'output_gate': False}, {'out_size': [6]}:
        stack = interop.from_state_dict(arrays, 3, **given)
        assert_equal(stack(x), expected.swapaxes(0, 1))
    with pytest.raises(ValueError, match=r'needs shape \(3 \* 6, 3\) or'):
        interop.from_state_dict(arrays, 3, True, out_size=6)


@pytest.mark.parametrize('output_gate', [True, False])
def test_next_layer_determines_gates(output_gate):
    arrays = weights([3, 6, 6], [2, 1], output_gate)
    stack = interop.from_state_dict(arrays, 3)
    assert [layer.pooling for layer in stack] == 2 * [
        'fo' if output_gate else 'f']


def test_expected_window():
    arrays = weights([4, 5], [2], True)  # 8 columns
    assert interop.from_state_dict(arrays, 4, window=2)[0].kernel_size == 2
    with pytest.raises(ValueError, match=r'\(15, 8\), but a layer with 8 '
                       'input channels, window 2 and 3 gates needs shape '
                       r'\(3 \* m, 16\)'):
        interop.from_state_dict(arrays, 8, window=2)
    arrays = weights([4, 5, 5], [2, 1], True)
    assert len(interop.from_state_dict(arrays, 4, window=[2, 1])) == 2
    with pytest.raises(ValueError, match='window 2 and'):
        interop.from_state_dict(arrays, 4, window=2)


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


def test_several_qrnns():
    arrays = weights([3, 4], [1], True)
    both = {prefix + name: array + i for i, prefix in enumerate(
        ('encoder.', 'decoder.')) for name, array in arrays.items()}
    with pytest.raises(ValueError, match="'decoder.', 'encoder.'"):
        interop.from_state_dict(both, 3)
    stack = interop.from_state_dict(both, 3, True, prefix='encoder.')
    assert_same(interop.to_state_dict(stack), arrays)
    with pytest.raises(ValueError, match="with prefix 'rnn.'"):
        interop.from_state_dict(both, 3, prefix='rnn.')


def without(arrays, name):
    return {key: array for key, array in arrays.items() if key != name}


@pytest.mark.parametrize('change, message', [
    (lambda a: dict(a, **{'layers.1.linear.weight': uniform(12, 6)}),
     r'layers\.1\.linear\.weight has shape \(12, 6\), but layer 1 .*'
     r'kernel_size 2 needs shape \(12, 8\)'),
    (lambda a: dict(a, **{'layers.0.linear.bias': uniform(11)}),
     r'layers\.0\.linear\.bias has shape \(11,\), .* needs shape \(12,\)'),
    (lambda a: without(a, 'layers.0.linear.bias'),
     r'layers\.0\.linear\.bias is missing'),
    (lambda a: without(without(a, 'layers.1.linear.bias'),
                       'layers.1.linear.weight'),
     r'1 layers, but the link has 2'),
    (lambda a: dict(a, **{'layers.0.linear.bias': numpy.zeros(12, 'i')}),
     'its dtype is int32'),
    (lambda a: dict(a, **{'layers.2.linear.bias': uniform(12)}),
     r'layers\.2\.linear\.weight is missing'),
    (lambda a: {'module.weight': uniform(3)}, 'no QRNN .* module.weight'),
    (lambda a: {}, r'\(none\)'),
])
def test_invalid_arrays(change, message):
    stack = QRNNStack(2, 3, 4)
    before = [param.array.copy() for param in stack.params()]
    with pytest.raises(ValueError, match=message):
        interop.load_state_dict(
            change(weights([3, 4, 4], [2, 2], True)), stack)
    assert_equal(list(stack.params()), before, atol=0)


@pytest.mark.parametrize('link, message', [
    (lambda: QRNNStack(2, 3, 4, dense=True), 'dense'),
    (lambda: QRNNStack(2, 3, 4, pooling='ifo'), 'layer 0'),
    (lambda: QRNNLayer(3, 4, lookahead=1), 'layer 0'),
    (lambda: QRNNLayer(3, 4, decoder=True), 'layer 0'),
    (lambda: QRNNLayer(3, 4, activations={'z': 'identity'}), 'layer 0'),
    (lambda: NStepBiQRNN(1, 3, 4, 0.), 'NStepBiQRNN'),
])
def test_unsupported_links(link, message):
    link = link()
    with pytest.raises(ValueError, match=message):
        interop.load_state_dict(weights([3, 4, 4], [2, 2], True), link)
    with pytest.raises(ValueError, match=message):
        interop.to_state_dict(link)


def test_unsupported_layers():
    with pytest.raises(ValueError, match='kernel_size 3'):
        interop.to_state_dict(QRNNLayer(3, 4, kernel_size=3))
    with pytest.raises(ValueError, match='in_size'):
        interop.to_state_dict(QRNNLayer(None, 4))
    with pytest.raises(ValueError, match='style'):
        interop.to_state_dict(QRNNLayer(3, 4), 'keras')


@pytest.mark.parametrize('in_size, output_gate, message', [
    (4, True, r'layers\.0\.linear\.weight has shape \(12, 6\), .* 4 input'),
    (3, False, r'layers\.1\.linear\.weight has shape \(12, 8\), .* 6 input'),
])
def test_wrong_sizes(in_size, output_gate, message):
    with pytest.raises(ValueError, match=message):
        interop.from_state_dict(
            weights([3, 4, 4], [2, 2], True), in_size, output_gate)


def test_kind_with_equal_sizes():
    arrays = weights([3, 5, 4], [1, 1], True)
    with pytest.raises(ValueError, match=r'1\.linear\.weight .*\(12, 5\)'):
        interop.from_state_dict(arrays, 3, kind=NStepQRNN)
    with pytest.raises(ValueError, match='kind'):
        interop.from_state_dict(arrays, 3, kind=chainer.ChainList)


def test_values_replaced_by_a_hook():
    """The arrays contain the values that the link uses."""
    layer, x = QRNNLayer(4, 5), uniform(B, T, 4, dtype=numpy.float32)
    layer.W.array[...] *= 10
    layer.add_hook(SpectralNormalization(20))
    other = interop.from_state_dict(interop.to_state_dict(layer), 4)
    with chainer.using_config('train', False):
        assert_equal(other(x), layer(x), atol=1e-6)


@pytest.mark.parametrize('in_size', [4, None])
def test_parameters_replaced_by_a_hook(in_size):
    arrays = weights([4, 5, 5], [2, 2], True)
    stack = QRNNStack(2, in_size, 5)
    stack[0].add_hook(SpectralNormalization())
    with pytest.raises(ValueError, match='hook replaces the parameter W'):
        interop.load_state_dict(arrays, stack)
    other = QRNNStack(2, 4, 5)
    interop.load_state_dict(arrays, other)
    with TimerHook():  # replaces nothing
        interop.load_state_dict(arrays, other)


@pytest.mark.parametrize('source', ['copy', 'copyparams'])
def test_sizes_of_copied_weights(source):
    """The weights of a link may be copied from another link."""
    link, new = QRNNLayer(None, 5), QRNNLayer(None, 5)
    twin = link.copy()
    link(uniform(B, T, 4, dtype=numpy.float32))
    new.copyparams(link)
    link = twin if source == 'copy' else new
    interop.load_state_dict(weights([4, 5], [2], True), link)
    with pytest.raises(ValueError, match=r'needs shape \(15, 8\)'):
        interop.load_state_dict(weights([6, 5], [2], True), link)
    assert interop.to_state_dict(link)['layers.0.linear.weight'].shape == (
        15, 8)


def test_numpy_integers():
    arrays = weights([4, 5, 5], [2, 2], True)
    four, five, two = map(numpy.int64, (4, 5, 2))
    stack = interop.from_state_dict(arrays, four, out_size=five, window=two)
    assert stack[0].W.shape == (2, 4, 15)
    layer = QRNNLayer(four, five, two)
    interop.load_state_dict(weights([4, 5], [2], True), layer)
