import gc
import weakref

import chainer
import chainer.functions as F
import numpy
import pytest

from qrnn import LSTMStack
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn.functions import dropout
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import backward
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


B, S, T, n, m = 3, 6, 7, 4, 5

stacks = pytest.mark.parametrize('make', [QRNNStack, LSTMStack])
dense_or_not = pytest.mark.parametrize('dense', [False, True])


@stacks
def test_sizes(make):
    assert [layer.in_size for layer in make(4, 3, 5)] == [3, 5, 5, 5]
    assert [layer.in_size for layer in make(4, 3, 5, dense=True)] == [
        3, 8, 13, 18]
    assert [layer.out_size for layer in make(4, 3, 5)] == 4 * [5]


def test_kernel_sizes():
    def sizes(*args):
        return [layer.kernel_size for layer in QRNNStack(3, n, m, *args)]

    assert sizes() == [2, 2, 2]
    assert sizes(4) == [4, 4, 4]
    assert sizes((6, 2, 1)) == [6, 2, 1]
    for wrong in [6, 2], (2, 2, 2, 2), []:
        with pytest.raises(ValueError, match='each of the 3 layers'):
            sizes(wrong)


def test_lookaheads():
    def lookaheads(lookahead):
        return [layer.lookahead for layer in QRNNStack(
            3, n, m, (6, 2, 1), lookahead=lookahead)]

    assert lookaheads(0) == [0, 0, 0]
    assert lookaheads([3, 1, 0]) == [3, 1, 0]
    for wrong in [3, 1], (3, 1, 0, 0), []:
        with pytest.raises(ValueError, match='lookahead must be .* 3 layers'):
            lookaheads(wrong)

    # The lookaheads add up to 4: step 2 depends on inputs up to step 6.
    stack = randomize(QRNNStack(3, n, m, (6, 2, 1), lookahead=[3, 1, 0]))
    x, = variables(uniform(1, 9, n))
    y = stack(x)
    F.sum(y[:, 2]).backward()
    assert (abs(x.grad[0]).max(axis=1) > 0).tolist() == 7 * [True] + [
        False, False]


def test_layer_options():
    stack = QRNNStack(3, n, m, 6, pooling='ifo', zoneout=.2, save_state=True)
    for layer in stack:
        assert isinstance(layer, QRNNLayer)
        assert (layer.pooling, layer.zoneout, layer.save_state) == (
            'ifo', .2, True)


@stacks
def test_only_the_last_layer_attends(make):
    stack = make(3, n, m, attention=True)
    assert [layer.attention for layer in stack] == [False, False, True]
    assert [layer.decoder for layer in stack] == [True, True, True]
    assert [layer.decoder for layer in make(2, n, m, decoder=True)] == [
        True, True]


@stacks
@dense_or_not
@pytest.mark.parametrize('lengths', [None, [7, 1, 4]])
def test_composition_by_hand(make, dense, lengths):
    stack = randomize(make(3, n, m, dense=dense))
    x = uniform(B, T, n)
    outputs = stack.encode(x, lengths)
    y = stack(x, lengths)
    inputs = [x]
    for layer, output in zip(stack, outputs):
        given = numpy.concatenate(inputs, axis=2) if dense else inputs[-1]
        h = layer(given, lengths).array
        assert_equal(output, h, 0)
        inputs.append(h)
    assert_equal(y, h, 0)


@stacks
@dense_or_not
def test_dropout_between_layers_only(make, dense):
    stack = randomize(make(2, n, m, dropout=.5, dense=dense))
    x = uniform(B, T, n)
    with chainer.using_config('train', False):
        whole = stack.encode(x)
    numpy.random.seed(3)
    first, second = stack.encode(x)
    assert_equal(first, whole[0], 0)
    numpy.random.seed(3)
    dropped = dropout(first, .5)
    assert 0 < (dropped.array == 0).sum() < dropped.size
    assert_equal(
        second,
        stack[1](F.concat((x, dropped), axis=2) if dense else dropped), 0)
    assert abs(second.array - whole[1].array).max() > 1e-3


