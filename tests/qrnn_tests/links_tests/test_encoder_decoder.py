"""Tests of QRNN and LSTM decoders, which start from encoder states."""
import functools

import numpy
import pytest

from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import backward
from qrnn_tests.helpers import feed
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


B, S, T, n, m = 3, 6, 7, 4, 5
LENGTHS = [6, 1, 4]

LAYERS = {
    f'{pooling}-{k}': functools.partial(
        QRNNLayer, n, m, k, pooling=pooling)
    for pooling, k in [('fo', 1), ('fo', 2), ('ifo', 3), ('fo', 6)]}
LAYERS['lstm'] = functools.partial(LSTMLayer, n, m)

layers = pytest.mark.parametrize('make', list(LAYERS.values()), ids=LAYERS)
decoders = pytest.mark.parametrize('options', [
    {'decoder': True}, {'attention': True}], ids=['decoder', 'attention'])


def source():
    return uniform(B, S, m), uniform(B, S, m)


def results(layer, x, encoder_c, encoder_h, gy, lengths=None, chunks=(T,)):
    """Return the outputs and a list of gradients.

    The gradients are those of x, encoder_c, encoder_h and all parameters.
    """
    x, encoder_c, encoder_h = inputs = variables(x, encoder_c, encoder_h)
    layer.init(encoder_c, encoder_h, lengths)
    y = feed(layer, x, chunks)
    return y, backward(layer, [y], [gy], inputs)


@layers
@decoders
@pytest.mark.parametrize('padding', [numpy.nan, 1e30])
def test_sequences_are_independent(make, options, padding):
    layer = randomize(make(**options))
    x, (c, h), gy = uniform(B, T, n), source(), uniform(B, T, m)
    past = numpy.arange(S) >= numpy.array(LENGTHS)[:, None]
    c[past] = h[past] = padding
    y, (gx, gc, gh, *gparams) = results(layer, x, c, h, gy, LENGTHS)
    assert (gc[past] == 0).all()
    assert (gh[past] == 0).all()
    for b, end in enumerate(LENGTHS):
        one = slice(b, b + 1)
        yb, grads = results(
            layer, x[one], c[one, :end], h[one, :end], gy[one])
        assert_equal(yb, y[one])
        assert_equal(grads[:3], [gx[one], gc[one, :end], gh[one, :end]])
        gparams = [total - g for total, g in zip(gparams, grads[3:])]
    assert_equal(gparams, [numpy.zeros_like(g) for g in gparams])


@layers
@decoders
def test_empty_source(make, options):
    # An empty source gives the same results as encoder states of zero.
    layer = randomize(make(**options))
    x, (c, h), gy = uniform(B, T, n), source(), uniform(B, T, m)
    c[1] = h[1] = numpy.nan
    y, grads = results(layer, x, c, h, gy, [6, 0, 4])
    assert all(numpy.isfinite(g).all() for g in grads)
    layer.init(*numpy.zeros((2, 1, 1, m)))
    assert_equal(layer(x[1:2]), y[1:2])


@layers
@decoders
def test_init_clears_the_state(make, options):
    layer = randomize(make(save_state=True, **options))
    x, states = uniform(B, T, n), source()
    layer.init(*states)
    first = layer(x).array
    assert abs(first - layer(x).array).max() > 1e-3
    layer.init(*states)
    assert layer.state is None
    assert_equal(layer(x), first, 0)
    layer.reset_state()  # the next call starts from the encoder's state
    assert_equal(layer(x), first, 0)
    layer.reset_state()
    assert_equal(layer(x[:, 0]), first[:, 0])


@layers
def test_last_states_suffice_without_attention(make):
    layer = randomize(make(decoder=True))
    x, (c, h) = uniform(B, T, n), source()
    layer.init(c, h)
    expected = layer(x).array
    layer.init(encoder_c=c[:, -1], encoder_h=h[:, -1])
    assert_equal(layer(x), expected)


@layers
@decoders
def test_reordering_for_beam_search(make, options):
    layer = randomize(make(**options))
    x, states = uniform(B, 3, n), source()
    layer.init(*states, LENGTHS)
    expected = layer(x).array
    for indices in [2, 0, 0], [1], [0, 1, 2, 2, 1]:
        layer.init(*states, LENGTHS)
        layer(x[:, 0])
        layer.reorder_state(indices)
        for t in 1, 2:
            assert_equal(layer(x[indices, t]), expected[indices, t])


@layers
@decoders
def test_sequences_that_share_a_source(make, options):
    """Sharing a source gives the same results as repeating the source."""
    layer = randomize(make(**options))
    x, (c, h), gy = uniform(2 * B, T, n), source(), uniform(2 * B, T, m)
    y, (gx, gc, gh, *gparams) = results(layer, x, c, h, gy, LENGTHS)
    own = results(layer, x, c.repeat(2, 0), h.repeat(2, 0), gy,
                  numpy.repeat(LENGTHS, 2))
    assert_equal(y, own[0])
    assert_equal([gx] + gparams, own[1][:1] + own[1][3:])
    for shared, each in zip([gc, gh], own[1][1:3]):
        assert_equal(shared, each.reshape(B, 2, S, m).sum(1))


