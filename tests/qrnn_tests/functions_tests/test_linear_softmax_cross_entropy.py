import chainer
from chainer import testing
from chainer.backends import cuda
from chainer.utils import type_check
import numpy
import pytest

from qrnn.functions import linear_softmax_cross_entropy
from qrnn.functions import linear_softmax_cross_entropy_ref
from qrnn_tests import helpers
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


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
def test_invalid_labels(label):
    with pytest.raises(ValueError, match='between 0 and 3'):
        linear_softmax_cross_entropy(
            numpy.zeros((2, 1), 'f'), numpy.array([0, label]),
            numpy.zeros((4, 1), 'f'), numpy.zeros(4, 'f'))


@pytest.mark.gpu
@pytest.mark.parametrize('double', [False, True])
def test_invalid_labels_are_ignored_on_a_gpu(double):
    arrays = [cuda.to_gpu(uniform(*shape))
              for shape in ((5, 3), (4, 3), (4,))]
    results = []
    for t in [1, -1, 3, -1, -1], [1, -2, 3, 4, 10 ** 9]:
        inputs = variables(*arrays)
        loss = linear_softmax_cross_entropy(
            inputs[0], cuda.cupy.array(t), *inputs[1:])
        grads = chainer.grad([loss], inputs, enable_double_backprop=double)
        results.append([cuda.to_cpu(v.array) for v in (loss, *grads)])
    for ignored, unknown in zip(*results):
        numpy.testing.assert_array_equal(ignored, unknown)
        assert abs(ignored).max() > 0


@pytest.mark.parametrize('shapes', [
    ((2, 3), (2,), (4, 2), (4,)), ((2, 3), (1,), (4, 3), (4,)),
    ((2, 3), (2,), (4, 3), (3,)), ((2, 3, 1), (2,), (4, 3), (4,))])
def test_invalid_shapes(shapes):
    x, t, W, b = (numpy.zeros(s, 'f') for s in shapes)
    with pytest.raises(type_check.InvalidType):
        linear_softmax_cross_entropy(x, t.astype('i'), W, b)
