"""Tests of the state of links: ownership, setting, reset and reordering."""
import copy

import chainer
import chainer.functions as F
import numpy
import pytest

from qrnn import LSTMState
from qrnn import QRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn import QRNNState
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables
from qrnn_tests.links_tests.stateful_links import layers
from qrnn_tests.links_tests.stateful_links import links
from qrnn_tests.links_tests.stateful_links import LINKS
from qrnn_tests.links_tests.stateful_links import parts_of
from qrnn_tests.links_tests.stateful_links import SIZES


B, T, n, m = SIZES


@layers
def test_state_is_read_and_set(make):
    layer, other = (make() for _ in range(2))
    other.copyparams(randomize(layer))
    x = uniform(B, T, n)
    assert layer.state is None
    layer(x[:, :4])
    assert isinstance(layer.state, (QRNNState, LSTMState))
    for part in layer.state:
        assert part is None or isinstance(part, chainer.Variable)
    other.state = layer.state
    assert_equal(other(x[:, 4]), layer(x[:, 4]), 0)
    # A plain tuple of arrays is also accepted.
    other.state = tuple(getattr(part, 'array', None) for part in layer.state)
    assert_equal(other(x[:, 5]), layer(x[:, 5]), 0)


@layers
def test_reorder_state(make):
    layer = randomize(make())
    x = uniform(B, T, n)
    layer(x)
    expected = layer(x[:, 0]).array
    for indices in [2, 0, 0], numpy.array([1]), [0, 1, 2, 2, 1], []:
        layer(x)
        layer.reorder_state(indices)
        assert_equal(layer(x[:, 0][indices]), expected[indices])


@layers
def test_unchain_state_truncates_the_gradient(make):
    layer = randomize(make(save_state=True))
    x = uniform(B, T, n)
    first, second = variables(x[:, :4], x[:, 4:])
    layer(first)
    before = [part.array for part in layer.state if part is not None]
    layer.unchain_state()
    assert_equal([part for part in layer.state if part is not None], before)
    state = tuple(getattr(part, 'array', None) for part in layer.state)
    layer.cleargrads()
    F.sum(layer(second) ** 2).backward()
    assert first.grad is None
    actual = [second.grad] + [p.grad for p in layer.params()]

    layer.cleargrads()
    layer.state = state  # arrays have no graph
    second.cleargrad()
    F.sum(layer(second) ** 2).backward()
    assert_equal(actual, [second.grad] + [p.grad for p in layer.params()])


def test_state_methods_without_a_state():
    for make in LINKS.values():
        link = make()
        link.reorder_state([0])
        link.unchain_state()
        link.reset_state()
        assert link.state in (None, (None, None))


# Ownership

@links
@pytest.mark.parametrize('backprop', [False, True])
@pytest.mark.parametrize('frame', [None, 1, 2, 6])
def test_a_stream_is_read_into_one_buffer(make, backprop, frame):
    link = randomize(make(save_state=True))
    x = uniform(B, T, n)
    expected = link(x).array.copy()
    link.reset_state()
    buffer = numpy.empty((B, n) if frame is None else (B, frame, n))
    ys = []
    with chainer.using_config('enable_backprop', backprop):
        for t in range(0, T, frame or 1):
            buffer[...] = x[:, t] if frame is None else x[:, t:t + frame]
            y = link(buffer).array.copy()
            ys.append(y[:, None] if frame is None else y)
            buffer[...] = numpy.nan
    assert_equal(numpy.concatenate(ys, axis=1), expected)


@links
@pytest.mark.parametrize('shape', [(B, n), (B, T, n)])
def test_writing_to_the_state_changes_it_alone(make, shape):
    link = randomize(make())
    x = uniform(*shape)
    x_before = x.copy()
    y = link(x)
    y_before = y.array.copy()
    for part in parts_of(link):
        part.array[1] = 0
    assert_equal([x, y], [x_before, y_before], 0)
    step = uniform(B, n)
    actual = link(step).array
    link.reset_state()
    first = link(step).array
    assert_equal(actual[1], first[1])
    assert abs(actual[0] - first[0]).max() > 1e-3


