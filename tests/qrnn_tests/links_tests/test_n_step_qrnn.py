import chainer
import numpy
import pytest

from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import qrnn_pooling_ref
from qrnn import masked_convolution_ref
from qrnn.links import n_step_qrnn
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


# If the first layer has k > 1, a call with hx warns.
pytestmark = pytest.mark.filterwarnings('ignore:hx does not include')

LENGTHS = 7, 1, 40, 0, 6, 38, 9


def make(link, n_layers=2, in_size=3, out_size=5, **options):
    return randomize(link(n_layers, in_size, out_size, 0., **options))


def batch(rnn, lengths=LENGTHS, n=3):
    shape = len(rnn), len(lengths), rnn.out_size
    hx, cx = (uniform(*shape) for _ in range(2))
    return hx, cx, [uniform(length, n) for length in lengths]


def expected(rnn, hx, cx, xs):
    """Return the expected results, computed for one sequence at a time."""
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
        with pytest.raises(ValueError, match='hx must have a state for each'):
            rnn(hx[:1], cx, xs)
        with pytest.raises(ValueError, match='cx must have a state for each'):
            rnn(hx, cx[:, 1:], xs)

    @pytest.mark.parametrize('xs', [[], uniform(3, 4, 5)])
    def test_sequences(self, rnn, xs):
        with pytest.raises(ValueError, match='xs must be a list'):
            rnn(None, None, xs)

    def test_channels(self, rnn):
        with pytest.raises(ValueError, match=r'\(B, T, 3\)'):
            rnn(None, None, [uniform(5, 4)])

    def test_kernel_size(self):
        with pytest.raises(ValueError, match='for each of the 2 layers'):
            NStepQRNN(2, 3, 5, .1, kernel_size=(1, 2, 3))
