import chainer
import chainer.functions as F
from chainer import testing
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import BiQRNNStack
from qrnn import masked_convolution_ref
from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNN
from qrnn import qrnn_pooling_ref
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn import QRNNState
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


GATES = {'f': 2, 'fo': 3, 'ifo': 4}

kernel_sizes = pytest.mark.parametrize('k', [1, 2, 3, 6])


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [
        {'shape': (1, 1, 1), 'm': 1},
        {'shape': (3, 17, 7), 'm': 33, 'options': {'pooling': 'f'}},
        {'shape': (3, 5, 33), 'm': 7, 'options': {
            'pooling': 'ifo', 'kernel_size': 1}},
        {'shape': (3, 2, 7), 'm': 5, 'options': {'kernel_size': 3},
         'lengths': (2, 0, 1)},
        {'shape': (1, 17, 7), 'm': 5, 'options': {'kernel_size': 6}},
        {'shape': (3, 9, 7), 'm': 5, 'lengths': (9, 2, 5), 'options': {
            'kernel_size': 6, 'lookahead': 3}},
        {'shape': (3, 0, 7), 'm': 5},
        {'shape': (0, 5, 7), 'm': 5},
    ],
))
@helpers.backends
class TestQRNNLayer(helpers.LinkTestCase):

    param_names = 'W', 'b'
    options = {}
    lengths = None

    def generate_params(self):
        k = self.options.get('kernel_size', 2)
        gates_size = GATES[self.options.get('pooling', 'fo')] * self.m
        n = self.shape[2]
        return uniform(gates_size, k * n) / (k * n), uniform(gates_size)

    def create_link(self, initializers):
        initialW, initial_bias = initializers
        with chainer.using_config('dtype', self.dtype):
            return QRNNLayer(
                self.shape[2], self.m, initialW=initialW,
                initial_bias=initial_bias, **self.options)

    def generate_inputs(self):
        return uniform(*self.shape, dtype=self.dtype),

    def forward(self, link, inputs, device):
        return link(*inputs, self.lengths),

    def forward_expected(self, link, inputs):
        x, = inputs
        u = masked_convolution_ref(
            x, link.W.array, lengths=self.lengths, lookahead=link.lookahead)
        h, _, _ = qrnn_pooling_ref(
            u, link.b.array, lengths=self.lengths, pooling=link.pooling)
        return h.astype(self.dtype),


# The equations of the paper

def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def decode_by_hand(layer, x, encoder_c=None, encoder_h=None):
    """Apply equations 1, 3 to 5, 7 and 8 of the paper to one sequence."""
    k, m = layer.kernel_size, layer.out_size
    W, b, V = layer.W.array, layer.b.array, layer.V.W.array
    c = numpy.zeros(m) if encoder_c is None else encoder_c[-1]
    hs = []
    for t in range(len(x)):
        a = b + V @ encoder_h[-1]
        for j in range(k):
            if t - j >= 0:
                a = a + x[t - j] @ W[k - 1 - j]
        f, z = sigmoid(a[:m]), numpy.tanh(a[m:2 * m])
        if layer.pooling == 'ifo':
            c = f * c + sigmoid(a[3 * m:]) * z
        else:
            c = f * c + (1 - f) * z
        h = c
        if layer.attention:
            alpha = numpy.exp(encoder_h @ c)
            alpha /= alpha.sum()
            W_k, W_c = numpy.split(layer.attend.W.array, 2, axis=1)
            h = W_k @ (alpha @ encoder_h) + W_c @ c + layer.attend.b.array
        if layer.pooling != 'f':
            h = sigmoid(a[2 * m:3 * m]) * h
        hs.append(h)
    return numpy.array(hs)


@kernel_sizes
@pytest.mark.parametrize('pooling, attention', [
    ('f', False), ('fo', False), ('ifo', False), ('fo', True), ('ifo', True)])
@pytest.mark.parametrize('with_c', [False, True])
def test_decoder_and_attention_by_hand(pooling, k, attention, with_c):
    B, S, T, n, m = 3, 6, 5, 4, 7
    layer = randomize(QRNNLayer(
        n, m, k, attention, decoder=True, pooling=pooling, encoder_size=m))
    x, h, lengths = uniform(B, T, n), uniform(B, S, m), [6, 1, 4]
    c = uniform(B, S, m) if with_c else None
    expected = numpy.array([
        decode_by_hand(layer, x[b], None if c is None else c[b, :end],
                       h[b, :end])
        for b, end in enumerate(lengths)])
    layer.init(c, h, lengths)
    assert_equal(layer(x), expected)
    layer.init(encoder_c=c, encoder_h=h, lengths=lengths)
    for t in range(T):
        assert_equal(layer(x[:, t]), expected[:, t])
    # With target lengths, outputs after the end of a sequence are 0.
    layer.init(c, h, lengths)
    y = layer(x, [0, 5, 2]).array
    for b, end in enumerate([0, 5, 2]):
        assert_equal(y[b, :end], expected[b, :end])
        assert not y[b, end:].any()


