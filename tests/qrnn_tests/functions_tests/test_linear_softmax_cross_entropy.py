from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn.functions import linear_softmax_cross_entropy
from qrnn.functions import linear_softmax_cross_entropy_ref

from .. import helpers


@testing.parameterize(*testing.product({
    'dtype': helpers.DTYPES,
    'shape': [(1, 1, 1), (3, 5, 7), (16, 3, 200), (0, 3, 4)],
    'ignored': [False, True],
}))
@helpers.backends
class TestLinearSoftmaxCrossEntropy(helpers.FunctionTestCase):

    def generate_inputs(self):
        N, n, V = self.shape
        self.t = numpy.random.randint(0, V, N).astype('i')
        if self.ignored:
            self.t[::2] = -1
        return tuple(numpy.random.uniform(-1, 1, s).astype(self.dtype)
                     for s in ((N, n), (V, n), (V,)))

    def forward(self, inputs, device):
        x, W, b = inputs
        return linear_softmax_cross_entropy(x, device.send(self.t), W, b),

    def forward_expected(self, inputs):
        x, W, b = inputs
        dtype = numpy.promote_types(self.dtype, 'f')
        loss = linear_softmax_cross_entropy_ref(x, self.t, W, b)
        return numpy.asarray(loss, dtype),


def test_large_logits():
    x = numpy.array([[1e4], [-1e4]], 'f')
    loss = linear_softmax_cross_entropy(
        x, numpy.array([0, 0]), numpy.array([[1], [-1]], 'f'),
        numpy.zeros(2, 'f'))
    numpy.testing.assert_allclose(loss.array, 1e4)


@pytest.mark.parametrize('label', [-2, 4, 10 ** 9])
def test_labels_that_there_are_not(label):
    with pytest.raises(ValueError, match='between 0 and 3'):
        linear_softmax_cross_entropy(
            numpy.zeros((2, 1), 'f'), numpy.array([0, label]),
            numpy.zeros((4, 1), 'f'), numpy.zeros(4, 'f'))


@pytest.mark.parametrize('shapes', [
    ((2, 3), (2,), (4, 2), (4,)), ((2, 3), (1,), (4, 3), (4,)),
    ((2, 3), (2,), (4, 3), (3,)), ((2, 3, 1), (2,), (4, 3), (4,))])
def test_wrong_shapes(shapes):
    x, t, W, b = (numpy.zeros(s, 'f') for s in shapes)
    with pytest.raises(type_check.InvalidType):
        linear_softmax_cross_entropy(x, t.astype('i'), W, b)