@links
def test_a_state_that_was_set_is_a_copy(make):
    link, other = randomize(make()), make()
    other.copyparams(link)
    x = uniform(B, n)
    link(uniform(B, T, n))
    other.state = link.state
    expected = other(x).array
    other.state = link.state
    for part in parts_of(link):
        part.array[...] = numpy.nan
    assert_equal(other(x), expected, 0)


def test_encoder_states_are_copies():
    layer = randomize(QRNNLayer(n, m, attention=True))
    x, c, h = uniform(B, n), uniform(B, m), uniform(B, 7, m)
    layer.init(c, h, [7, 2, 5])
    expected = layer(x).array
    layer.init(c, h, [7, 2, 5])
    c[...] = h[...] = numpy.nan
    assert_equal(layer(x), expected, 0)


# Calls that fail

WRONG = {
    'dtype': lambda link: link(numpy.zeros((B, n), 'f')),
    'batch': lambda link: link(uniform(B + 1, n)),
    'size': lambda link: link(uniform(B, n + 1)),
    'lengths': lambda link: link(uniform(B, T, n), [1, 2]),
    'rows': lambda link: link.reset_state([B]),
    'indices': lambda link: link.reorder_state([0, B]),
    'two axes': lambda link: link.reorder_state(numpy.zeros((1, B), int))}


@links
@pytest.mark.parametrize('call', list(WRONG.values()), ids=WRONG)
def test_a_call_that_raises_changes_nothing(make, call):
    link = randomize(make(save_state=True))
    link(uniform(B, T, n))
    before = [part.array.copy() for part in parts_of(link)]
    with pytest.raises((ValueError, chainer.utils.type_check.InvalidType)):
        call(link)
    assert_equal(parts_of(link), before, 0)


def test_a_failing_layer_leaves_the_stack_unchanged():
    stack = randomize(QRNNStack(2, n, m, save_state=True))
    stack(uniform(B, T, n))
    before = [part.array.copy() for part in parts_of(stack)]
    W, stack[1].W = stack[1].W, None
    with pytest.raises(AttributeError):
        stack(uniform(B, T, n))
    stack[1].W = W
    assert_equal(parts_of(stack), before, 0)


def test_a_shrinking_batch_that_is_rejected_keeps_ended_rows():
    rnn = randomize(QRNN(n, m, kernel_size=2))
    rnn(uniform(B, n))
    before = [rnn.h.array, *(part.array for part in rnn.layer.state)]
    with pytest.raises(chainer.utils.type_check.InvalidType):
        rnn(numpy.zeros((B - 1, n), 'f'))
    assert_equal([rnn.h, *rnn.layer.state], before, 0)


# Rows of the batch that are reset or added

@links
@pytest.mark.parametrize('rows', [
    [1], numpy.array([1]), numpy.array([False, True, False])])
def test_reset_rows(make, rows):
    link = randomize(make())
    x, step = uniform(B, T, n), uniform(B, n)
    link(x)
    expected = link(step).array
    link(x)
    link.reset_state(rows)
    actual = link(step).array
    assert_equal(actual[[0, 2]], expected[[0, 2]], 0)
    link.reset_state()
    assert_equal(actual[1:2], link(step[1:2]))


def test_reset_rows_of_a_decoder():
    layer = randomize(QRNNLayer(n, m, decoder=True))
    c, h, step = uniform(B, m), uniform(B, m), uniform(B, n)
    layer.init(c, h)
    first = layer(step).array
    second = layer(step).array
    layer.init(c, h)
    layer(step)
    layer.reset_state([0, 2])
    assert_equal(layer(step), numpy.array([first[0], second[1], first[2]]))


def test_reset_rows_of_no_state():
    layer = QRNNLayer(n, m)
    layer.reset_state([0])
    assert layer.state is None


@pytest.mark.parametrize('rows, message', [
    ([3], 'rows 0 to 2.*from 3 to 3'), ([-1], 'from -1 to -1'),
    ([[0]], r'shape \(1, 1\)'), ([.5], 'dtype float64'),
    ([True, False], 'dtype bool')])
