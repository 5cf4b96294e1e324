import numpy
import pytest

from qrnn.functions import lengths
from qrnn_tests.helpers import assert_equal


KINDS = [list, tuple, numpy.array, lambda n: numpy.array(n, numpy.int8),
         lambda n: numpy.array(n, numpy.uint64)]


@pytest.mark.parametrize('kind', KINDS)
def test_valid_steps(kind):
    x = numpy.zeros((4, 3, 2))
    assert_equal(
        lengths.valid_steps(kind([0, 3, 1, 2]), x),
        numpy.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [1, 1, 0]], bool))


@pytest.mark.parametrize('shape', [(0, 3), (0, 0), (2, 0)])
def test_empty_batch(shape):
    valid = lengths.valid_steps(shape[0] * [0], numpy.zeros(shape))
    assert valid.shape == shape


@pytest.mark.parametrize('kind', KINDS)
def test_as_lengths(kind):
    actual = lengths.as_lengths(kind([0, 3]), 2, 3)
    assert actual.dtype == numpy.int32
    assert_equal(actual, numpy.array([0, 3]))


def test_boolean_lengths():
    actual = lengths.as_lengths(numpy.array([True, False]), 2, 3)
    assert actual.dtype == numpy.int32
    assert_equal(actual, numpy.array([3, 0]))


def test_int32_lengths_are_not_copied():
    array = numpy.array([0, 3], numpy.int32)
    assert lengths.as_lengths(array, 2, 3) is array


@pytest.mark.parametrize('invalid, message', [
    ([1], '2 integers'), ([1, 2, 3], '2 integers'), ([[1, 2]], '2 integers'),
    (2, '2 integers'), ([1., 2.], '2 integers'), (['1', '2'], '2 integers'),
    ([0, 4], 'between 0 and 3, the'), ([-1, 3], 'from -1 to 3')])
def test_invalid_lengths(invalid, message):
    with pytest.raises(ValueError, match=message):
        lengths.as_lengths(invalid, 2, 3)
