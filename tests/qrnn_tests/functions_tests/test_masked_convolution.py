import chainer
from chainer import gradient_check
from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn import masked_convolution
from qrnn import masked_convolution_ref
from qrnn.functions import last_steps
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


KERNEL_SIZES = 1, 2, 3, 6

kernel_sizes = pytest.mark.parametrize('k', KERNEL_SIZES)


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [
        {'k': 1, 'shape': (1, 1, 1), 'm': 1},
        {'k': 1, 'shape': (3, 5, 7), 'm': 4, 'x0': True, 'lengths': (0, 5, 2)},
        {'k': 2, 'shape': (1, 17, 33), 'm': 7},
        {'k': 2, 'shape': (3, 1, 7), 'm': 33, 'x0': True},
        {'k': 2, 'shape': (3, 5, 7), 'm': 1, 'lookahead': 1},
        {'k': 3, 'shape': (3, 2, 7), 'm': 7, 'x0': True, 'lengths': (2, 1, 0)},
        {'k': 6, 'shape': (3, 17, 1), 'm': 7, 'x0': True},
        {'k': 6, 'shape': (3, 2, 7), 'm': 3, 'x0': True},
        {'k': 6, 'shape': (3, 17, 7), 'm': 3, 'lookahead': 3,
         'lengths': (17, 4, 0)},
        {'k': 3, 'shape': (3, 0, 7), 'm': 2, 'x0': True},
        {'k': 3, 'shape': (0, 5, 7), 'm': 2, 'x0': True, 'lengths': ()},
    ],
))
@helpers.backends
class TestMaskedConvolution(helpers.FunctionTestCase):

    x0 = False
    lengths = None
    lookahead = 0

    def generate_inputs(self):
        B, T, n = self.shape
        shapes = [self.shape, (self.k, n, self.m)] + (
            [(B, self.k - 1, n)] * self.x0)
        x, W, *x0 = (uniform(*s, dtype=self.dtype) for s in shapes)
        return (x, W / (self.k * n), *x0)

    def forward(self, inputs, device):
        return masked_convolution(
            *inputs, lengths=self.lengths, lookahead=self.lookahead),

    def forward_expected(self, inputs):
        y = masked_convolution_ref(
            *inputs, lengths=self.lengths, lookahead=self.lookahead)
        return y.astype(self.dtype),


