
import chainer
import chainer.functions as F
from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn import qrnn_pooling
from qrnn import qrnn_pooling_ref
from qrnn.kernels import zoneout_mask
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


GATES = {'f': 2, 'fo': 3, 'if': 3, 'ifo': 4}

poolings = pytest.mark.parametrize('pooling', list(GATES))


def arguments(shape, pooling, bias=None, c0=False, lengths=None, mask=False,
              dtype=numpy.float64):
    """Return random arrays (u, b, c0) and options for qrnn_pooling."""
    B, T, C = shape
    channels = GATES[pooling] * C
    bias_shape = {'one': (channels,), 'each': (B, channels)}.get(bias)
    return [
        uniform(B, T, channels, dtype=dtype),
        None if bias is None else uniform(*bias_shape, dtype=dtype),
        uniform(B, C, dtype=dtype) if c0 else None,
    ], {
        'pooling': pooling, 'lengths': lengths,
        'mask': numpy.random.rand(*shape) < .3 if mask else None,
    }


@testing.parameterize(*(testing.product_dict(
    [{'pooling': pooling} for pooling in GATES],
    testing.product_dict([{'dtype': dtype} for dtype in helpers.DTYPES], [
        {'shape': (1, 1, 1)},
        {'shape': (3, 17, 7), 'bias': 'one', 'c0': True},
        {'shape': (3, 2, 33), 'bias': 'each', 'given': (1, 1, 0)},
        {'shape': (1, 17, 33), 'c0': True, 'mask': True},
        {'shape': (3, 5, 7), 'bias': 'one', 'lengths': (5, 0, 2)},
        {'shape': (3, 5, 1), 'bias': 'each', 'c0': True, 'mask': True,
         'lengths': (1, 5, 0)},
        {'shape': (3, 17, 7), 'bias': 'one', 'c0': True, 'zoneout': .1},
        {'shape': (3, 5, 33), 'bias': 'each', 'lengths': (5, 0, 2),
         'zoneout': .6},
        {'shape': (3, 4, 7), 'c0': True, 'given': (0, 0, 1)},
        {'shape': (3, 4, 7), 'c0': True, 'given': (1, 0, 0)},
        {'shape': (3, 4, 7), 'c0': True, 'given': (0, 1, 0),
         'lengths': (1, 4, 0)},
        {'shape': (3, 0, 7), 'bias': 'one'},
        {'shape': (3, 0, 7), 'bias': 'each', 'c0': True,
         'lengths': (0, 0, 0)},
        {'shape': (0, 5, 7), 'bias': 'one', 'c0': True, 'lengths': ()},
    ]) + testing.product_dict([{'dtype': numpy.float64}], [
        # There are few cases, because Numba compiles two loops for each
        # combination of activations and dtype.
        {'shape': (3, 5, 2), 'bias': 'one', 'c0': True, 'mask': True,
         'lengths': (5, 0, 2),
         'activations': {'z': 'identity', 'o': 'tanh', 'i': 'tanh'}},
        {'shape': (3, 5, 7), 'bias': 'one', 'c0': True, 'gated': False},
        {'shape': (3, 5, 2), 'bias': 'each', 'c0': True, 'gated': False,
         'lengths': (5, 0, 2), 'given': (1, 0, 1)},
    ]),
) + [
    {'pooling': 'ifo', 'dtype': numpy.float64, 'shape': (3, 5, 2), 'c0': True,
     'activations': {'z': 'sigmoid', 'o': 'identity', 'i': 'identity'}}]))
