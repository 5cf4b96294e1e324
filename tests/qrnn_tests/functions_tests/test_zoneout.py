import chainer
from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn import zoneout
from qrnn import zoneout_ref
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import uniform


@testing.parameterize(*testing.product({
    'dtype': helpers.DTYPES,
    'shape': [(1, 1, 1), (3, 17, 7), (2, 33), (3, 0, 7)],
    'mask': [True, False],
}))
@helpers.backends
class TestZoneout(helpers.FunctionTestCase):

    def generate_inputs(self):
        return numpy.random.rand(*self.shape).astype(self.dtype),

    def before_test(self, test_name):
        # If the mask is None, no gate changes, because the ratio is 0.
        self.mask_array = (
            numpy.random.rand(*self.shape) < .4 if self.mask else None)

    def forward(self, inputs, device):
        return zoneout(*inputs, ratio=0, mask=device.send(self.mask_array)),

    def forward_expected(self, inputs):
        return zoneout_ref(*inputs, mask=self.mask_array).astype(self.dtype),


def test_gates_are_one_or_unchanged():
    f = numpy.random.rand(50, 40, 30).astype('f') * .9
    F = zoneout(f, .2).array
    kept = F == 1
    assert (F[~kept] == f[~kept]).all()  # gates other than 1 are unchanged
    assert abs(kept.mean() - .2) < .01
    assert abs((kept & (zoneout(f, .2).array == 1)).mean() - .04) < .005
    for axis in range(3):  # adjacent gates are drawn independently
        both = numpy.roll(kept, 1, axis) & kept
        assert abs(both.mean() - .04) < .005


def test_default_ratio():
    assert abs((zoneout(uniform(100, 1000)).array == 1).mean() - .1) < .01


@pytest.mark.parametrize('shape', [(3, 4, 5), ()])
def test_ratio_of_zero_and_one(shape):
    f = numpy.asarray(numpy.random.rand(*shape))
    assert_equal(zoneout(f, 0), f, 0)
    assert_equal(zoneout(f, 1), numpy.ones_like(f), 0)


def test_training_only():
    f = numpy.random.rand(3, 4, 5)
    with chainer.using_config('train', False):
        assert_equal(zoneout(f, 1), f, 0)


@testing.parameterize(*testing.product({
    'dtype': helpers.DTYPES,
    'ratio': [0, .1, 1],
}))
@helpers.backends
class TestExpectation(helpers.FunctionTestCase):

    def generate_inputs(self):
        return numpy.random.rand(3, 17, 7).astype(self.dtype),

    def forward(self, inputs, device):
        with chainer.using_config('train', False):
            return zoneout(*inputs, self.ratio, expectation=True),

    def forward_expected(self, inputs):
        F = zoneout_ref(*inputs, self.ratio, expectation=True)
        return F.astype(self.dtype),


def test_expectation_is_the_mean_of_masks():
    f = uniform(5, 7) ** 2
    mean = sum(zoneout(f, .3, expectation=True).array
               for _ in range(4000)) / 4000
    with chainer.using_config('train', False):
        expected = zoneout(f, .3, expectation=True).array
    # The tolerance is 7 standard deviations of the mean.
    assert abs(mean - expected).max() < .05


def test_numpy_seed():
    f = numpy.random.rand(3, 4, 5)
    first, second = (
        numpy.random.seed(3) or zoneout(f, .5).array for _ in range(2))
    assert_equal(first, second, 0)


def test_gradient_of_drawn_mask():
    f = chainer.Variable(numpy.random.rand(3, 4, 5) * .9)
    F = zoneout(f, .5)
    gf, = gradients([F], [f], [F])
    assert_equal(gf, numpy.where(F.array == 1, 0, F.array))


@pytest.mark.parametrize('ratio', [-.1, 1.1, float('nan')])
def test_invalid_ratio(ratio):
    with pytest.raises(ValueError):
        zoneout(uniform(2, 3, 4), ratio)


def test_invalid_mask():
    with pytest.raises(type_check.InvalidType):
        zoneout(uniform(2, 3, 4), mask=numpy.zeros((2, 3, 1), bool))