def test_encoder_of_another_size():
    layer = randomize(QRNNLayer(4, 5, decoder=True, encoder_size=7))
    x, h = uniform(3, 6, 4), uniform(3, 2, 7)
    layer.init(encoder_h=h)
    assert_equal(layer(x), numpy.array(
        [decode_by_hand(layer, *a) for a in zip(x, 3 * [None], h)]))


def test_encoder_c_stands_for_both():
    x, c = uniform(3, 6, 4), uniform(3, 2, 5)
    layer = randomize(QRNNLayer(4, 5, 2, False, True))
    layer.init(c)
    assert_equal(layer(x), numpy.array(
        [decode_by_hand(layer, *a) for a in zip(x, c, c)]))
    layer = randomize(QRNNLayer(4, 5, 2, True, True))
    layer.init(c)
    assert_equal(layer(x), numpy.array(
        [decode_by_hand(layer, *a) for a in zip(x, 3 * [None], c)]))


def test_call_of_the_original():
    layer = QRNNLayer(4, 5, 2, True, True)
    assert (layer.kernel_size, layer.attention, layer.decoder) == (
        2, True, True)
    layer.init(uniform(3, 6, 5), uniform(3, 6, 5))
    assert layer(uniform(3, 7, 4)).shape == (3, 7, 5)


def test_single_step_with_lookahead_is_rejected():
    layer = QRNNLayer(2, 3, 2, lookahead=1)
    layer(uniform(1, 5, 2))
    with pytest.raises(ValueError, match='whole sequences'):
        layer(uniform(1, 2))


def test_wrong_options():
    for options in [
            {'pooling': 'fio'}, {'kernel_size': 0}, {'kernel_size': -1},
            {'attention': True, 'pooling': 'f'}, {'zoneout': 1.1},
            {'lookahead': 1, 'save_state': True},
            {'lookahead': 2}, {'lookahead': -1},
            {'attention': True, 'encoder_size': 4}]:
        with pytest.raises(ValueError):
            QRNNLayer(2, 3, **options)


# Zoneout

@pytest.mark.parametrize('pooling', ['f', 'fo'])
def test_zoneout(pooling):
    layer = randomize(QRNNLayer(4, 50, pooling=pooling, zoneout=.3))
    x, c0 = uniform(40, 9, 4), uniform(40, 50)
    layer.state = c0, uniform(40, 1, 4)
    kept = []
    for t in range(9):
        before = layer.state.c.array
        layer(x[:, t])
        # Zoneout copies cells, so cells that are kept are exactly equal.
        kept.append(layer.state.c.array == before)
    assert abs(numpy.mean(kept) - .3) < .015
    assert abs(numpy.mean(kept[0] & kept[1]) - .09) < .03
    with chainer.using_config('train', False):
        before = layer.state.c.array
        layer(x[:, 0])
        assert not (layer.state.c.array == before).any()
        layer(x)
        expected, layer.zoneout = layer(x).array, 0
        assert_equal(layer(x), expected, 0)
    assert_equal(layer(x), expected, 0)


@pytest.mark.parametrize('pooling', ['f', 'fo', 'if', 'ifo'])
def test_expectation_under_zoneout(pooling):
    layer = randomize(QRNNLayer(
        4, 5, pooling=pooling, zoneout=.3, zoneout_expectation=True,
        save_state=True))
    x = uniform(3, 7, 4)
    expected = qrnn_pooling_ref(
        masked_convolution_ref(x, layer.W.array), layer.b.array,
        pooling=pooling, zoneout=.3, zoneout_expectation=True)[0]
    with chainer.using_config('train', False):
        assert_equal(layer(x), expected)
        layer.reset_state()
        assert_equal(helpers.feed(layer, x, [2, 'step', 'step', 3]), expected)


@pytest.mark.parametrize('link', [
    lambda **options: QRNNStack(2, 4, 5, **options),
    lambda **options: BiQRNNLayer(4, 5, **options),
    lambda **options: BiQRNNStack(2, 4, 5, **options),
    lambda **options: NStepQRNN(2, 4, 5, 0, **options),
    lambda **options: NStepBiQRNN(2, 4, 5, 0, **options),
    lambda **options: QRNN(4, 5, **options)])
def test_links_have_zoneouts_expectation(link):
    layers = [each for each in link(zoneout_expectation=True).links()
              if isinstance(each, QRNNLayer)]
    assert layers and all(layer.zoneout_expectation for layer in layers)


