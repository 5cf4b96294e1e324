import chainer
import numpy
import pytest

from qrnn import interop
from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from tests.qrnn_tests.helpers import assert_equal
from tests.qrnn_tests.helpers import randomize
from tests.qrnn_tests.helpers import uniform


T, B = 9, 3


def sigmoid(a):
    return 1 / (1 + numpy.exp(-a))


def torchqrnn(x, weight, bias, window, output_gate, hidden=None):
    """A layer as torchqrnn computes it: (T, B, n), f not what is kept."""
    source = x
    if window == 2:
        before = numpy.concatenate([0 * x[:1], x[:-1]], 0)
        source = numpy.concatenate([x, before], 2)
    y = source @ weight.T + bias
    chunks = numpy.split(y, 3 if output_gate else 2, axis=2)
    z, f = numpy.tanh(chunks[0]), sigmoid(chunks[1])
    states = []
    for t in range(len(x)):
        new = f[t] * z[t]
        hidden = new if hidden is None else new + (1 - f[t]) * hidden
        states.append(hidden)
    c = numpy.stack(states)
    return (sigmoid(chunks[2]) * c if output_gate else c), c[-1]


def fastai(x, arrays, weight, bias, windows, output_gate):
    """Layers as fastai has them, batch first."""
    for i, window in enumerate(windows):
        y, last = torchqrnn(
            x.swapaxes(0, 1), arrays[weight.format(i)],
            arrays[bias.format(i)], window, output_gate)
        x = y.swapaxes(0, 1)
    return x


def weights(sizes, windows, output_gate, weight='layers.{}.linear.weight',
            bias='layers.{}.linear.bias', dtype=numpy.float64):
    n_gates = 3 if output_gate else 2
    arrays = {}
    for i, (n, m, k) in enumerate(zip(sizes, sizes[1:], windows)):
        arrays[weight.format(i)] = uniform(n_gates * m, k * n, dtype=dtype)
        arrays[bias.format(i)] = uniform(n_gates * m, dtype=dtype)
    return arrays


def assert_same(actual, expected):
    """The same names and dtypes, and the same bits."""
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
            expected, arrays['layers.{}.linear.weight'.format(i)],
            arrays['layers.{}.linear.bias'.format(i)], window, output_gate)
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


@pytest.mark.parametrize('window', [1, 2])
def test_goes_on_from_hidden(window):
    arrays = weights([3, 4], [window], True)
    x, hidden = uniform(T, B, 3), uniform(B, 4)
    expected, _ = torchqrnn(x, *arrays.values(), window, True, hidden)
    rnn = interop.from_state_dict(arrays, 3, kind=NStepQRNN)
    _, _, ys = rnn(None, hidden[None], list(x.swapaxes(0, 1)))
    assert_equal(ys, list(expected.swapaxes(0, 1)))


@pytest.mark.parametrize('style, names', [
    ('fastai', ('rnns.{}.layers.0.linear.weight_raw',
                'rnns.{}.layers.0.linear.module.bias')),
    ('awd-lstm-lm', ('rnns.{}.linear.module.weight_raw',
                     'rnns.{}.linear.module.bias'))])
@pytest.mark.parametrize('prefix', ['', '0.', '0.module.'])
def test_language_models(style, names, prefix):
    """Layers of different sizes, beside arrays that are not theirs."""
    names = [prefix + name for name in names]
    windows, sizes = (2, 1, 1), (4, 6, 6, 4)
    layers = weights(sizes, windows, True, *names)
    if style == 'fastai':  # a second copy, which dropout has gone over
        layers.update({
            name.replace('weight_raw', 'module.weight'): array.copy()
            for name, array in layers.items() if 'raw' in name})
    arrays = dict(layers, **{prefix + 'encoder.weight': uniform(10, 4),
                             '1.decoder.bias': uniform(10)})
    stack = interop.from_state_dict(arrays, 4)
    x = uniform(B, T, 4)
    assert_equal(stack(x), fastai(x, arrays, *names, windows, True))
    assert_same(interop.to_state_dict(stack, style, prefix), layers)


def test_dropped_copy_is_not_read():
    names = ('rnns.{}.layers.0.linear.weight_raw',
             'rnns.{}.layers.0.linear.module.bias')
    arrays = weights([3, 4], [1], True, *names)
    copy = 'rnns.0.layers.0.linear.module.weight'
    stack = interop.from_state_dict(
        dict(arrays, **{copy: numpy.zeros((12, 3))}), 3)
    written = interop.to_state_dict(stack, 'fastai')
    assert_equal(written[copy], arrays[names[0].format(0)], atol=0)


@pytest.mark.parametrize('dtype', [numpy.float16, numpy.float32])
@pytest.mark.parametrize('kind', ['.npz', '.safetensors'])
def test_through_files(tmp_path, dtype, kind):
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