def test_rows_that_do_not_exist(rows, message):
    layer = QRNNLayer(n, m)
    layer(uniform(B, n))
    with pytest.raises(ValueError, match=message):
        layer.reset_state(rows)


def test_rows_are_added():
    layer = randomize(QRNNLayer(n, m))
    x, step = uniform(B, T, n), uniform(B + 1, n)
    layer(x)
    expected = layer(step[:B]).array
    layer(x)
    layer.state = QRNNState(*(
        F.pad(part, [(0, 1)] + (part.ndim - 1) * [(0, 0)], 'constant')
        for part in layer.state))
    actual = layer(step).array
    layer.reset_state()
    assert_equal(actual, numpy.concatenate(
        (expected, layer(step[B:]).array)))


# Validation of states that are assigned or passed

@pytest.mark.parametrize('c, x, message', [
    (uniform(B, m + 1), uniform(B, 1, n),
     r'state c must be of shape \(B, 5\), but its shape is \(3, 6\)'),
    (uniform(B, m), uniform(B, 2, n), r'x must be of shape \(B, 1, 4\)'),
    (uniform(B, 1, m), None, r'c must be of shape \(B, 5\)'),
    (uniform(B, m).astype('f'), None, 'dtype float64.*but its dtype is float'),
    (uniform(B, m), uniform(B + 1, 1, n), r'they have \[3, 4\]')])
def test_wrong_states_are_rejected_where_they_are_set(c, x, message):
    layer, stack = QRNNLayer(n, m), QRNNStack(2, n, m)
    for call in (
            lambda: setattr(layer, 'state', QRNNState(c, x)),
            lambda: setattr(stack, 'state', [(c, x), None]),
            lambda: layer.advance(uniform(B, n), (c, x)),
            lambda: stack.advance(uniform(B, n), [(c, x), None])):
        with pytest.raises(ValueError, match=message):
            call()
    assert layer.state is None


@pytest.mark.parametrize('state', [(uniform(B, m),), uniform(B, m), 3])
def test_a_state_has_two_parts(state):
    layer = QRNNLayer(n, m)
    with pytest.raises(ValueError, match=r'must be a QRNNState\(c, x\)'):
        layer.state = state


# Copies

@pytest.mark.parametrize('duplicate', [
    copy.copy, copy.deepcopy, QRNNLayer.copy,
    lambda layer: layer.copy('copy')])
def test_copies_have_a_separate_state(duplicate):
    layer = randomize(QRNNLayer(4, 6, 3, decoder=True))
    x = uniform(3, 5, 4)
    layer.init(encoder_h=uniform(3, 2, 6))
    expected = layer(x).array
    layer(x[:, :2])
    other = duplicate(layer)
    layer.reset_state()
    for t in 2, 3:
        assert_equal(other(x[:, t]), expected[:, t])
    assert layer.state is None
    other.reset_state()
    other.init(encoder_h=uniform(3, 2, 6))
    assert_equal(layer(x), expected)


def test_to_device():
    layer = randomize(QRNNLayer(4, 6, attention=True))
    layer.init(encoder_h=uniform(3, 2, 6))
    layer(uniform(3, 4))
    before = layer.state
    layer.to_device('@numpy')
    assert_equal(layer.state, before, 0)
    assert layer(uniform(3, 4)).array.shape == (3, 6)


# Calls through F.forget

@links
def test_forget_is_exact_without_a_carried_state(make):
    link = randomize(make())
    x = uniform(B, T, n)

    def gradients(function):
        v = chainer.Variable(x)
        link.cleargrads()
        F.sum(function(v) ** 2).backward()
        return [v.grad, *(param.grad for param in link.params())]

    assert_equal(gradients(lambda v: F.forget(link, v)), gradients(link))


@links
def test_forget_rejects_a_carried_state(make):
    carrying, link = make(save_state=True), make()
    for call in (lambda: F.forget(carrying, uniform(B, T, n)),
                 lambda: F.forget(link, uniform(B, n)),
                 lambda: F.forget(QRNN(n, m), uniform(B, n))):
        with pytest.raises(RuntimeError, match='F.forget'):
            call()
