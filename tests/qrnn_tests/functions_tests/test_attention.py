from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn import attention_sum
from qrnn import attention_sum_ref
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [
        {'shape': (1, 1, 1, 1)},
        {'shape': (3, 17, 1, 33)},
        {'shape': (3, 5, 4, 7), 'lengths': (5, 0, 2)},
        {'shape': (1, 4, 17, 7), 'lengths': (1,)},
        {'shape': (3, 4, 0, 7), 'lengths': (4, 0, 1)},
        {'shape': (3, 0, 4, 7)},
        {'shape': (0, 5, 4, 7), 'lengths': ()},
        {'shape': (3, 5, 2, 40), 'lengths': (5, 0, 2), 'sharing': 4},
        {'shape': (2, 5, 6, 7), 'sharing': 3},
        {'shape': (3, 9, None, 7), 'lengths': (5, 9, 2)},
        {'shape': (2, 9, None, 33), 'lengths': (0, 9), 'sharing': 5},
    ],
))
@helpers.backends
class TestAttentionSum(helpers.FunctionTestCase):

    lengths = None
    sharing = 1  # number of queries of each encoder sequence

    def generate_inputs(self):
        B, S, T, C = self.shape
        steps = () if T is None else (T,)  # None: a single step
        return (uniform(B, S, C, dtype=self.dtype),
                uniform(self.sharing * B, *steps, C, dtype=self.dtype))

    def forward(self, inputs, device):
        return attention_sum(*inputs, lengths=self.lengths),

    def forward_expected(self, inputs):
        context = attention_sum_ref(*inputs, lengths=self.lengths)
        return context.astype(self.dtype),


def test_definition():
    encoding = numpy.array([[[1., 0.], [0., 2.], [7., 7.]]])
    query = numpy.array([[[0., 0.], [numpy.log(3), 0.], [0., 99.]]])
    expected = numpy.array([[[.5, 1.], [.75, .5], [0., 2.]]])
    for function in attention_sum, attention_sum_ref:
        assert_equal(function(encoding, query, [2]), expected)


def test_large_scores():
    encoding = numpy.array([[[200.], [100.]]], 'e')
    query = numpy.array([[[200.], [-200.]]], 'e')
    assert_equal(attention_sum(encoding, query),
                 numpy.array([[[200.], [100.]]], 'e'))


@pytest.mark.parametrize('dtype', ['f', 'd'])
@pytest.mark.parametrize('T', [1, 17])
@pytest.mark.parametrize('strided', [False, True])
def test_strides_and_padding(T, dtype, strided):
    encoding, query = uniform(3, 2 * 19, 37), uniform(3, T, 2 * 37)
    lengths = [19, 0, 7]
    encoding[1:, 14:] = numpy.nan
    encoding, query = (
        (encoding[:, ::2], query[:, :, ::2]) if strided
        else (encoding[:, :19], query[:, :, :37].copy()))
    expected = attention_sum_ref(encoding, query, lengths)
    context = attention_sum(
        encoding.astype(dtype, copy=False), query.astype(dtype, copy=False),
        lengths)
    assert_equal(context, expected, atol=1e-12 if dtype == 'd' else 1e-5)


def test_scores_that_are_not_finite():
    encoding = numpy.ones((1, 3, 2))
    encoding[0, 1] = numpy.inf
    context = attention_sum(encoding, numpy.ones((1, 3, 2))).array
    assert numpy.isnan(context).all()


@pytest.mark.parametrize('lengths', [
    [1], [1, 4], [-1, 0], [1., 2.], [[1, 2]], 3])
def test_wrong_lengths(lengths):
    with pytest.raises(ValueError):
        attention_sum(uniform(2, 3, 4), uniform(2, 5, 4), lengths)


@pytest.mark.parametrize('shapes', [
    [(2, 3, 4), (4,)], [(2, 3, 4), (2, 1, 5, 4)], [(2, 4), (2, 5, 4)],
    [(2, 3, 4), (1, 5, 4)], [(2, 3, 4), (3, 4)], [(0, 3, 4), (3, 4)],
    [(2, 3, 4), (2, 5, 3)]])
def test_wrong_shapes(shapes):
    with pytest.raises(type_check.InvalidType):
        attention_sum(*(uniform(*s) for s in shapes))


@pytest.mark.parametrize('dtypes', ['fd', 'df', 'ii'])
def test_wrong_dtypes(dtypes):
    with pytest.raises(type_check.InvalidType):
        attention_sum(*(numpy.zeros((2, 3, 4), d) for d in dtypes))