@layers
@decoders
def test_reordering_those_that_share_a_source(make, options):
    layer = randomize(make(**options))
    x, (c, h) = uniform(2 * B, 3, n), source()
    layer.init(c.repeat(2, 0), h.repeat(2, 0), numpy.repeat(LENGTHS, 2))
    expected = layer(x).array
    for indices, encoder in [
            ([5, 4, 1, 0], True), (numpy.array([2, 2]), True),
            ([0, 1, 2, 3, 4, 5], True), ([1, 1, 2, 3, 5, 4], False),
            ([], True)]:
        layer.init(c, h, LENGTHS)
        layer(x[:, 0])
        layer.reorder_state(indices, encoder)
        for t in 1, 2:
            assert_equal(layer(x[indices, t]), expected[indices, t])


# Errors

@layers
def test_init_of_a_layer_that_is_no_decoder(make):
    layer = make()
    layer.init()
    with pytest.raises(ValueError, match='decoder'):
        layer.init(*source())


@layers
@decoders
def test_decoder_without_encoder(make, options):
    layer = make(**options)
    for x in uniform(B, T, n), uniform(B, n):
        with pytest.raises(ValueError, match='init'):
            layer(x)
    layer.init(uniform(B, 2, m), uniform(B, 2, m))
    layer(uniform(B, n))
    layer.init()  # init() without arguments clears the encoder states
    with pytest.raises(ValueError, match='init'):
        layer(uniform(B, n))


@layers
def test_attention_needs_all_encoder_steps(make):
    with pytest.raises(ValueError, match=r'\(B, S, m\)'):
        make(attention=True).init(encoder_h=uniform(B, m))


@layers
def test_wrong_encoder_lengths(make):
    for lengths in [1, 2], [1, 2, 5]:
        with pytest.raises(ValueError, match='lengths'):
            make(decoder=True).init(
                encoder_h=uniform(B, 4, m), lengths=lengths)


@layers
@decoders
def test_other_batch_than_the_encoder(make, options):
    layer = make(**options)
    for c in None, uniform(2, S, m):
        layer.init(c, uniform(2, S, m))
        for B in 0, 1, 3:
            for x in uniform(B, T, n), uniform(B, n):
                with pytest.raises(ValueError, match='2 sequences'):
                    layer(x)


def test_lengths_of_the_encoder_are_remembered():
    encoder = randomize(QRNNStack(2, 4, 5))
    decoder = randomize(QRNNStack(2, 4, 5, attention=True))
    x, y, lengths = uniform(3, 6, 4), uniform(3, 2, 4), [6, 2, 0]
    decoder.init(encoder_h=encoder.encode(x, lengths), lengths=lengths)
    expected = decoder(y).array
    decoder.init(encoder_h=encoder.encode(x, lengths))
    assert_equal(decoder(y), expected, 0)
    for layer, inner in (QRNNLayer(4, 5, attention=True), encoder[0]), (
            LSTMLayer(4, 5, attention=True), LSTMLayer(4, 5)):
        layer.init(encoder_h=inner(x, lengths), lengths=lengths)
        expected = layer(y).array
        layer.init(encoder_h=inner(x, lengths))
        assert_equal(layer(y), expected, 0)


@pytest.mark.parametrize('make, sizes', [
    (lambda: QRNNStack(2, 4, 64, decoder=True), (64, 48)),
    (lambda: LSTMStack(2, 4, 64, decoder=True), (64, 48)),
    (lambda: QRNNStack(2, 4, 64, decoder=True, encoder_size=7), (7, 48))])
def test_encoder_of_a_wrong_size(make, sizes):
    decoder = make()
    states = [uniform(3, 6, sizes[0]), uniform(3, 6, sizes[1])]
    with pytest.raises(
            ValueError, match=f'layer 1: .*{sizes[0]}.*Layer.*{sizes[1]}'):
        decoder.init(encoder_h=states)


def test_a_rejected_init_changes_nothing():
    layer = randomize(QRNNLayer(4, 5, attention=True))
    layer.init(encoder_h=uniform(3, 6, 5))
    y = uniform(3, 4)
    layer(y)
    state, encoder = layer.state, layer.encoder
    for wrong in uniform(3, 6, 4), uniform(3, 5):
        with pytest.raises(ValueError):
            layer.init(encoder_h=wrong)
    assert layer.encoder is encoder
    assert_equal(layer.state, state, 0)


INDICES = [
    ([3, 4, 5, 0, 1, 4, 6, 7, 8, 9, 10, 11], True, 'one old source'),
    ([0, 1], True, 'multiple of 3'),
    ([3, 4, 5, 0, 1, 2, 6, 7, 8, 9, 10, 11], False, 'keep its source'),
    ([0, 1, 2], False, 'multiple of it'),
    ([[0, 1, 2]], True, r'shape \(1, 3\)'),
    ([0, 1, 12], True, 'rows 0 to 11')]


@pytest.mark.parametrize('indices, encoder, message', INDICES)
def test_wrong_indices(indices, encoder, message):
    decoder = QRNNStack(2, 4, 5, attention=True)
    hs = [uniform(4, 6, 5) for _ in range(2)]
    decoder.init(encoder_h=hs)
    decoder(uniform(12, 4))  # 3 hypotheses for each of 4 sources
    before = decoder.state
    with pytest.raises(ValueError, match=message):
        decoder.reorder_state(numpy.array(indices), encoder)
    assert_equal(decoder.state, before, 0)
    for good, keeps in ([2, 1, 0, 3, 3, 3, *range(6, 12)], False), (
            [*range(6, 9), *range(3)], True), ([0, 3, 6, 9], False):
        decoder.reorder_state(good, keeps)
        decoder(uniform(len(good), 4))
        decoder.init(encoder_h=hs)
        decoder(uniform(12, 4))
