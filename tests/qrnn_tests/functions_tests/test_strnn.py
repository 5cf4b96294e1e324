import chainer
from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn import strnn
from qrnn import strnn_ref
from qrnn import STRNNFunction
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


@testing.parameterize(*testing.product({
    'dtype': helpers.DTYPES,
    'shape': [(1, 1, 1), (3, 2, 7), (1, 17, 33), (3, 17, 1), (3, 0, 7),
              (0, 5, 7)],
    'h0': [True, False],
    'reverse': [True, False],
}))
@helpers.backends
class TestSTRNN(helpers.FunctionTestCase):

    def generate_inputs(self):
        B, T, C = self.shape
        shapes = [self.shape, self.shape] + [(B, C)] * self.h0
        return tuple(uniform(*s, dtype=self.dtype) for s in shapes)

    def forward(self, inputs, device):
        return strnn(*inputs, reverse=self.reverse),

    def forward_expected(self, inputs):
        h = strnn_ref(*inputs, reverse=self.reverse)
        return h.astype(self.dtype),


def test_definition():
    f = numpy.array([[[.5], [2.], [0.]]])
    x = numpy.array([[[1.], [3.], [5.]]])
    h0 = numpy.array([[4.]])
    for function in strnn, strnn_ref:
        assert_equal(function(f, x, h0), numpy.array([[[3.], [9.], [5.]]]))
        assert_equal(function(f, x, h0, reverse=True),
                     numpy.array([[[7.5], [13.], [5.]]]))


def test_call_as_in_published_code():
    f, x, h0 = uniform(2, 3, 32), uniform(2, 3, 32), uniform(2, 32)
    assert_equal(STRNNFunction()(f, x, h0), strnn_ref(f, x, h0))
    assert_equal(STRNNFunction(reverse=True)(f, x), strnn_ref(
        f, x, reverse=True))


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('indexes', [(0,), (1,), (2,), (0, 2)])
def test_gradients_of_some_inputs_only(indexes, reverse):
    inputs = variables(
        uniform(2, 4, 3), uniform(2, 4, 3), uniform(2, 3))
    gh = chainer.Variable(uniform(2, 4, 3))
    h = strnn(*inputs, reverse=reverse)
    expected = gradients([h], inputs, [gh])
    inputs = [v if i in indexes else v.array for i, v in enumerate(inputs)]
    h = strnn(*inputs, reverse=reverse)
    assert_equal(gradients([h], [inputs[i] for i in indexes], [gh]),
                 [expected[i] for i in indexes])


def test_float16_has_a_float32_carry():
    # If h and gx were added up in float16, they would not exceed 0.5.
    f, x = variables(
        numpy.ones((1, 4096, 1), numpy.float16),
        numpy.full((1, 4096, 1), 2. ** -12, numpy.float16))
    h = strnn(f, x)
    assert h.array[0, -1] == 1
    gx, = gradients([h], [x], [x])
    assert gx[0, 0] == 1


@pytest.mark.parametrize('shapes', [
    [(2, 3, 4), (2, 3, 5)], [(2, 3), (2, 3)], [(2, 3, 4)] * 3,
    [(2, 3, 4), (2, 3, 4), (1, 4)], [(2, 3, 4), (2, 3, 4), (2, 5)]])
def test_invalid_shapes(shapes):
    with pytest.raises(type_check.InvalidType):
        strnn(*(numpy.zeros(s) for s in shapes))


@pytest.mark.parametrize('dtypes', ['fdf', 'ffd', 'iii'])
def test_invalid_dtypes(dtypes):
    shapes = (2, 3, 4), (2, 3, 4), (2, 4)
    with pytest.raises(type_check.InvalidType):
        strnn(*(numpy.zeros(s, d) for s, d in zip(shapes, dtypes)))