@kernel_sizes
@pytest.mark.parametrize('T', [0, 1, 'k - 1', 'k', 17])
@pytest.mark.parametrize('some', [False, True])
def test_any_window(k, T, some):
    T = {'k - 1': k - 1, 'k': k}.get(T, T)
    lengths = (T, 0, (T + 1) // 2) if some else None
    for lookahead in range(k):
        for x0 in ([False, True] if lookahead == 0 else [False]):
            inputs = (uniform(3, T, 2), uniform(k, 2, 3)) + (
                (uniform(3, k - 1, 2),) if x0 else ())

            def convolve(*inputs, function=masked_convolution):
                return function(
                    *inputs, lengths=lengths, lookahead=lookahead)

            assert_equal(
                convolve(*inputs),
                convolve(*inputs, function=masked_convolution_ref))
            gradient_check.check_backward(
                convolve, inputs, uniform(3, T, 3), dtype=numpy.float64,
                atol=1e-8, rtol=1e-8)
            gradient_check.check_double_backward(
                convolve, inputs, uniform(3, T, 3),
                tuple(uniform(*a.shape) for a in inputs), dtype=numpy.float64,
                atol=1e-7, rtol=1e-7)


def test_definition():
    x = numpy.array([[[1.], [2.], [3.]]])
    W = numpy.array([[[100.]], [[10.]], [[1.]]])
    x0 = numpy.array([[[8.], [9.]]])
    for function in masked_convolution, masked_convolution_ref:
        for options, expected in [
                ({}, [1, 12, 123]),
                ({'x0': x0}, [891, 912, 123]),
                ({'lookahead': 1}, [12, 123, 230]),
                ({'lookahead': 2}, [123, 230, 300]),
                ({'lengths': [2]}, [1, 12, 0]),
                ({'lengths': [2], 'lookahead': 1}, [12, 120, 0])]:
            assert_equal(
                function(x, W, **options),
                numpy.array(expected, float)[None, :, None])


@kernel_sizes
def test_sees_the_window_and_nothing_else(k):
    T = 9
    for lookahead in range(k):
        x, W = variables(uniform(1, T, 2), uniform(k, 2, 3))
        y = masked_convolution(x, W, lookahead=lookahead)
        for t in range(T):
            gx, = gradients(
                [y[:, t]], [x], variables(uniform(1, 3)))
            seen, = gx[0].any(axis=1).nonzero()
            assert_equal(seen, numpy.arange(
                max(0, t - (k - 1 - lookahead)), min(T, t + lookahead + 1)))


@kernel_sizes
def test_window_spanning_two_calls(k):
    x, W = uniform(2, 9, 3), uniform(k, 3, 4)
    whole = masked_convolution(x, W).array
    for cut in range(10):
        x0 = last_steps(x[:, :cut], k - 1)
        assert_equal(masked_convolution(x[:, cut:], W, x0), whole[:, cut:])


@kernel_sizes
@pytest.mark.parametrize('padding', [numpy.nan, 1e30])
def test_padding_may_hold_anything(k, padding):
    lengths = numpy.array([2, 4, 0])
    past = numpy.arange(4) >= lengths[:, None]
    x, W, gy = uniform(3, 4, 2), uniform(k, 2, 3), uniform(3, 4, 3)
    for lookahead in range(k):
        for double in False, True:
            def run(x):
                x, W_, gy_ = variables(x, W, gy)
                y = masked_convolution(x, W_, None, lengths, lookahead)
                return [y.array] + gradients(
                    [y], [x, W_], [gy_], double)

            expected = run(x)
            assert (expected[0][past] == 0).all()
            assert (expected[1][past] == 0).all()
            assert_equal(run(numpy.where(past[:, :, None], padding, x)),
                         expected)


@kernel_sizes
def test_strided_inputs_and_gradients(k):
    x = uniform(3, 5, 2, 4)[:, :, 1].transpose(1, 0, 2)
    W = uniform(k, 6, 4).transpose(0, 2, 1)[:, :, ::2]
    x0 = uniform(4, k - 1, 5).T
    gy = numpy.broadcast_to(uniform(3), (5, 3, 3))

    def run(*arrays):
        x, W, x0, gy = variables(*arrays)
        y = masked_convolution(x, W, x0)
        return [y] + gradients([y], [x, W, x0], [gy])

    strided = x, W, x0, gy
    copies = [a.copy() for a in strided]
    assert_equal(run(*strided), run(*copies))
    assert_equal(list(strided), copies, 0)


@pytest.mark.parametrize('n_steps', [0, 1, 2, 5])
@pytest.mark.parametrize('T', [0, 1, 3, 5])
@pytest.mark.parametrize('x0', [False, True])
@pytest.mark.parametrize('some', [False, True])
def test_last_steps(n_steps, T, x0, some):
    lengths = [T, 0, T // 2]
    x, x0 = variables(
        uniform(3, T, 2), uniform(3, n_steps, 2) if x0 else None)
    y = last_steps(x, n_steps, x0, lengths if some else None)
    before = numpy.zeros((3, n_steps, 2)) if x0 is None else x0.array
    row = numpy.concatenate((before, x.array), axis=1)
    ends = [n_steps + n for n in (lengths if some else [T] * 3)]
    assert_equal(y, numpy.array(
        [row[b, end - n_steps:end] for b, end in enumerate(ends)]))

    inputs = [v for v in (x, x0) if v is not None]
    gy = chainer.Variable(uniform(3, n_steps, 2))
    grow = numpy.zeros(row.shape)
    for b, end in enumerate(ends):
        grow[b, end - n_steps:end] = gy.array[b]
    gx = gradients([y], inputs, [gy])
    assert_equal(gx, [grow[:, n_steps:], grow[:, :n_steps]][:len(gx)])


def test_wrong_arguments():
    x, W = numpy.zeros((2, 5, 3), 'f'), numpy.zeros((3, 3, 4), 'f')
    for options in [{'lookahead': 3}, {'lookahead': -1}, {'lengths': [1]},
                    {'lookahead': 1, 'x0': numpy.zeros((2, 2, 3), 'f')},
                    {'lengths': [1, 6]}]:
        with pytest.raises(ValueError):
            masked_convolution(x, W, **options)


@pytest.mark.parametrize('shapes', [
    [(2, 5), (3, 3, 4)], [(2, 5, 3), (3, 4)], [(2, 5, 3), (3, 2, 4)],
    [(2, 5, 3), (0, 3, 4)], [(2, 5, 3), (3, 3, 4), (2, 3, 3)],
    [(2, 5, 3), (3, 3, 4), (1, 2, 3)], [(2, 5, 3), (3, 3, 4), (2, 2, 4)],
    [(2, 5, 3), (3, 3, 4), (2, 3)]])
def test_wrong_shapes(shapes):
    with pytest.raises(type_check.InvalidType):
        masked_convolution(*(numpy.zeros(s, 'f') for s in shapes))


@pytest.mark.parametrize('dtypes', ['fdf', 'ffd', 'iii'])
def test_wrong_dtypes(dtypes):
    shapes = (2, 5, 3), (3, 3, 4), (2, 2, 3)
    with pytest.raises(type_check.InvalidType):
        masked_convolution(*(
            numpy.zeros(s, d) for s, d in zip(shapes, dtypes)))