@helpers.backends
class TestQRNNPooling(helpers.FunctionTestCase):

    bias = None
    c0 = mask = False
    lengths = activations = None
    zoneout = 0.  # if nonzero, f is replaced by its mean under zoneout
    gated = True
    given = 1, 1, 1  # per output: 1 if it receives a gradient, else 0

    def generate_inputs(self):
        arrays, self.options = arguments(
            self.shape, self.pooling, self.bias, self.c0, self.lengths,
            self.mask, self.dtype)
        self.options.update(
            activations=self.activations, zoneout=self.zoneout,
            zoneout_expectation=bool(self.zoneout),
            gated=self.gated or 'o' not in self.pooling)
        return tuple(a for a in arrays if a is not None)

    def unpack(self, inputs):
        u, *inputs = inputs
        return (u, inputs.pop(0) if self.bias else None,
                inputs.pop(0) if self.c0 else None)

    def forward(self, inputs, device):
        options = dict(self.options, mask=device.send(self.options['mask']))
        with chainer.using_config('train', False):
            return qrnn_pooling(*self.unpack(inputs), **options)

    def forward_expected(self, inputs):
        outputs = qrnn_pooling_ref(*self.unpack(inputs), **self.options)
        return tuple(y.astype(self.dtype) for y in outputs)

    def generate_grad_outputs(self, outputs_template):
        grads = super().generate_grad_outputs(outputs_template)
        return tuple(g if given else None
                     for g, given in zip(grads, self.given))


def run(arrays, options, gys, double=False):
    """Return the outputs of qrnn_pooling and the gradients of its inputs."""
    inputs = variables(*arrays)
    ys = qrnn_pooling(*inputs, **options)
    given = [(y, chainer.Variable(gy)) for y, gy in zip(ys, gys)
             if gy is not None]
    return [y.array for y in ys] + gradients(
        [y for y, _ in given], [v for v in inputs if v is not None],
        [gy for _, gy in given], double)


def output_gradients(shape):
    B, T, C = shape
    return [uniform(B, T, C), uniform(B, T, C), uniform(B, C)]


def test_definition():
    # Saturated gates are 0 or 1. In f- and fo-pooling, the state becomes z if
    # f = 0, and does not change if f = 1.
    u = {'f': [-99, 99, -99], 'z': [99, 99, -99], 'o': [99, -99, 99],
         'i': [99, 99, -99]}
    c0 = numpy.array([[5.]])
    states = {'f': [1, 1, -1], 'fo': [1, 1, -1], 'if': [1, 2, 0],
              'ifo': [1, 2, 0]}
    for pooling, gates in zip(GATES, ('fz', 'fzo', 'fzi', 'fzoi')):
        h, c, c_last = qrnn_pooling(
            numpy.array([u[gate] for gate in gates], float).T[None], c0=c0,
            pooling=pooling)
        expected = numpy.array(states[pooling], float)
        assert_equal(c.array.ravel(), expected)
        assert_equal(c_last.array.ravel(), expected[-1:])
        assert_equal(h.array.ravel(),
                     expected * ([1, 0, 1] if 'o' in pooling else 1))


@poolings
def test_gradients_of_h_and_c_are_added(pooling):
    """Gradients of h and c are added, even in f-pooling, where h equals c."""
    shape = 1, 1, 1
    arrays, options = arguments(shape, pooling)
    gys = output_gradients(shape)
    assert_equal(run(arrays, options, gys, double=True),
                 run(arrays, options, gys))


@poolings
@pytest.mark.parametrize('bias', ['one', 'each'])
def test_gradients_of_some_inputs_only(pooling, bias):
    shape = 3, 4, 2
    arrays, options = arguments(shape, pooling, bias, True)
    gys = output_gradients(shape)
    expected = run(arrays, options, gys)[3:]
    for i in range(3):
        inputs = list(arrays)
        inputs[i] = chainer.Variable(arrays[i])
        ys = qrnn_pooling(*inputs, **options)
        assert_equal(
            gradients(ys, [inputs[i]], variables(*gys)),
            [expected[i]])


@poolings
def test_backward_does_not_modify_its_inputs(pooling):
    shape = 3, 5, 2
    arrays, options = arguments(shape, pooling, 'one', True, (2, 5, 0), True)
    inputs = variables(*arrays)
    ys = qrnn_pooling(*inputs, **options)
    gys = variables(*output_gradients(shape))
    kept = [v.array.copy() for v in inputs + list(ys) + gys]
    first = gradients(ys, inputs, gys)
    assert_equal(gradients(ys, inputs, gys), first, 0)
    assert_equal(inputs + list(ys) + gys, kept, 0)


