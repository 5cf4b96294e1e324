from chainer import gradient_check
import pytest

from qrnn import BiQRNNLayer
from qrnn import BiQRNNStack
from qrnn import NStepBiQRNN
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


@pytest.mark.parametrize('options', [
    {}, {'kernel_size': 3, 'pooling': 'ifo'}, {'kernel_size': 1}])
def test_each_sequence_in_both_directions(options):
    layer = randomize(BiQRNNLayer(3, 5, **options))
    x, lengths = uniform(4, 9, 3), [9, 0, 1, 6]
    h = layer(x, lengths).array
    for b, n in enumerate(lengths):
        alone = x[b:b + 1, :n]
        assert_equal(h[b, :n, :5], layer.ahead(alone).array[0])
        assert_equal(h[b, :n, 5:], layer.back(alone[:, ::-1]).array[0, ::-1])
        assert not h[b, n:].any()
    # The forward layer's last output depends on the first input.
    x[0, 0] += 1
    assert (layer(x, lengths).array[0, -1] != h[0, -1])[:5].any()


def test_as_one_layer_of_nstep():
    layer = BiQRNNLayer(3, 5)
    nstep = NStepBiQRNN(1, 3, 5, 0., kernel_size=2)
    for a, b in zip((layer.ahead, layer.back), nstep):
        randomize(a)
        b.copyparams(a)
    x = uniform(2, 7, 3)
    _, _, ys = nstep(None, None, [x[0], x[1, :4]])
    h = layer(x, [7, 4])
    assert_equal(ys[0], h[0])
    assert_equal(ys[1], h[1, :4])


def test_gradients():
    layer = randomize(BiQRNNLayer(3, 2))
    x, gh = uniform(2, 4, 3), uniform(2, 4, 4)
    gradient_check.check_backward(
        lambda x: layer(x, [4, 2]), x, gh, params=tuple(layer.params()),
        dtype='d', atol=1e-6)


def test_in_size_from_the_first_input():
    layer = BiQRNNLayer(None, 5)
    assert layer(uniform(2, 7, 3)).shape == (2, 7, 10)
    assert layer.back.in_size == 3


@pytest.mark.parametrize('options', [
    {}, {'kernel_size': (2, 1), 'dense': True, 'pooling': 'f'}])
def test_stacks_do_not_see_each_other(options):
    rnn = randomize(BiQRNNStack(2, 3, 5, **options))
    x, lengths = uniform(4, 9, 3), [9, 0, 1, 6]
    h = rnn(x, lengths).array
    for b, n in enumerate(lengths):
        alone = x[b:b + 1, :n]
        assert_equal(h[b, :n, :5], rnn.ahead(alone).array[0])
        assert_equal(h[b, :n, 5:], rnn.back(alone[:, ::-1]).array[0, ::-1])
        assert not h[b, n:].any()
    assert rnn.ahead[1].in_size == (8 if options else 5)


@pytest.mark.parametrize('link', [
    BiQRNNLayer, lambda *args, **options: BiQRNNStack(2, *args, **options)])
def test_complaints(link):
    with pytest.raises(ValueError, match=r'\(B, T, n\)'):
        link(3, 5)(uniform(2, 3))
    with pytest.raises(ValueError, match='omit save_state'):
        link(3, 5, save_state=True)
