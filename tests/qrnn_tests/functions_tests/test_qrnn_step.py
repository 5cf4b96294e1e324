import chainer
from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn import masked_convolution
from qrnn import qrnn_pooling
from qrnn.functions import qrnn_step
from qrnn.functions import qrnn_step_ref
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


GATES = {'f': 2, 'fo': 3, 'if': 3, 'ifo': 4}

poolings = pytest.mark.parametrize('pooling', list(GATES))


def arguments(B, n, C, k, pooling, bias=None, c0=False, x0=False,
              dtype=numpy.float64):
    """Return random arrays (x, W, b, c0, x0) for qrnn_step."""
    channels = GATES[pooling] * C
    bias_shape = {'one': (channels,), 'each': (B, channels)}.get(bias)
    return [
        uniform(B, n, dtype=dtype),
        uniform(k, n, channels, dtype=dtype) / dtype(k * n),
        None if bias is None else uniform(*bias_shape, dtype=dtype),
        uniform(B, C, dtype=dtype) if c0 else None,
        uniform(B, k - 1, n, dtype=dtype) if x0 else None,
    ]


@testing.parameterize(*testing.product_dict(
    [{'pooling': pooling} for pooling in GATES],
    testing.product_dict([{'dtype': dtype} for dtype in helpers.DTYPES], [
        {'B': 1, 'n': 1, 'C': 1, 'k': 1},
        {'B': 3, 'n': 7, 'C': 33, 'k': 2, 'bias': 'one', 'c0': True,
         'x0': True},
        {'B': 1, 'n': 33, 'C': 7, 'k': 2, 'bias': 'each', 'c0': True},
        {'B': 3, 'n': 2, 'C': 7, 'k': 3, 'x0': True, 'given': (0, 0, 1)},
        {'B': 3, 'n': 2, 'C': 7, 'k': 3, 'c0': True, 'given': (0, 1, 0)},
        {'B': 3, 'n': 2, 'C': 7, 'k': 4, 'bias': 'one', 'x0': True,
         'given': (1, 0, 0)},
        {'B': 3, 'n': 5, 'C': 2, 'k': 2, 'bias': 'each', 'c0': True,
         'zoneout': .4},
        {'B': 0, 'n': 5, 'C': 7, 'k': 2, 'bias': 'one', 'c0': True,
         'x0': True},
    ]) + testing.product_dict([{'dtype': numpy.float64}], [
        # There are few cases, because Numba compiles a loop for each
        # combination of activations and dtype.
        {'B': 3, 'n': 5, 'C': 2, 'k': 2, 'bias': 'one', 'c0': True,
         'activations': {'z': 'identity', 'o': 'tanh', 'i': 'tanh'}},
        {'B': 3, 'n': 5, 'C': 7, 'k': 2, 'bias': 'one', 'c0': True,
         'x0': True, 'gated': False},
    ]),
))
@helpers.backends
class TestQRNNStep(helpers.FunctionTestCase):

    bias = activations = None
    c0 = x0 = False
    zoneout = 0.  # if nonzero, the expected value of f replaces f
    gated = True
    given = 1, 1, 1  # per output: 1 if it receives a gradient, else 0

    def generate_inputs(self):
        arrays = arguments(self.B, self.n, self.C, self.k, self.pooling,
                           self.bias, self.c0, self.x0, self.dtype)
        self.is_given = [a is not None for a in arrays]
        self.options = {
            'pooling': self.pooling, 'activations': self.activations,
            'zoneout': self.zoneout, 'zoneout_expectation': True,
            'gated': self.gated or 'o' not in self.pooling}
        return tuple(a for a in arrays if a is not None)

    def unpack(self, inputs):
        inputs = iter(inputs)
        return [next(inputs) if given else None for given in self.is_given]

    def forward(self, inputs, device):
        with chainer.using_config('train', False):
            return qrnn_step(*self.unpack(inputs), **self.options)

    def forward_expected(self, inputs):
        outputs = qrnn_step_ref(*self.unpack(inputs), **self.options)
        return tuple(y.astype(self.dtype) for y in outputs)

    def generate_grad_outputs(self, outputs_template):
        grads = super().generate_grad_outputs(outputs_template)
        return tuple(g if given else None
                     for g, given in zip(grads, self.given))


