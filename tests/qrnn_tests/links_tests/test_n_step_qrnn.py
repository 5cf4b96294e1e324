import chainer
from chainer import gradient_check
import chainer.functions as F
import numpy
import pytest

from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import qrnn_pooling_ref
from qrnn import masked_convolution_ref
from qrnn.links import n_step_qrnn
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


# Not of what is fed back, but of states of any kind
pytestmark = pytest.mark.filterwarnings('ignore:hx does not hold')

LENGTHS = 7, 1, 40, 0, 6, 38, 9


def make(link, n_layers=2, in_size=3, out_size=5, **options):
    return randomize(link(n_layers, in_size, out_size, 0., **options))


def batch(rnn, lengths=LENGTHS, n=3):
    shape = len(rnn), len(lengths), rnn.out_size
    hx, cx = (uniform(*shape) for _ in range(2))
    return hx, cx, [uniform(length, n) for length in lengths]


def expected(rnn, hx, cx, xs):
    """The same, sequence by sequence, from the functions' references."""
    D = 2 if isinstance(rnn, NStepBiQRNN) else 1
    hy, cy, ys = hx.copy(), cx.copy(), []
    for b, x in enumerate(xs):
        for i in range(0, len(rnn), D):
            outputs = []
            for s in range(i, i + D):
                layer, turn = rnn[s], slice(None, None, 1 - 2 * (s % D))
                x0 = numpy.zeros((1, layer.kernel_size - 1, x.shape[1]))
                if i and layer.kernel_size > 1:
                    x0[0, -1] = hx[i - D:i, b].ravel()
                u = masked_convolution_ref(
                    x[None, turn], layer.W.array, x0)
                h, _, c = qrnn_pooling_ref(
                    u, layer.b.array, cx[s, b:b + 1], pooling=layer.pooling)
                if len(x):
                    hy[s, b] = h[0, -1]
                cy[s, b] = c[0]
                outputs.append(h[0, turn])
            x = numpy.concatenate(outputs, axis=1)
        ys.append(x)
    return hy, cy, ys


links = pytest.mark.parametrize('link', [NStepQRNN, NStepBiQRNN])


@links
@pytest.mark.parametrize('options', [
    {}, {'kernel_size': 2}, {'kernel_size': 3, 'pooling': 'ifo'},
    {'n_layers': 3, 'kernel_size': (1, 2, 4), 'pooling': 'f'}])
def test_values(link, options):
    rnn = make(link, **options)
    hx, cx, xs = batch(rnn)
    zeros = rnn.init_hx(xs)
    assert zeros.shape == hx.shape and not zeros.array.any()
    for states in (hx, cx), (0 * hx, 0 * cx), (0 * hx, cx), (hx, 0 * cx):
        given = [state if state.any() else None for state in states]
        hy, cy, ys = rnn(*given, xs)
        wanted = expected(rnn, *states, xs)
        for actual, right in zip([hy, cy] + ys, wanted[:2] + tuple(wanted[2])):
            numpy.testing.assert_allclose(
                actual.array, right, rtol=0, atol=1e-12)


