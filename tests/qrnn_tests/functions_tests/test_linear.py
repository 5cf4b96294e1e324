from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn.functions import linear
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [
        {'shape': (1, 1), 'm': 1},
        {'shape': (7,), 'm': 3, 'bias': True},
        {'shape': (3, 7), 'm': 33, 'bias': True},
        {'shape': (70, 7), 'm': 5, 'bias': True},
        {'shape': (3, 5, 7), 'm': 2},
        {'shape': (3, 0, 7), 'm': 2, 'bias': True},
        {'shape': (0, 7), 'm': 2},
        {'shape': (3, 0), 'm': 2, 'bias': True},
    ],
))
@helpers.backends
class TestLinear(helpers.FunctionTestCase):

    bias = False

    def generate_inputs(self):
        n = self.shape[-1]
        shapes = [self.shape, (self.m, n)] + self.bias * [(self.m,)]
        x, W, *b = (uniform(*s, dtype=self.dtype) for s in shapes)
        return (x, W / max(n, 1), *b)

    def forward(self, inputs, device):
        return linear(*inputs),

    def forward_expected(self, inputs):
        x, W, *b = (a.astype('d') for a in inputs)
        return sum(b, x @ W.T).astype(self.dtype),


def test_any_strides():
    x, W = uniform(3, 5, 7), uniform(2, 7)
    expected = linear(x, W)
    assert_equal(linear(numpy.asfortranarray(x), W.T.copy().T), expected)
    assert_equal(linear(x[::-1], W), expected[::-1])


@pytest.mark.parametrize('dtype', helpers.DTYPES)
def test_large_weights(dtype, monkeypatch):
    # With a single row and at least 2**21 weights, a loop replaces BLAS.
    x = uniform(1, 700, dtype=dtype)
    W = (uniform(3001, 700) / 700).astype(dtype)
    y, expected = linear(x, W), x.astype('d') @ W.T.astype('d')
    numpy.testing.assert_allclose(
        y.array, expected, **helpers.TOLERANCES[dtype][0])
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert_equal(linear(x, W), y, 0)
    W[5] = numpy.nan
    assert numpy.isnan(linear(x, W).array[0]).nonzero()[0].tolist() == [5]


@pytest.mark.parametrize('shapes', [
    [(3, 4), (2, 3)], [(3, 4), (4,)], [(3, 4), (2, 4), (3,)],
    [(3, 4), (2, 4), (1, 2)], [(), (2, 4)]])
def test_wrong_shapes(shapes):
    with pytest.raises(type_check.InvalidType):
        linear(*(numpy.zeros(s, 'f') for s in shapes))


@pytest.mark.parametrize('dtypes', ['fd', 'df', 'ii'])
def test_wrong_dtypes(dtypes):
    with pytest.raises(type_check.InvalidType):
        linear(*(numpy.zeros((3, 3), d) for d in dtypes))
