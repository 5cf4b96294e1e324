import chainer
import chainer.functions as F
import numpy
import pytest

from qrnn import QRNN
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform


def test_shrinking_batch():
    """Sequences that have ended keep their state, as in Chainer's LSTM."""
    rnn = QRNN(3, 5, kernel_size=3)
    lengths = 6, 6, 3, 1
    x = uniform(4, 6, 3)
    outputs = [rnn(x[:sum(n > t for n in lengths), t]) for t in range(6)]
    assert [len(h) for h in outputs] == [4, 3, 3, 2, 2, 2]
    c, h = rnn.c.array, rnn.h.array
    whole = rnn.layer(x, lengths).array
    for b, n in enumerate(lengths):
        numpy.testing.assert_allclose(
            h[b], whole[b, n - 1], atol=1e-12)
    numpy.testing.assert_allclose(
        c, rnn.layer.state.c.array, atol=1e-12)


@pytest.mark.filterwarnings('ignore:c does not include')
def test_shrinks_after_a_state_was_set():
    rnn = QRNN(3, 5, kernel_size=2)
    c, h = uniform(4, 5), uniform(4, 5)
    rnn.set_state(chainer.Variable(c), chainer.Variable(h))
    rnn(uniform(2, 3))
    rnn(uniform(1, 3))
    rnn(uniform(0, 3))
    for state, before in (rnn.c, c), (rnn.h, h):
        assert state.shape == (4, 5)
        numpy.testing.assert_array_equal(state.array[2:], before[2:])
        assert (state.array[:2] != before[:2]).any(axis=1).all()


def test_gradients_through_time():
    rnn = QRNN(3, 5)
    x = [chainer.Variable(uniform(2, 3)) for _ in range(4)]
    for each in x:
        h = rnn(each)
    F.sum(h).backward()
    assert all(each.grad.any() for each in x)
    rnn.cleargrads()
    loss = F.sum(rnn(uniform(2, 3)))
    loss.unchain_backward()
    after = F.sum(rnn(uniform(2, 3)))
    x[0].cleargrad()
    after.backward()
    assert x[0].grad is None


def test_arguments_of_chainers_lstm():
    one, none = QRNN(5), QRNN(None, 5)
    for rnn in one, none:
        # The input is flattened to the shape (2, 6).
        assert rnn(uniform(2, 3, 2)).shape == (2, 5)
        assert rnn.layer.in_size == 6
    b = QRNN(3, 5).layer.b.array
    assert (b[:5] == 1).all() and (b[5:] == 0).all()
    rnn = QRNN(3, 5, lateral_init=2, upward_init=3, bias_init=4,
               forget_bias_init=5, kernel_size=3)
    assert (rnn.layer.W.array[:2] == 2).all()
    assert (rnn.layer.W.array[2] == 3).all()
    assert (rnn.layer.b.array[:5] == 5).all()
    assert (rnn.layer.b.array[5:] == 4).all()


def test_default_weights_are_scaled_by_inputs():
    numpy.random.seed(0)
    W = QRNN(400, 300, kernel_size=2).layer.W.array
    for tap in W:
        numpy.testing.assert_allclose(tap.std(), 1 / 20, rtol=.02)


def test_orthogonal_weights():
    """The weights of each gate are initialized separately."""
    W = QRNN(5, 5, upward_init=chainer.initializers.Orthogonal(1.)).layer.W
    for gate in W.array[0].reshape(5, 3, 5).transpose(1, 0, 2):
        numpy.testing.assert_allclose(
            gate.T @ gate, numpy.eye(5), atol=1e-5)


def test_growing_batch_is_rejected():
    rnn = QRNN(3, 5)
    rnn(uniform(2, 3))
    with pytest.raises(ValueError, match='state of 2 sequences, but x has 3'):
        rnn(uniform(3, 3))


@pytest.mark.parametrize('wrap', [chainer.Variable, lambda a: a])
def test_state_is_set_as_in_chainer(wrap):
    rnn, c, h = QRNN(3, 5), uniform(2, 5), uniform(2, 5)
    x = uniform(2, 3)
    rnn.set_state(wrap(c), wrap(h))
    expected = rnn(x).array
    rnn.reset_state()
    rnn.c, rnn.h = wrap(c), wrap(h)
    assert_equal([rnn.c, rnn.h], [c, h], 0)
    assert_equal(rnn(x), expected, 0)
    rnn.c = rnn.h = None
    assert rnn.c is None and rnn.h is None
    first = rnn(x)
    rnn.reset_state()
    assert_equal(rnn(x), first, 0)
