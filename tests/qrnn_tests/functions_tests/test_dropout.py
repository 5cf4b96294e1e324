import chainer
from chainer.backends import cuda
from chainer import gradient_check
import chainer.functions as F
import numpy
import pytest

from qrnn.functions import dropout
from qrnn_tests.helpers import DTYPES


@pytest.mark.parametrize('dtype', DTYPES)
def test_values(dtype):
    x = numpy.random.uniform(1, 2, (30, 40)).astype(dtype)
    y = dropout(x, .25)
    kept = y.array != 0
    assert abs(kept.mean() - .75) < .05 and y.dtype == dtype
    numpy.testing.assert_allclose(
        y.array, kept * x / .75, rtol=1e-3 if dtype == numpy.float16 else 1e-6)
    assert (dropout(x, .25).array != y.array).any()


def test_gradients():
    x, gy, ggx = (numpy.random.uniform(-1, 1, (3, 5)) for _ in range(3))

    def same(x):
        numpy.random.seed(0)
        return dropout(x, .4)

    gradient_check.check_backward(same, x, gy, dtype='d')
    gradient_check.check_double_backward(same, x, gy, ggx, dtype='d')


@pytest.mark.gpu
@pytest.mark.parametrize('dtype', DTYPES)
def test_mask_is_the_same_on_a_gpu(dtype):
    """The same seed gives the same mask on a GPU and on a CPU."""
    x = numpy.random.uniform(-1, 1, (3, 5, 700)).astype(dtype)
    results = []
    for array in x, cuda.to_gpu(x):
        numpy.random.seed(0)
        v = chainer.Variable(array)
        y = dropout(v, .4)
        y.grad = 2 * array
        y.backward()
        results.append([cuda.to_cpu(a) for a in (y.array, v.grad)])
    for of_cpu, of_gpu in zip(*results):
        numpy.testing.assert_array_equal(of_cpu, of_gpu)


def test_evaluation():
    x = numpy.ones((3, 5), 'f')
    with chainer.using_config('train', False):
        numpy.testing.assert_array_equal(dropout(x, .9).array, x)
    assert (dropout(x, 0).array == x).all()


@pytest.mark.parametrize('ratio', [-.1, 1, 1.5, float('nan')])
def test_invalid_ratio(ratio):
    for function in dropout, F.dropout:
        with pytest.raises((ValueError, chainer.utils.type_check.InvalidType)):
            function(numpy.ones(3, 'f'), ratio)