def test_definition():
    # Saturated gates are 0 or 1. The state becomes z if f = 0, and does not
    # change if f = 1.
    x, c0 = numpy.ones((1, 1)), numpy.array([[5.]])
    for f, o, expected in [(-99, 99, (1, 1)), (99, 99, (5, 5)),
                           (99, -99, (0, 5))]:
        W = numpy.array([[[f, 99., o]]])
        for function in qrnn_step, qrnn_step_ref:
            h, c, x_last = function(x, W, None, c0)
            assert_equal([h, c], [numpy.array([[y]]) for y in expected])
            assert x_last.shape == (1, 0, 1)


@poolings
@pytest.mark.parametrize('B', [1, 3])
def test_steps_equal_a_sequence(pooling, B):
    """Single steps give the same values and gradients as whole sequences."""
    T, n, C, k = 5, 3, 7, 3
    x, W, b, c0, x0 = inputs = variables(*arguments(
        B, n, C, k, pooling, 'one', True, True))
    xs = chainer.Variable(uniform(B, T, n))
    inputs = [xs, W, b, c0, x0]
    h, _, c_last = qrnn_pooling(
        masked_convolution(xs, W, x0), b, c0, pooling=pooling)
    gh, gc = variables(uniform(*h.shape), uniform(*c_last.shape))
    expected = [h, c_last] + gradients([h, c_last], inputs, [gh, gc])
    hs, c = [], c0
    for t in range(T):
        h_t, c, x0 = qrnn_step(xs[:, t], W, b, c, x0, pooling)
        hs.append(h_t)
    h = chainer.functions.stack(hs, axis=1)
    assert_equal([h, c] + gradients([h, c], inputs, [gh, gc]), expected)


@poolings
@pytest.mark.parametrize('dtype', helpers.DTYPES)
def test_outputs_own_their_memory(pooling, dtype):
    arrays = arguments(3, 5, 7, 2, pooling, 'one', True, True, dtype)
    copies = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    outputs = [y.array for y in qrnn_step(*arrays, pooling=pooling)]
    for i, y in enumerate(outputs):
        for other in arrays + outputs[:i]:
            assert not numpy.shares_memory(y, other)
        assert y.base is None or y.base.size == y.size
    assert_equal(arrays, copies, 0)


@pytest.mark.parametrize('dtype', helpers.DTYPES)
def test_any_strides(dtype):
    arrays = arguments(3, 5, 7, 3, 'fo', 'each', True, True, dtype)
    expected = qrnn_step(*arrays)
    apart = [numpy.stack([a, a * 0], axis=-1)[..., 0] for a in arrays]
    turned = [numpy.asfortranarray(a) for a in arrays]
    repeated = [numpy.broadcast_to(a[:1], a.shape) for a in arrays]
    # BLAS may round differently if the strides differ.
    atol = helpers.TOLERANCES[dtype][0]['atol']
    for strided in apart, turned:
        assert_equal(qrnn_step(*strided), expected, atol)
    assert_equal(qrnn_step(*repeated),
                 qrnn_step(*(a.copy() for a in repeated)), atol)


@poolings
def test_gradients_of_some_inputs_only(pooling):
    arrays = arguments(3, 5, 7, 2, pooling, 'each', True, True)
    vs = variables(*arrays)
    ys = qrnn_step(*vs, pooling=pooling)
    gys = variables(*(uniform(*y.shape) for y in ys))
    expected = gradients(ys, vs, gys)
    assert_equal(gradients(ys, vs, gys, double=True), expected)
    for i in range(len(arrays)):
        inputs = list(arrays)
        inputs[i] = chainer.Variable(arrays[i])
        ys = qrnn_step(*inputs, pooling=pooling)
        assert_equal(gradients(ys, [inputs[i]], gys), [expected[i]])


