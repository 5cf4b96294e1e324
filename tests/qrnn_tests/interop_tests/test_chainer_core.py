import chainer
from chainer.link_hooks import SpectralNormalization
import numpy
import pytest

from qrnn import interop
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


B, T, S = 3, 7, 5


def weights(n, m, k, attention=False, prefix=''):
    if k == 1:
        shapes = {'W/W': (3 * m, n), 'W/b': (3 * m,)}
    elif k == 2:
        shapes = {'W/W': (3 * m, n), 'V/W': (3 * m, n), 'V/b': (3 * m,)}
    else:
        shapes = {'conv/W': (3 * m, n, k), 'conv/b': (3 * m,)}
    if attention:
        shapes.update({'U/W': (3 * n, m), 'U/b': (3 * n,),
                       'o/W': (m, 2 * m), 'o/b': (m,)})
    return {prefix + name: uniform(*shape) for name, shape in shapes.items()}


def core(x, a, k, c=None, encoding=None):
    """Compute a layer with the formulae of the paper's published code.

    Unlike in that code, the output has no steps after the end of the input.
    """
    if k == 1:
        u = x @ a['W/W'].T + a['W/b']
    elif k == 2:
        before = numpy.concatenate([0 * x[:, :1], x[:, :-1]], 1)
        u = x @ a['W/W'].T + before @ a['V/W'].T + a['V/b']
    else:
        padded = numpy.pad(x, ((0, 0), (k - 1, k - 1), (0, 0)))
        u = a['conv/b'] + sum(
            padded[:, j:j + x.shape[1]] @ a['conv/W'][:, :, j].T
            for j in range(k))
    if encoding is not None:
        u = u + (encoding[:, -1:] @ a['U/W'].T + a['U/b'])
    f, z, o = numpy.split(u, 3, axis=2)
    f, o = 1 / (1 + numpy.exp(-f)), 1 / (1 + numpy.exp(-o))
    z = (1 - f) * numpy.tanh(z)
    states, c = [], numpy.zeros(z[:, 0].shape) if c is None else c
    for t in range(x.shape[1]):
        c = f[:, t] * c + z[:, t]
        states.append(c)
    c = numpy.stack(states, 1)
    if encoding is None:
        return o * c
    alpha = numpy.exp(numpy.einsum('bsm,btm->bst', encoding, c))
    alpha /= alpha.sum(1, keepdims=True)
    context = numpy.einsum('bst,bsm->btm', alpha, encoding)
    return o * (numpy.concatenate((c, context), 2) @ a['o/W'].T + a['o/b'])


@pytest.fixture(autouse=True)
def float64():
    with chainer.using_config('dtype', numpy.float64):
        yield


@pytest.mark.parametrize('k', [1, 2, 3, 4])
@pytest.mark.parametrize('n, m', [(1, 1), (4, 4), (5, 3)])
def test_layer(k, n, m):
    arrays, x = weights(n, m, k), uniform(B, T, n)
    layer = QRNNLayer(n, m, k)
    interop.load_chainer_core(arrays, layer)
    assert_equal(layer(x), core(x, arrays, k))


@pytest.mark.parametrize('k', [1, 2, 3])
def test_attention(k):
    arrays, x, encoding = weights(4, 4, k, True), uniform(B, T, 4), uniform(
        B, S, 4)
    layer = QRNNLayer(4, 4, k, attention=True)
    interop.load_chainer_core(arrays, layer)
    layer.init(encoding)
    assert_equal(layer(x), core(x, arrays, k, encoding=encoding))


def test_decoder():
    """A decoder without attention starts from the last c of the encoder."""
    arrays, x, encoding = weights(3, 4, 2), uniform(B, T, 3), uniform(B, S, 4)
    layer = randomize(QRNNLayer(3, 4, decoder=True))
    interop.load_chainer_core(arrays, layer)
    layer.init(encoding)
    assert_equal(layer(x), core(x, arrays, 2, c=encoding[:, -1]))


def test_file_of_a_model(tmp_path):
    """A stack is loaded from arrays with prefixes such as ``rnn/0/``."""
    arrays = dict(weights(3, 4, 2, prefix='rnn/0/'),
                  **weights(4, 4, 1, prefix='rnn/1/'))
    path = tmp_path / 'model.npz'
    numpy.savez(path, **dict(arrays, **{'embed/W': uniform(9, 3)}))
    stack = QRNNStack(2, None, 4, kernel_size=(2, 1))
    interop.load_chainer_core(path, stack, 'rnn/')
    x = h = uniform(B, T, 3)
    for i, k in enumerate((2, 1)):
        prefix = f'rnn/{i}/'
        h = core(h, {name.replace(prefix, ''): array
                     for name, array in arrays.items()
                     if name.startswith(prefix)}, k)
    assert_equal(stack(x), h)


@pytest.mark.parametrize('layer, message', [
    (lambda: QRNNLayer(3, 4, 1), r'W/b is missing'),
    (lambda: QRNNLayer(3, 4, 3), r'conv/b is missing'),
    (lambda: QRNNLayer(5, 4), r'V/W has shape \(12, 3\), .*\(12, 5\)'),
    (lambda: QRNNLayer(3, 5), r'V/b has shape \(12,\), .*\(15,\)'),
    (lambda: QRNNLayer(3, 4, attention=True), r'U/W is missing.*\(12, 4\)'),
    (lambda: QRNNLayer(3, 4, pooling='f'), "pooling 'f'"),
    (lambda: QRNNLayer(3, 4, lookahead=1), 'lookahead 1'),
    (lambda: NStepQRNN(1, 3, 4, 0.), 'not NStepQRNN'),
])
def test_invalid_arrays(layer, message):
    layer = layer()
    before = [param.array.copy() for param in layer.params()]
    with pytest.raises(ValueError, match=message):
        interop.load_chainer_core(weights(3, 4, 2), layer)
    assert_equal(list(layer.params()), before, atol=0)


def test_attention_weights_for_layer_without_attention():
    with pytest.raises(ValueError, match='U/W belongs'):
        interop.load_chainer_core(weights(4, 4, 2, True), QRNNLayer(4, 4))


@pytest.mark.parametrize('name', ['W', 'V', 'attend'])
def test_parameters_replaced_by_a_hook(name):
    layer = QRNNLayer(4, 4, attention=True)
    hooked = layer if name == 'W' else getattr(layer, name)
    hooked.add_hook(SpectralNormalization())
    with pytest.raises(ValueError, match='hook replaces the parameter W'):
        interop.load_chainer_core(weights(4, 4, 2, attention=True), layer)


def test_sizes_of_copied_weights():
    """Shapes are also checked if the weights were copied from another link."""
    source, layer = QRNNLayer(4, 5), QRNNLayer(None, 5)
    layer.copyparams(source)
    with pytest.raises(ValueError, match=r'needs shape \(15, 4\)'):
        interop.load_chainer_core(weights(6, 5, 2), layer)
