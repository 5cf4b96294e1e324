import chainer.functions as F
import chainer.links as L
import numpy
import pytest

from qrnn import attention_sum_ref
from qrnn import LSTMLayer
from qrnn import LSTMState
from qrnn_tests.helpers import backward
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


B, T, n, m = 3, 5, 4, 6


def layer_and_twin(**options):
    """Return an LSTMLayer, and an NStepLSTM with the same parameters."""
    layer = randomize(LSTMLayer(n, m, **options))
    twin = L.NStepLSTM(1, n, m, 0)
    # NStepLSTM orders its gates i, f, z, o. LSTMLayer uses i, f, o, z.
    for gate, part in enumerate((0, 1, 3, 2)):
        rows = slice(part * m, (part + 1) * m)
        for name, array in ((f'w{gate}', layer.upward.W.array),
                            (f'b{gate}', layer.upward.b.array),
                            (f'w{gate + 4}', layer.lateral.W.array)):
            getattr(twin[0], name).array[...] = array[rows]
        getattr(twin[0], f'b{gate + 4}').array[...] = 0
    return layer, twin


def gradients_as_the_layers(twin):
    """Return the gradients of an NStepLSTM, in the layout of LSTMLayer."""
    def stacked(kind, first):
        return numpy.concatenate([
            getattr(twin[0], kind + str(first + gate)).grad
            for gate in (0, 1, 3, 2)])
    return [stacked('w', 4), stacked('w', 0), stacked('b', 0)]


def test_equals_chainers_own():
    layer, twin = layer_and_twin()
    x, h0, c0 = variables(uniform(B, T, n), uniform(B, m), uniform(B, m))
    gys = [uniform(B, T, m), uniform(B, m), uniform(B, m)]

    def results(link, *ys):
        for v in x, h0, c0:
            v.cleargrad()
        return list(ys) + backward(link, ys, gys, [x, h0, c0])[:3]

    h, c, ys = twin(h0[None], c0[None], list(F.separate(x)))
    expected = results(twin, F.stack(ys), h[0], c[0])

    layer.save_state = True
    layer.state = LSTMState(c0, h0)
    y = layer(x)
    assert_equal(results(layer, y, layer.state.h, layer.state.c), expected)
    assert_equal(
        [param.grad for param in (
            layer.lateral.W, layer.upward.W, layer.upward.b)],
        gradients_as_the_layers(twin))


def test_single_steps_equal_chainers_own():
    layer, _ = layer_and_twin()
    twin = L.LSTM(n, m)

    def interleave(rows):  # L.LSTM interleaves the gates of each unit
        i, f, o, z = numpy.split(rows, 4)
        return numpy.stack((z, i, f, o), axis=1).reshape(rows.shape)

    twin.upward.W.array = interleave(layer.upward.W.array)
    twin.lateral.W.array = interleave(layer.lateral.W.array)
    twin.upward.b.array = interleave(layer.upward.b.array)
    x = uniform(B, T, n)
    for t in range(T):
        assert_equal(layer(x[:, t]), twin(x[:, t]))
    twin.reset_state()
    layer.reset_state()
    assert_equal(layer(x[:, 0]), twin(x[:, 0]))


@pytest.mark.parametrize('lengths', [[5, 5, 5], [1, 4, 2], [0, 5, 3]])
def test_lengths(lengths):
    layer, twin = layer_and_twin()
    x = uniform(B, T, n)
    y = layer(x, lengths)
    for b, end in enumerate(lengths):
        if end:
            h, c, ys = twin(None, None, [x[b, :end]])
            assert_equal(y[b, :end], ys[0])
            assert_equal(layer.state.c[b], c[0, 0])
            assert_equal(layer.state.h[b], h[0, 0])
        assert not y.array[b, end:].any()


@pytest.mark.parametrize('with_c', [False, True])
def test_decoder_starts_from_the_encoders_last_state(with_c):
    layer, twin = layer_and_twin(decoder=True)
    x, lengths = uniform(B, T, n), numpy.array([6, 1, 4])
    h, c = uniform(B, 6, m), uniform(B, m) if with_c else None
    layer.init(c, h, lengths)
    h0 = h[numpy.arange(B), lengths - 1]
    _, _, ys = twin(h0[None], None if c is None else c[None], list(x))
    assert_equal(layer(x), F.stack(ys))


def test_attention():
    layer, twin = layer_and_twin(attention=True)
    x, lengths = uniform(B, T, n), [6, 1, 4]
    encoder_h = uniform(B, 6, m)
    layer.init(encoder_h=encoder_h, lengths=lengths)
    layer.state = LSTMState(uniform(B, m), uniform(B, m))
    _, _, hs = twin(layer.state.h[None], layer.state.c[None], list(x))
    h = numpy.array([v.array for v in hs])
    context = attention_sum_ref(encoder_h, h, lengths)
    W_k, W_h = numpy.split(layer.attend.W.array, 2, axis=1)
    expected = numpy.tanh(
        context @ W_k.T + h @ W_h.T + layer.attend.b.array)
    state, layer.save_state = layer.state, True
    assert_equal(layer(x), expected)
    layer.state = state
    for t in range(T):
        assert_equal(layer(x[:, t]), expected[:, t])
    layer.state = state
    y = layer(x, [5, 1, 2])
    for b, end in enumerate([5, 1, 2]):
        assert_equal(y[b, :end], expected[b, :end])
        assert not y.array[b, end:].any()
