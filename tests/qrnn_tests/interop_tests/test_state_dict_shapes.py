"""Test that shapes determine the layers; invalid shapes raise errors."""
import chainer
from chainer.link_hooks import SpectralNormalization
from chainer.link_hooks import TimerHook
import numpy
import pytest

from qrnn import BiQRNNStack
from qrnn import interop
from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform
from qrnn_tests.interop_tests.pytorch_layers import assert_same
from qrnn_tests.interop_tests.pytorch_layers import both_directions
from qrnn_tests.interop_tests.pytorch_layers import torchqrnn
from qrnn_tests.interop_tests.pytorch_layers import weights


T, B = 9, 3


def test_ambiguous_number_of_gates():
    """12 rows mean 4 channels with an output gate, or 6 without one."""
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
    arrays = weights([4, 5], [2], True)  # the weight has 8 columns
    assert interop.from_state_dict(arrays, 4, window=2)[0].kernel_size == 2
    with pytest.raises(ValueError, match=r'\(15, 8\), but a layer with 8 '
                       'input channels, window 2 and 3 gates needs shape '
                       r'\(3 \* m, 16\)'):
        interop.from_state_dict(arrays, 8, window=2)
    arrays = weights([4, 5, 5], [2, 1], True)
    assert len(interop.from_state_dict(arrays, 4, window=[2, 1])) == 2
    with pytest.raises(ValueError, match='window 2 and'):
        interop.from_state_dict(arrays, 4, window=2)


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


# Errors

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


def test_kind_with_equal_sizes():
    arrays = weights([3, 5, 4], [1, 1], True)
    with pytest.raises(ValueError, match=r'1\.linear\.weight .*\(12, 5\)'):
        interop.from_state_dict(arrays, 3, kind=NStepQRNN)
    with pytest.raises(ValueError, match='kind'):
        interop.from_state_dict(arrays, 3, kind=chainer.ChainList)


@pytest.mark.parametrize('in_size', [4, None])
def test_parameters_replaced_by_a_hook(in_size):
    arrays = weights([4, 5, 5], [2, 2], True)
    stack = QRNNStack(2, in_size, 5)
    stack[0].add_hook(SpectralNormalization())
    with pytest.raises(ValueError, match='hook replaces the parameter W'):
        interop.load_state_dict(arrays, stack)
    other = QRNNStack(2, 4, 5)
    interop.load_state_dict(arrays, other)
    with TimerHook():  # this hook replaces no parameter
        interop.load_state_dict(arrays, other)


@pytest.mark.parametrize('source', ['copy', 'copyparams'])
def test_sizes_of_copied_weights(source):
    """Shapes are also checked if the weights were copied from another link."""
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