def test_random_links_come_back():
    """Ours to theirs and back, in every kind of link that they have."""
    for make in (lambda: QRNNStack(3, 4, 5), lambda: NStepQRNN(2, 4, 5, .1),
                 lambda: QRNNLayer(4, 5, kernel_size=1, pooling='f')):
        one, other = randomize(make()), randomize(make())
        interop.load_state_dict(interop.to_state_dict(one), other)
        for a, b in zip(one.params(), other.params()):
            assert a.array.tobytes() == b.array.tobytes()


def test_numbers_are_converted():
    arrays = weights([3, 4], [2], True)
    layer = QRNNLayer(None, 4)
    interop.load_state_dict(arrays, layer)
    assert layer.W.dtype == numpy.float32 and layer.in_size == 3
    x = uniform(B, T, 3, dtype=numpy.float32)
    expected, _ = torchqrnn(x.swapaxes(0, 1), *arrays.values(), 2, True)
    assert_equal(layer(x).array, expected.swapaxes(0, 1), atol=1e-6)


def test_one_of_several():
    arrays = weights([3, 4], [1], True)
    both = {prefix + name: array + i for i, prefix in enumerate(
        ('encoder.', 'decoder.')) for name, array in arrays.items()}
    with pytest.raises(ValueError, match="'decoder.', 'encoder.'"):
        interop.from_state_dict(both, 3)
    stack = interop.from_state_dict(both, 3, prefix='encoder.')
    assert_same(interop.to_state_dict(stack), arrays)
    with pytest.raises(ValueError, match="under 'rnn.'"):
        interop.from_state_dict(both, 3, prefix='rnn.')


def without(arrays, name):
    return {key: array for key, array in arrays.items() if key != name}


@pytest.mark.parametrize('change, complaint', [
    (lambda a: dict(a, **{'layers.1.linear.weight': uniform(12, 6)}),
     r'layers\.1\.linear\.weight is of shape \(12, 6\), but layer 1 .*'
     r'kernel_size 2 takes \(12, 8\)'),
    (lambda a: dict(a, **{'layers.0.linear.bias': uniform(11)}),
     r'layers\.0\.linear\.bias is of shape \(11,\), .* takes \(12,\)'),
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
def test_what_does_not_fit(change, complaint):
    stack = QRNNStack(2, 3, 4)
    before = [param.array.copy() for param in stack.params()]
    with pytest.raises(ValueError, match=complaint):
        interop.load_state_dict(
            change(weights([3, 4, 4], [2, 2], True)), stack)
    assert_equal(list(stack.params()), before, atol=0)


@pytest.mark.parametrize('link, complaint', [
    (lambda: QRNNStack(2, 3, 4, dense=True), 'dense'),
    (lambda: QRNNStack(2, 3, 4, pooling='ifo'), 'layer 0'),
    (lambda: QRNNLayer(3, 4, lookahead=1), 'layer 0'),
    (lambda: QRNNLayer(3, 4, decoder=True), 'layer 0'),
    (lambda: QRNNLayer(3, 4, activations={'z': 'identity'}), 'layer 0'),
    (lambda: NStepBiQRNN(1, 3, 4, 0.), 'NStepBiQRNN'),
])
def test_links_that_they_have_not(link, complaint):
    link = link()
    with pytest.raises(ValueError, match=complaint):
        interop.load_state_dict(weights([3, 4, 4], [2, 2], True), link)
    with pytest.raises(ValueError, match=complaint):
        interop.to_state_dict(link)


def test_layers_that_cannot_be_written():
    with pytest.raises(ValueError, match='kernel_size 3'):
        interop.to_state_dict(QRNNLayer(3, 4, kernel_size=3))
    with pytest.raises(ValueError, match='in_size'):
        interop.to_state_dict(QRNNLayer(None, 4))
    with pytest.raises(ValueError, match='style'):
        interop.to_state_dict(QRNNLayer(3, 4), 'keras')


@pytest.mark.parametrize('in_size, output_gate, complaint', [
    (4, True, r'layers\.0\.linear\.weight is of shape \(12, 6\), .* 4 input'),
    (3, False, r'layers\.1\.linear\.weight is of shape \(12, 8\), .* 6 input'),
])
def test_sizes_that_do_not_fit(in_size, output_gate, complaint):
    with pytest.raises(ValueError, match=complaint):
        interop.from_state_dict(
            weights([3, 4, 4], [2, 2], True), in_size, output_gate)


def test_layers_of_one_size_only():
    arrays = weights([3, 5, 4], [1, 1], True)
    with pytest.raises(ValueError, match=r'1\.linear\.weight .*\(12, 5\)'):
        interop.from_state_dict(arrays, 3, kind=NStepQRNN)
    with pytest.raises(ValueError, match='kind'):
        interop.from_state_dict(arrays, 3, kind=chainer.ChainList)
