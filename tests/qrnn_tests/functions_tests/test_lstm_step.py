from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn.functions import lstm_step
from qrnn.functions import lstm_step_ref
from qrnn_tests import helpers
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform


def arguments(B, n, m, dtype=numpy.float64):
    """Return random arrays (x, V, b, W, c0, h0) for lstm_step."""
    x, V, b, W, c0, h0 = (uniform(*shape, dtype=dtype) for shape in (
        (B, n), (4 * m, n), (4 * m,), (4 * m, m), (B, m), (B, m)))
    return x, V / dtype(n), b, W / dtype(m), c0, h0


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [{'sizes': sizes, 'given': given} for sizes, given in [
        ((1, 1, 1), (1, 1, 1)), ((3, 7, 33), (1, 1, 1)),
        ((1, 33, 7), (1, 0, 0)), ((3, 7, 7), (0, 1, 0)),
        ((3, 7, 7), (0, 0, 1)), ((70, 2, 3), (1, 0, 1)),
        ((0, 3, 7), (1, 1, 1))]],
))
@helpers.backends
class TestLSTMStep(helpers.FunctionTestCase):

    def generate_inputs(self):
        return arguments(*self.sizes, self.dtype)

    def forward(self, inputs, device):
        return lstm_step(*inputs)

    def forward_expected(self, inputs):
        return tuple(y.astype(self.dtype) for y in lstm_step_ref(*inputs))

    def generate_grad_outputs(self, outputs_template):
        grads = super().generate_grad_outputs(outputs_template)
        return tuple(g if given else None
                     for g, given in zip(grads, self.given))


def test_initial_state():
    x, V, b, W, c0, h0 = arguments(3, 5, 7)
    assert_equal(lstm_step(x, V, b, W),
                 lstm_step(x, V, b, W, 0 * c0, 0 * h0), 0)


def test_outputs_own_their_memory():
    arrays = arguments(3, 5, 7)
    copies = [a.copy() for a in arrays]
    outputs = [y.array for y in lstm_step(*arrays)]
    for i, y in enumerate(outputs):
        for other in [*arrays, *outputs[:i]]:
            assert not numpy.shares_memory(y, other)
        assert y.base is None or y.base.size == y.size
    assert_equal(list(arrays), copies, 0)


def test_any_strides():
    arrays = arguments(3, 5, 7)
    expected = lstm_step(*arrays)
    for strided in (
            [numpy.stack([a, a * 0], axis=-1)[..., 0] for a in arrays],
            [numpy.asfortranarray(a) for a in arrays]):
        assert_equal(lstm_step(*strided), expected)


@pytest.mark.parametrize('changed', [
    {0: (3, 1, 5)}, {0: (3, 4)}, {1: (27, 5)}, {1: (28, 4)}, {2: (27,)},
    {2: (1, 28)}, {3: (28, 6)}, {3: (27, 7)}, {4: (2, 7)}, {4: (3, 6)},
    {5: (3, 1, 7)}])
def test_wrong_shapes(changed):
    shapes = {0: (3, 5), 1: (28, 5), 2: (28,), 3: (28, 7), 4: (3, 7),
              5: (3, 7), **changed}
    with pytest.raises(type_check.InvalidType):
        lstm_step(*(numpy.zeros(shapes[i], 'f') for i in range(6)))


@pytest.mark.parametrize('dtypes', ['dfffff', 'fdffff', 'ffffdf', 'iiiiii'])
def test_wrong_dtypes(dtypes):
    with pytest.raises(type_check.InvalidType):
        lstm_step(*(a.astype(dtype) for a, dtype in zip(
            arguments(3, 5, 7), dtypes)))