@poolings
@pytest.mark.parametrize('shape', [
    (2, 700, 201), (2, 3, 70001), (701, 3, 201)])
def test_shapes_larger_than_blocks(pooling, shape, monkeypatch):
    # There are more steps, channels or sequences than a loop processes at
    # once.
    B, T, C = shape
    lengths = numpy.random.randint(T + 1, size=B)
    arrays, options = arguments(shape, pooling, 'each', True, lengths, True)
    gys = output_gradients(shape)
    actual = run(arrays, options, gys)
    assert_equal(actual[:3], qrnn_pooling_ref(*arrays, **options))
    assert_equal(actual, run(arrays, options, gys, double=True), 1e-11)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert_equal(run(arrays, options, gys), actual, 0)


@poolings
@pytest.mark.parametrize('double', [False, True])
def test_padding_is_arbitrary(pooling, double):
    shape = 3, 4, 2
    lengths = 1, 4, 0
    (u, b, c0), options = arguments(shape, pooling, 'one', True, lengths)
    gys = output_gradients(shape)
    expected = run((u, b, c0), options, gys, double)
    u[numpy.arange(4) >= numpy.array(lengths)[:, None]] = numpy.nan
    assert_equal(run((u, b, c0), options, gys, double), expected)


@pytest.mark.parametrize('pooling', ['f', 'fo'])
def test_zoneout_copies_the_state(pooling):
    shape = 20, 30, 40
    (u, b, c0), _ = arguments(shape, pooling, 'one', True, dtype='f')

    def kept():
        c = qrnn_pooling(u, b, c0, pooling=pooling, zoneout=.3)[1].array
        previous = numpy.concatenate((c0[:, None], c[:, :-1]), axis=1)
        return c == previous

    first, second = kept(), kept()
    # The tolerance .01 exceeds 3 standard deviations.
    assert abs(first.mean() - .3) < .01
    # The masks of different calls, steps and channels are independent.
    assert abs((first & second).mean() - .09) < .01
    assert abs((first[:, 1:] & first[:, :-1]).mean() - .09) < .01
    assert abs((first[..., 1:] & first[..., :-1]).mean() - .09) < .01
    with chainer.using_config('train', False):
        assert not kept().any()


@poolings
def test_zoneout_mask_of_the_seed(pooling):
    arrays, options = arguments((2, 9, 3), pooling)
    options.pop('mask')
    numpy.random.seed(5)
    actual = qrnn_pooling(*arrays, **options, zoneout=.5)
    numpy.random.seed(5)
    seed = numpy.random.randint(2 ** 63 - 1, dtype=numpy.int64)
    mask = zoneout_mask(int(seed), .5, (2, 9, 3))
    assert_equal(actual, qrnn_pooling_ref(*arrays, **options, mask=mask))


def test_expectation_in_evaluation_only():
    arrays, options = arguments((2, 9, 3), 'fo')
    options.pop('mask')
    with chainer.using_config('train', False):
        as_it_is = qrnn_pooling(*arrays, **options, zoneout=.5)
        expected = qrnn_pooling(
            *arrays, **options, zoneout=.5, zoneout_expectation=True)
    assert_equal(as_it_is, qrnn_pooling_ref(*arrays, **options), 1e-13)
    assert abs(expected[0].array - as_it_is[0].array).max() > .01
    drawn = [
        numpy.random.seed(5) or qrnn_pooling(
            *arrays, **options, zoneout=.5, zoneout_expectation=flag)
        for flag in (True, False)]
    assert_equal(*drawn, 0)


@poolings
def test_float16_has_a_float32_carry(pooling):
    u = numpy.zeros((1, 4096, GATES[pooling]), numpy.float16)
    u[:, :, 0] = 8  # f = 0.9997, so float16 would round changes of c to 0
    u[:, :, 1] = .5
    inputs = u, None, numpy.zeros((1, 1), numpy.float16)
    actual = qrnn_pooling(*inputs, pooling=pooling)
    expected = qrnn_pooling_ref(*inputs, pooling=pooling)
    for a, e in zip(actual, expected):
        numpy.testing.assert_allclose(a.array, e, rtol=2e-3, atol=1e-4)


