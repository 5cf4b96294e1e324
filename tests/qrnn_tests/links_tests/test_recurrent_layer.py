"""Tests of the common behaviour of QRNN and LSTM layers."""
import functools

import chainer
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import LSTMState
from qrnn import QRNNLayer
from qrnn import QRNNState
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform
from qrnn_tests.links_tests.stateful_links import links
from qrnn_tests.links_tests.stateful_links import parts_of


B, T, n, m = 3, 7, 4, 5

LAYERS = {
    f'{pooling}-{k}': functools.partial(
        QRNNLayer, n, m, k, pooling=pooling)
    for pooling in ('f', 'fo', 'ifo') for k in (1, 2, 3, 6)}
LAYERS['lstm'] = functools.partial(LSTMLayer, n, m)

layers = pytest.mark.parametrize('make', list(LAYERS.values()), ids=LAYERS)
some_layers = pytest.mark.parametrize('make', [
    LAYERS['fo-1'], LAYERS['ifo-3'], LAYERS['lstm']])


def random_state(layer, batch_size=B):
    if isinstance(layer, LSTMLayer):
        return LSTMState(uniform(batch_size, m), uniform(batch_size, m))
    k = layer.kernel_size
    return QRNNState(
        uniform(batch_size, m),
        uniform(batch_size, k - 1, n) if k > 1 else None)


@pytest.mark.parametrize('layer, expected', [
    (QRNNLayer(None, 5, 3, pooling='f', zoneout=.1),
     'QRNNLayer(in_size=None, out_size=5, kernel_size=3, pooling=f, '
     'zoneout=0.1)'),
    (QRNNLayer(4, 5, 6, lookahead=3),
     'QRNNLayer(in_size=4, out_size=5, kernel_size=6, pooling=fo, '
     'lookahead=3)'),
    (LSTMLayer(4, 5), 'LSTMLayer(in_size=4, out_size=5)'),
    (LSTMLayer(4, 5, attention=True),
     'LSTMLayer(in_size=4, out_size=5, attention=True, decoder=True)'),
    (BiQRNNLayer(4, 5), """\
BiQRNNLayer(
  (ahead): QRNNLayer(in_size=4, out_size=5, kernel_size=2, pooling=fo),
  (back): QRNNLayer(in_size=4, out_size=5, kernel_size=2, pooling=fo),
)"""),
    (LSTMStack(2, 4, 5, dense=True, save_state=True), """\
LSTMStack(
  (0): LSTMLayer(in_size=4, out_size=5, save_state=True),
  (1): LSTMLayer(in_size=9, out_size=5, save_state=True),
)"""),
])
def test_print_shows_sizes_and_options(layer, expected):
    assert str(layer) == expected


# Sequences that are split over several calls

@layers
def test_prefill_then_steps_without_save_state(make):
    layer = randomize(make())
    x = uniform(B, T, n)
    whole = layer(x).array
    end = layer.state
    for cut in range(1, T):
        assert_equal(layer(x[:, :cut]), whole[:, :cut])
        for t in range(cut, T):
            assert_equal(layer(x[:, t]), whole[:, t])
        assert_equal(layer.state, end)


@layers
def test_sequences_do_not_continue_without_save_state(make):
    layer = randomize(make())
    x = uniform(B, T, n)
    first = layer(x).array
    layer(x[:, 0])
    assert_equal(layer(x), first, 0)
    layer.state = random_state(layer)
    assert_equal(layer(x), first, 0)
    layer.reset_state()
    assert_equal(layer(x[:, 0]), first[:, 0])


@layers
def test_save_state_until_reset(make):
    layer = randomize(make(save_state=True))
    x = uniform(B, T, n)
    first, second = layer(x).array, layer(x).array
    assert abs(first - second).max() > 1e-3
    layer.reset_state()
    assert layer.state is None
    assert_equal(layer(x), first, 0)
    layer.state = None
    assert_equal(layer(x), first, 0)
    layer.reset_state()
    # After a reset, the batch size may change.
    assert_equal(layer(x[:2]), first[:2])


# Explicit states

@links
def test_advance(make):
    link = randomize(make(save_state=True))
    x = uniform(B, T, n)
    whole = link(x).array
    link(x[:, 0])
    before = [part.array.copy() for part in parts_of(link)]
    state, ys = None, []
    for piece in numpy.split(x, [1, 5, 6], axis=1):
        y, state = link.advance(piece, state)
        ys.append(y.array)
    assert_equal(numpy.concatenate(ys, axis=1), whole)
    assert_equal(parts_of(link), before, 0)
    # A state of arrays is also accepted.
    y, state = link.advance(x[:, :4])
    arrays = _as_arrays(state)
    y, _ = link.advance(x[:, 4], arrays)
    assert_equal(y, whole[:, 4])


def _as_arrays(state):
    if state is None or isinstance(state, chainer.Variable):
        return getattr(state, 'array', None)
    return tuple(map(_as_arrays, state))


# Lengths

@layers
def test_continues_after_lengths(make):
    layer = randomize(make(save_state=True))
    x, x2, lengths = uniform(B, T, n), uniform(B, T, n), (2, 0, 7)
    layer(x, lengths)
    actual = layer(x2, (7, 7, 0)).array, layer(x2[:, 0]).array
    for b in range(B):
        layer.reset_state()
        if lengths[b]:
            layer(x[b:b + 1, :lengths[b]])
        if b < 2:
            assert_equal(actual[0][b:b + 1], layer(x2[b:b + 1]))
        assert_equal(actual[1][b:b + 1], layer(x2[b:b + 1, 0]))


# Errors

@some_layers
@pytest.mark.parametrize('shape', [
    (n,), (B, n + 1), (B, T, n + 1), (B, T, 1), (1, B, T, n), ()])
def test_wrong_shape(make, shape):
    with pytest.raises(ValueError, match=r'\(B, T, 4\)'):
        make()(uniform(*shape))


@some_layers
def test_other_batch_than_the_state(make):
    layer = make(save_state=True)
    layer(uniform(B, T, n))
    for x in uniform(B - 1, T, n), uniform(B + 1, n):
        with pytest.raises(ValueError, match='reset_state'):
            layer(x)
    layer.state = random_state(layer, 1)
    with pytest.raises(ValueError, match='reset_state'):
        layer(uniform(B, n))


@some_layers
def test_wrong_lengths(make):
    for lengths in [1, 2], [1, 2, T + 1], [-1, 2, 3], [1., 2., 3.]:
        with pytest.raises(ValueError, match='lengths'):
            make()(uniform(B, T, n), lengths)
    with pytest.raises(ValueError, match='lengths'):
        make()(uniform(B, n), [1, 2, 1])


@layers
def test_lengths_hold_rows_of_a_step(make):
    layer = randomize(make())
    x = uniform(B, 2, n)
    expected = layer(x).array
    layer(x[:, :1])
    before = layer.state
    for held in numpy.array([True, False, True]), [1, 0, 1]:
        layer.state = before
        y = layer(x[:, 1], held).array
        assert_equal(y[[0, 2]], expected[[0, 2], 1])
        assert not y[1].any()
        for part, part_before in zip(layer.state, before):
            if part is not None:
                assert_equal(part.array[1], part_before.array[1], 0)


def test_boolean_lengths_mean_all_steps_or_none():
    layer = randomize(QRNNLayer(n, m))
    x = uniform(B, T, n)
    assert_equal(layer(x, numpy.array([True, False, True])),
                 layer(x, [T, 0, T]), 0)