@stacks
@pytest.mark.parametrize('options', [{'decoder': True}, {'attention': True}])
@dense_or_not
def test_encoder_and_decoder(make, options, dense):
    encoder = randomize(make(3, n, m, dense=dense))
    decoder = randomize(make(3, n, m, dense=dense, **options))
    source, target, lengths = uniform(B, S, n), uniform(B, T, n), [6, 1, 4]
    states = encoder.encode(source, lengths)
    decoder.init(encoder_h=states, lengths=lengths)
    y = decoder(target).array
    h = target
    given = []
    for layer, state in zip(decoder, states):
        layer.init(encoder_h=state, lengths=lengths)
        given.append(h)
        h = layer(numpy.concatenate(given, axis=2) if dense else h).array
    assert_equal(y, h, 0)

    # Decoding single sequences step by step gives the same results.
    for b, end in enumerate(lengths):
        decoder.init(encoder_h=encoder.encode(source[b:b + 1, :end]))
        for t in range(T):
            assert_equal(decoder(target[b:b + 1, t]), y[b:b + 1, t])

    # Every encoder layer affects the output.
    encoder.cleargrads()
    decoder.init(encoder_h=encoder.encode(source))
    F.sum(decoder(target) ** 2).backward()
    assert all(abs(p.grad).max() > 0 for p in encoder.params())


@stacks
def test_decoder_from_both_states(make):
    decoder = randomize(make(2, n, m, decoder=True))
    x, c, h = uniform(B, T, n), 2 * [uniform(B, S, m)], 2 * [uniform(B, S, m)]
    decoder.init(c, h)
    y = decoder(x)
    for layer in decoder:
        layer.init(c[0], h[0])
        x = layer(x).array
    assert_equal(y, x, 0)
    decoder.init()
    with pytest.raises(ValueError, match='init'):
        decoder(uniform(B, T, n))
    for wrong in [(None, h[:1]), (3 * c, h), (c, 3 * h)]:
        with pytest.raises(ValueError, match='2 layers'):
            decoder.init(*wrong)


@stacks
def test_state_of_all_layers(make):
    stack = randomize(make(3, n, m))
    x = uniform(B, T, n)
    assert stack.state == (None, None, None)
    expected = stack(x).array
    h = stack(x[:, :4])
    kept = stack.state
    assert len(kept) == 3
    stack.reset_state()
    assert stack.state == (None, None, None)
    stack.state = kept
    assert_equal(stack(x[:, 4]), expected[:, 4])
    stack.state = kept
    stack.reorder_state([2, 0])
    assert_equal(stack(x[[2, 0], 4]), expected[[2, 0], 4])
    stack.state = [tuple(kept[0]), tuple(kept[1]), tuple(kept[2])]
    stack.unchain_state()
    first, = variables(x[:, 4])
    assert_equal(stack(first), expected[:, 4])
    assert None not in [part.creator for state in kept for part in state]
    assert h.creator is not None  # the graph of h is unaffected
    stack.state = None
    assert stack.state == (None, None, None)
    for wrong in kept[:2], kept + kept[:1]:
        with pytest.raises(ValueError, match='3 layers'):
            stack.state = wrong


@stacks
def test_unchaining_truncates_the_gradient(make):
    stack = randomize(make(3, n, m, save_state=True))
    first, second = variables(uniform(B, T, n), uniform(B, T, n))
    stack(first)
    stack.unchain_state()
    state = [[part.array for part in state] for state in stack.state]
    actual = stack(second)
    gys = [uniform(B, T, m)]
    grads = backward(stack, [actual], gys, [second])
    assert first.grad is None
    stack.state = state
    second.cleargrad()
    assert_equal(
        backward(stack, [stack(second)], gys, [second]), grads)


@stacks
def test_graph_is_kept_by_the_caller_alone(make):
    stack = make(3, n, m)
    x = uniform(B, T, n)
    gc.collect()
    gc.disable()
    try:
        outputs = stack.encode(x)
        graph = [weakref.ref(h.creator) for h in outputs]
        F.sum(outputs[-1]).backward()
        assert stack.state[0].c.creator is not None
        del outputs
        assert [ref() for ref in graph] == [None, None, None]
        assert stack.state[0].c.creator is None
    finally:
        gc.enable()


@stacks
def test_serialization_and_copies(make, tmp_path):
    path = str(tmp_path / 'stack.npz')
    saved, loaded = make(2, n, m, dense=True), make(2, n, m, dense=True)
    x = uniform(B, T, n)
    expected = saved(x).array
    chainer.serializers.save_npz(path, saved)
    chainer.serializers.load_npz(path, loaded)
    assert_equal(loaded(x), expected, 0)

    saved(x[:, :4])
    # For example, evaluation during training uses a copy of the model.
    other = saved.copy()
    other.reset_state()
    assert_equal(other(x), expected, 0)
    assert_equal(saved(x[:, 4]), expected[:, 4])