@poolings
@pytest.mark.parametrize('dtype', helpers.DTYPES)
def test_saturated_gates(pooling, dtype):
    channels = GATES[pooling] * 4
    u = uniform(2, 3, channels, dtype=dtype)
    u[numpy.random.rand(*u.shape) < .5] = 6e4
    u[numpy.random.rand(*u.shape) < .5] = -6e4
    with numpy.errstate(all='raise', under='ignore'):
        ys = qrnn_pooling(u, pooling=pooling)
    with numpy.errstate(over='ignore'):
        expected = qrnn_pooling_ref(u, pooling=pooling)
    for y, e in zip(ys, expected):
        numpy.testing.assert_allclose(y.array, e, rtol=2e-3, atol=2e-3)


def test_invalid_arguments():
    u = numpy.zeros((2, 3, 12), 'f')
    for options in [{'pooling': 'of'}, {'pooling': ''}, {'zoneout': 1.5},
                    {'zoneout': -.1}, {'lengths': [1]}, {'lengths': [1, 4]},
                    {'lengths': [-1, 3]}, {'lengths': [1., 2.]},
                    {'activations': {'z': 'relu'}},
                    {'activations': {'f': 'tanh'}},
                    {'activations': {'x': 'tanh'}},
                    {'pooling': 'f', 'gated': False}]:
        with pytest.raises(ValueError):
            qrnn_pooling(u, **options)


@pytest.mark.parametrize('inputs', [
    [(2, 3, 11)], [(2, 12)], [(2, 3, 12), (11,)], [(2, 3, 12), (3, 12)],
    [(2, 3, 12), (1, 1, 12)], [(2, 3, 12), (12,), (2, 12)],
    [(2, 3, 12), (12,), (3, 4)], [(2, 3, 12), (12,), (4,)]])
@pytest.mark.parametrize('zoneout', [0, .1])
def test_invalid_shapes(inputs, zoneout):
    with pytest.raises(type_check.InvalidType):
        qrnn_pooling(*(numpy.zeros(s, 'f') for s in inputs), zoneout=zoneout)


@pytest.mark.parametrize('shape', [(2, 3, 5), (2, 1, 4), (2, 4)])
def test_invalid_mask(shape):
    with pytest.raises(type_check.InvalidType):
        qrnn_pooling(numpy.zeros((2, 3, 12), 'f'),
                     mask=numpy.zeros(shape, bool))


@pytest.mark.parametrize('dtypes', ['fdf', 'ffd', 'iff'])
def test_invalid_dtypes(dtypes):
    shapes = (2, 3, 12), (12,), (2, 4)
    with pytest.raises(type_check.InvalidType):
        qrnn_pooling(*(numpy.zeros(s, d) for s, d in zip(shapes, dtypes)))


def test_float16_bias_is_added_in_float32():
    # In float16, 1024 + 0.25 equals 1024.
    u = numpy.array([[[0, 1024]]], 'e')
    b = numpy.array([0, .25], 'e')
    c0 = numpy.array([[-1024]], 'e')
    h, _, _ = qrnn_pooling(
        u, b, c0, pooling='f', activations={'z': 'identity'})
    assert h.array == .125


def test_float16_bias_gradient_is_summed_in_float32():
    # In float16, the sum would stop growing, because 1 + 0.0005 equals 1.
    u = numpy.zeros((4, 2000, 3), 'e')
    b = chainer.Variable(numpy.array([0, 1, 0], 'e'))
    h, _, _ = qrnn_pooling(u, b)
    F.sum(F.cast(h, 'f') * 1e-3).backward()
    expected = chainer.Variable(b.array.astype('d'))
    h, _, _ = qrnn_pooling(u.astype('d'), expected)
    F.sum(h * 1e-3).backward()
    numpy.testing.assert_allclose(
        b.grad, expected.grad, rtol=1e-2, atol=1e-3)