@links
def test_alone_and_in_any_order(link):
    """Outputs, states and gradients do not depend on the batch."""
    rnn = make(link)
    hx, cx, xs = batch(rnn)
    ghy, gcy, _ = batch(rnn)
    gys = [uniform(len(x), len(rnn) // rnn.n_layers * 5)
           for x in xs]

    def run(which):
        rnn.cleargrads()
        inputs = [chainer.Variable(a) for a in (hx[:, which], cx[:, which])]
        variables = [chainer.Variable(xs[i]) for i in which]
        hy, cy, ys = rnn(*inputs, variables)
        loss = F.sum(hy * ghy[:, which]) + F.sum(cy * gcy[:, which]) + sum(
            F.sum(y * gys[i]) for y, i in zip(ys, which))
        loss.backward()
        return ([hy.array, cy.array, inputs[0].grad, inputs[1].grad],
                [y.array for y in ys], [x.grad for x in variables],
                [param.grad for param in rnn.params()])

    def assert_close(a, b):
        numpy.testing.assert_allclose(a, b, rtol=0, atol=1e-12)

    states, ys, gxs, params = run(list(range(len(xs))))
    order = [4, 2, 0, 6, 5, 3, 1]
    for which in [order] + [[i] for i in order]:
        states_, ys_, gxs_, params_ = run(which)
        for whole, part in zip(states, states_):
            assert_close(part, whole[:, which])
        for i, y, gx in zip(which, ys_, gxs_):
            assert_close(y, ys[i])
            if len(xs[i]):
                assert_close(gx, gxs[i])
        if which == order:
            sums = params_
            for whole, part in zip(params, params_):
                assert_close(part, whole)
    singles = [run([i])[3] for i in order]
    for whole, parts in zip(sums, zip(*singles)):
        assert_close(sum(parts), whole)


@links
def test_gradients(link):
    rnn = make(link, out_size=2)
    hx, cx, xs = batch(rnn, (3, 0, 12, 2))

    def forward(hx, cx, *xs):
        hy, cy, ys = rnn(hx, cx, list(xs))
        return (hy, cy, *ys)

    outputs = forward(hx, cx, *xs)
    gradient_check.check_backward(
        forward, (hx, cx, *xs),
        tuple(uniform(*y.shape) for y in outputs),
        params=tuple(rnn.params()), dtype='d', atol=1e-6, rtol=1e-5)


def test_dropout():
    rnn = make(NStepQRNN, n_layers=2)
    _, _, xs = batch(rnn, (5, 3))
    rnn.dropout = .5
    with chainer.using_config('train', False):
        still = [rnn(None, None, xs)[2][0].array for _ in range(2)]
    moved = [rnn(None, None, xs)[2][0].array for _ in range(2)]
    assert (still[0] == still[1]).all()
    assert (moved[0] != moved[1]).any()
    one_layer = make(NStepQRNN, n_layers=1)
    one_layer.dropout = .5
    outputs = [one_layer(None, None, xs)[2][0].array for _ in range(2)]
    assert (outputs[0] == outputs[1]).all()


def test_keeps_no_graph():
    rnn = make(NStepQRNN)
    rnn(None, None, batch(rnn)[2])
    assert all(layer.state is None for layer in rnn)


@pytest.mark.parametrize('lengths', [
    (1,), (0,), (0, 0), (1, 1000), (100, 76, 75, 74, 20, 12, 11, 3, 0)])
def test_groups(lengths):
    lengths = numpy.array(lengths)
    groups = n_step_qrnn._groups(lengths)
    assert sorted(sum(groups, [])) == list(range(len(lengths)))
    for group in groups:
        longest = lengths[group].max()
        assert longest - lengths[group].min() <= max(8, longest / 4)


class TestComplaints:

    @pytest.fixture
    def rnn(self):
        return make(NStepQRNN)

    def test_states(self, rnn):
        hx, cx, xs = batch(rnn)
        with pytest.raises(ValueError, match='hx must hold a state for each'):
            rnn(hx[:1], cx, xs)
        with pytest.raises(ValueError, match='cx must hold a state for each'):
            rnn(hx, cx[:, 1:], xs)

    @pytest.mark.parametrize('xs', [[], uniform(3, 4, 5)])
    def test_sequences(self, rnn, xs):
        with pytest.raises(ValueError, match='xs must be a list'):
            rnn(None, None, xs)

    def test_channels(self, rnn):
        with pytest.raises(ValueError, match=r'\(B, T, 3\)'):
            rnn(None, None, [uniform(5, 4)])

    def test_kernel_size(self):
        with pytest.raises(ValueError, match='one for each of the 2 layers'):
            NStepQRNN(2, 3, 5, .1, kernel_size=(1, 2, 3))
