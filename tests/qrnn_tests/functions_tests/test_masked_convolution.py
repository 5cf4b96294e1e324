from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn import masked_convolution
from qrnn import masked_convolution_ref
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


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


@pytest.mark.parametrize('lookahead', [0, 1, 2])
@pytest.mark.parametrize('double', [False, True])
def test_padding_is_arbitrary(lookahead, double):
    lengths = numpy.array([2, 4, 0])
    x, W = uniform(3, 4, 2), uniform(3, 2, 3)

    def run(x):
        inputs = variables(x, W)
        y = masked_convolution(*inputs, None, lengths, lookahead)
        return [y, *gradients([y], inputs, [y], double)]

    expected = run(x.copy())
    x[numpy.arange(4) >= lengths[:, None]] = numpy.nan
    assert_equal(run(x), expected)


def test_invalid_arguments():
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
def test_invalid_shapes(shapes):
    with pytest.raises(type_check.InvalidType):
        masked_convolution(*(numpy.zeros(s, 'f') for s in shapes))


@pytest.mark.parametrize('dtypes', ['fdf', 'ffd', 'iii'])
def test_invalid_dtypes(dtypes):
    shapes = (2, 5, 3), (3, 3, 4), (2, 2, 3)
    with pytest.raises(type_check.InvalidType):
        masked_convolution(*(
            numpy.zeros(s, d) for s, d in zip(shapes, dtypes)))
