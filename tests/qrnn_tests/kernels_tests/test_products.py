import numpy
import pytest

from qrnn.kernels.cpu import products


@pytest.mark.parametrize('dtype', ['f', 'd'])
@pytest.mark.parametrize('K', [0, 1, 4, 7, 33])
@pytest.mark.parametrize('B', [0, 1, 3, 4, 7, 8, 9])
def test_multiply(B, K, dtype):
    random = numpy.random.RandomState(0)
    x, W = (random.randn(*shape).astype(dtype) for shape in (
        (B, K), (K, 17)))
    y = products.multiply(x, W)
    assert y.dtype == dtype
    numpy.testing.assert_allclose(y, numpy.dot(
        x.astype('d'), W.astype('d')), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('last', [1, 5, 17])
def test_columns(last):
    x, W = numpy.ones((5, 6)), numpy.ones((6, 17))
    y = numpy.zeros((5, 17))
    products._multiply(0, last, x, W, y)
    numpy.testing.assert_array_equal(y[:, :last], 6)
    numpy.testing.assert_array_equal(y[:, last:], 0)


def test_a_row_does_not_depend_on_the_others():
    random = numpy.random.RandomState(0)
    x, W = random.randn(8, 30).astype('f'), random.randn(30, 50).astype('f')
    y = products.multiply(x, W)
    for s in range(8):
        for n in range(1, 8 - s):
            numpy.testing.assert_array_equal(
                products.multiply(x[s:s + n], W), y[s:s + n])


@pytest.mark.parametrize('B', [1, 2, 70])
def test_times_transposed(B):
    random = numpy.random.RandomState(0)
    x, W = random.randn(B, 30), random.randn(17, 30)
    y = numpy.empty((B, 17))
    products.times_transposed(x, W, y)
    numpy.testing.assert_allclose(y, x.dot(W.T))