# Serialization, copies and devices

def test_serialization(tmp_path):
    path = str(tmp_path / 'layer.npz')
    x = uniform(3, 5, 4)
    for options in {}, {'decoder': True}, {'attention': True}:
        saved = randomize(QRNNLayer(4, 6, 3, **options))
        chainer.serializers.save_npz(path, saved)
        for in_size in 4, None:
            loaded = QRNNLayer(in_size, 6, 3, **options)
            chainer.serializers.load_npz(path, loaded)
            encoder_h = uniform(3, 2, 6) if options else None
            for layer in saved, loaded:
                layer.init(encoder_h=encoder_h)
            assert_equal(loaded(x), saved(x), 0)
            with pytest.raises(ValueError, match=r'\(B, T, 4\)'):
                loaded(uniform(3, 5, 7))


def test_in_size_from_the_first_input():
    layer = QRNNLayer(None, 6, 3)
    assert layer.in_size is None
    layer.to_device('@numpy')
    assert layer(uniform(2, 5, 4)).shape == (2, 5, 6)
    assert layer.in_size == 4
    assert layer.W.shape == (3, 4, 18)
    with pytest.raises(ValueError, match=r'\(B, T, 4\)'):
        layer(uniform(2, 5, 3))
    assert QRNNLayer(None, 6)(uniform(2, 4)).shape == (2, 6)


def test_saving_before_the_first_input(tmp_path):
    path = str(tmp_path / 'layer.npz')
    chainer.serializers.save_npz(path, QRNNLayer(None, 6))
    layer = QRNNLayer(None, 6)
    chainer.serializers.load_npz(path, layer)
    assert layer(uniform(2, 5, 4)).shape == (2, 5, 6)


def test_copy_with_new_weights():
    layer = QRNNLayer(4, 6)
    first, second = layer.repeat(2)
    assert first.W.shape == second.W.shape == layer.W.shape
    assert abs(first.W.array - second.W.array).max() > 1e-3


@pytest.mark.parametrize('name', ['float16', 'float32', 'mixed16'])
@pytest.mark.parametrize('options', [{}, {'attention': True}])
def test_dtype_of_the_configuration(name, options):
    configured = chainer.mixed16 if name == 'mixed16' else numpy.dtype(name)
    with chainer.using_config('dtype', configured):
        dtype = chainer.get_dtype()
        layer = QRNNLayer(4, 6, 3, **options)
        assert all(p.dtype == dtype for p in layer.params())
        if options:
            layer.init(encoder_h=uniform(3, 2, 6, dtype=dtype), lengths=[
                2, 0, 1])
        layer.cleargrads()
        x = chainer.Variable(uniform(3, 5, 4, dtype=dtype))
        y = layer(x, [5, 0, 2])
        F.sum(y + F.expand_dims(layer(x[:, 0]), 1)).backward()
        for v in [y, x.grad_var, *layer.state] + [
                p.grad_var for p in layer.params()]:
            assert v.dtype == dtype
            assert numpy.isfinite(v.array).all()


def test_initializers():
    layer = QRNNLayer(100, 50, 4)
    assert not layer.b.array.any()
    # The standard deviation of the filters is 1 / sqrt(k * n).
    assert abs(layer.W.array.std() - 400 ** -.5) < 1e-3
    layer = QRNNLayer(
        3, 4, initialW=chainer.initializers.Uniform(.1, numpy.float32),
        initial_bias=chainer.initializers.Constant(2, numpy.float32))
    assert .05 < abs(layer.W.array).max() <= .1
    assert (layer.b.array == 2).all()
    assert layer.W.dtype == layer.b.dtype == numpy.float32
    W = uniform(12, 6)
    layer = QRNNLayer(3, 4, initialW=W)
    assert_equal(layer.W, W.T.reshape(2, 3, 12))
    assert QRNNLayer(3, 4, initialW=.5).W.array.min() == .5


# Memory

def test_no_backprop_mode():
    layer = QRNNLayer(4, 6, 3)
    with chainer.no_backprop_mode():
        y = layer(uniform(3, 5, 4))
    assert y.creator is None
    assert [part.creator for part in layer.state] == [None, None]


def test_state_is_a_named_tuple():
    layer = QRNNLayer(4, 6, 3)
    layer(uniform(2, 5, 4))
    assert isinstance(layer.state, QRNNState)
    assert layer.state.c.shape == (2, 6)
    assert layer.state.x.shape == (2, 2, 4)
    layer = QRNNLayer(4, 6, 1)
    layer(uniform(2, 5, 4))
    assert layer.state.x is None
