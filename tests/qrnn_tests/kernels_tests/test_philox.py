import numpy
import pytest

from qrnn.kernels import philox
from qrnn.kernels import zoneout_mask


#: Known answers published by the authors of the generator.
@pytest.mark.parametrize('counter, key, words', [
    (0, 0, '6627e8d5 e169c58d bc57ac4c 9b00dbd8'),
])
def test_known_answer(counter, key, words):
    actual = philox.philox(numpy.array([counter], numpy.uint64), key)
    assert ' '.join(f'{int(w[0]):08x}' for w in actual) == words


@pytest.mark.parametrize('ratio', [.1, .5, .9])
def test_ratio_of_mask(ratio):
    mask = zoneout_mask(7, ratio, (20, 105, 64))
    assert abs(mask.mean() - ratio) < 4 * (.25 / mask.size) ** .5
    # Check the ratio within each sequence, each step and each channel.
    for axis in range(3):
        other = tuple({0, 1, 2} - {axis})
        expected = 6 * (.25 * mask.shape[axis] / mask.size) ** .5
        assert abs(mask.mean(other) - ratio).max() < expected


def test_mask_depends_on_the_seed():
    mask = zoneout_mask(7, .5, (3, 17, 5))
    numpy.testing.assert_array_equal(mask, zoneout_mask(7, .5, (3, 17, 5)))
    for seed in (8, 7 + 2 ** 32, -7):
        assert (mask != zoneout_mask(seed, .5, (3, 17, 5))).mean() > .3


def test_ratio_of_zero_and_one():
    assert not zoneout_mask(7, 0., (3, 17, 5)).any()
    assert zoneout_mask(7, 1., (3, 17, 5)).all()


@pytest.mark.parametrize('shape', [(0, 17, 5), (3, 0, 5), (3, 17, 0)])
def test_empty_mask(shape):
    assert zoneout_mask(7, .5, shape).shape == shape


@pytest.mark.parametrize('ratio', [-.1, 1.1, float('nan')])
def test_invalid_ratio(ratio):
    with pytest.raises(ValueError):
        zoneout_mask(7, ratio, (1, 1, 1))
