from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn.functions import lstm
from qrnn.functions import lstm_ref
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [
        {'shape': (1, 1, 1)},
        {'shape': (3, 17, 7)},
        {'shape': (3, 5, 7), 'lengths': (5, 0, 2)},
        {'shape': (3, 4, 2), 'given': (1, 0, 0)},
        {'shape': (3, 4, 2), 'given': (0, 1, 0), 'lengths': (1, 4, 0)},
        {'shape': (3, 4, 2), 'given': (0, 0, 1), 'lengths': (1, 4, 0)},
        {'shape': (3, 0, 7), 'lengths': (0, 0, 0)},
        {'shape': (0, 5, 7), 'lengths': ()},
    ],
))
@helpers.backends
class TestLSTM(helpers.FunctionTestCase):

    lengths = None
    given = 1, 1, 1  # per output: 1 if it receives a gradient, else 0

    def generate_inputs(self):
        B, T, m = self.shape
        u, W, c0, h0 = (uniform(*shape, dtype=self.dtype) for shape in (
            (B, T, 4 * m), (4 * m, m), (B, m), (B, m)))
        return u, W / m, c0, h0

    def forward(self, inputs, device):
        return lstm(*inputs, lengths=self.lengths)

    def forward_expected(self, inputs):
        return tuple(y.astype(self.dtype)
                     for y in lstm_ref(*inputs, lengths=self.lengths))

    def generate_grad_outputs(self, outputs_template):
        grads = super().generate_grad_outputs(outputs_template)
        return tuple(g if given else None
                     for g, given in zip(grads, self.given))


@pytest.mark.parametrize('double', [False, True])
def test_padding_is_arbitrary(double):
    lengths = 1, 4, 0

    def run(inputs):
        inputs = variables(*inputs)
        ys = lstm(*inputs, lengths=lengths)
        return [*ys, *gradients(ys, inputs, ys, double)]

    u, *others = arrays()
    expected = run((u, *others))
    u[numpy.arange(4) >= numpy.array(lengths)[:, None]] = numpy.nan
    assert_equal(run((u, *others)), expected)


def arrays(B=3, T=4, m=2):
    return uniform(B, T, 4 * m), uniform(4 * m, m), uniform(B, m), uniform(
        B, m)


@pytest.mark.parametrize('which', range(3))
def test_strided_output_gradients(which):
    inputs = variables(*arrays())
    ys = lstm(*inputs)
    gys = [uniform(*y.shape) for y in ys]
    expected = gradients(ys, inputs, variables(*gys))
    gys[which] = numpy.asfortranarray(gys[which])
    assert_equal(gradients(ys, inputs, variables(*gys)), expected)


@pytest.mark.parametrize('shapes', [
    [(2, 8), (8, 2)], [(2, 3, 8), (8, 3)], [(2, 3, 8), (4, 2)],
    [(2, 3, 8), (8, 2), (3, 2)], [(2, 3, 8), (8, 2), (2, 2), (2, 3)]])
def test_invalid_shapes(shapes):
    with pytest.raises(type_check.InvalidType):
        lstm(*(numpy.zeros(shape, 'f') for shape in shapes))


def test_invalid_lengths():
    with pytest.raises(ValueError, match='between 0 and 4, the'):
        lstm(*arrays(), lengths=[5, 1, 1])