@poolings
def test_backward_spoils_nothing(pooling):
    vs = variables(*arguments(3, 5, 7, 3, pooling, 'one', True, True))
    ys = qrnn_step(*vs, pooling=pooling)
    gys = variables(*(uniform(*y.shape) for y in ys))
    kept = [v.array.copy() for v in vs + list(ys) + gys]
    first = gradients(ys, vs, gys)
    assert_equal(gradients(ys, vs, gys), first, 0)
    assert_equal(vs + list(ys) + gys, kept, 0)


@poolings
def test_zoneout_mask_equals_the_mask_for_sequences(pooling):
    """With the same seed, qrnn_step and qrnn_pooling draw the same mask."""
    vs = variables(*arguments(3, 5, 33, 2, pooling, 'one', True, True))
    x, W, b, c0, x0 = vs
    gys = variables(uniform(3, 33), uniform(3, 33))
    numpy.random.seed(5)
    h, _, c = qrnn_pooling(masked_convolution(x[:, None], W, x0), b, c0,
                           pooling=pooling, zoneout=.5)
    expected = [h[:, 0], c] + gradients([h[:, 0], c], vs, gys)
    numpy.random.seed(5)
    h, c, _ = qrnn_step(*vs, pooling=pooling, zoneout=.5)
    assert (c.array != qrnn_step(*vs, pooling=pooling)[1].array).any()
    assert_equal([h, c] + gradients([h, c], vs, gys), expected)
    assert_equal(gradients([h, c], vs, gys, double=True), expected[2:])


@pytest.mark.parametrize('size', [(300, 201), (3, 20001)])
def test_more_than_one_thread(size, monkeypatch):
    B, C = size
    arrays = arguments(B, 2, C, 2, 'fo', 'each', True, True)
    actual = qrnn_step(*arrays)
    assert_equal(actual, qrnn_step_ref(*arrays))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert_equal(qrnn_step(*arrays), actual, 0)


def test_wrong_arguments():
    arrays = arguments(3, 5, 7, 2, 'f')
    for options in [{'pooling': 'of'}, {'zoneout': 1.5},
                    {'activations': {'z': 'relu'}},
                    {'pooling': 'f', 'gated': False}]:
        with pytest.raises(ValueError):
            qrnn_step(*arrays, **options)


@pytest.mark.parametrize('changed', [
    {'x': (3, 1, 5)}, {'x': (3, 4)}, {'x': (2, 5)}, {'W': (10, 21)},
    {'W': (2, 4, 21)}, {'W': (2, 5, 20)}, {'b': (20,)}, {'b': (2, 21)},
    {'b': (3, 1, 21)}, {'c0': (3, 6)}, {'c0': (2, 7)}, {'c0': (3, 1, 7)},
    {'x0': (3, 5)}, {'x0': (3, 2, 5)}, {'x0': (2, 1, 5)}, {'x0': (3, 1, 4)}])
@pytest.mark.parametrize('with_graph', [False, True])
def test_wrong_shapes(changed, with_graph):
    shapes = {'x': (3, 5), 'W': (2, 5, 21), 'b': (21,), 'c0': (3, 7),
              'x0': (3, 1, 5), **changed}
    with pytest.raises(type_check.InvalidType), chainer.using_config(
            'enable_backprop', with_graph):
        qrnn_step(**{name: chainer.Variable(numpy.zeros(shape, 'f'))
                     for name, shape in shapes.items()})


@pytest.mark.parametrize('dtypes', ['dffff', 'fdfff', 'ffdff', 'fffdf',
                                    'ffffd', 'iiiii'])
def test_wrong_dtypes(dtypes):
    arrays = arguments(3, 5, 7, 2, 'fo', 'one', True, True)
    with pytest.raises(type_check.InvalidType):
        qrnn_step(*(a.astype(dtype) for a, dtype in zip(arrays, dtypes)))
