from chainer import testing
from chainer.utils import type_check
import numpy
import pytest

from qrnn.functions import last_valid_step
from qrnn.functions import reverse_sequences
from qrnn.functions import unpad_sequence
from qrnn.functions.sequences import repeat_rows
from qrnn_tests import helpers
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


cases = [
    {'shape': (3, 5, 7), 'lengths': (5, 0, 2)},
    {'shape': (1, 1, 1), 'lengths': (1,)},
    {'shape': (2, 3), 'lengths': (1, 3)},
    {'shape': (2, 17, 3, 2), 'lengths': (16, 17)},
]


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    cases + [{'shape': (3, 5, 7), 'lengths': None},
             {'shape': (3, 0, 7), 'lengths': (0, 0, 0)},
             {'shape': (0, 5, 7), 'lengths': ()}]))
@helpers.backends
class TestReverseSequences(helpers.FunctionTestCase):

    def generate_inputs(self):
        return uniform(*self.shape, dtype=self.dtype),

    def forward(self, inputs, device):
        return reverse_sequences(*inputs, lengths=self.lengths),

    def forward_expected(self, inputs):
        y = inputs[0].copy()
        B, T = self.shape[:2]
        for b, n in zip(range(B), self.lengths or B * [T]):
            for t in range(n):
                y[b, t] = inputs[0][b, n - 1 - t]
        return y,


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES], cases))
@helpers.backends
class TestUnpadSequence(helpers.FunctionTestCase):

    def generate_inputs(self):
        return uniform(*self.shape, dtype=self.dtype),

    def forward(self, inputs, device):
        return unpad_sequence(*inputs, lengths=self.lengths)

    def forward_expected(self, inputs):
        return tuple(x[:n] for x, n in zip(inputs[0], self.lengths))


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [{'shape': (3, 7)}, {'shape': (1, 2, 3)}, {'shape': (0, 7)}],
    [{'n': 1}, {'n': 4}]))
@helpers.backends
class TestRepeatRows(helpers.FunctionTestCase):

    def generate_inputs(self):
        return uniform(*self.shape, dtype=self.dtype),

    def forward(self, inputs, device):
        return repeat_rows(*inputs, self.n),

    def forward_expected(self, inputs):
        return numpy.repeat(inputs[0], self.n, axis=0),


@pytest.mark.parametrize('function', [reverse_sequences, unpad_sequence])
def test_invalid_lengths(function):
    with pytest.raises(ValueError, match='between 0 and 5, the'):
        function(uniform(2, 5, 3), [6, 2])
    with pytest.raises(ValueError, match='one for each sequence'):
        function(uniform(2, 5, 3), [2])
    with pytest.raises(type_check.InvalidType):
        function(uniform(5), [1, 2, 3, 4, 5])


def test_some_gradients_missing():
    x = variables(uniform(3, 4, 2))[0]
    y = unpad_sequence(x, [4, 2, 1])[1]
    y.grad = numpy.ones_like(y.array)
    y.backward()
    expected = numpy.zeros_like(x.array)
    expected[1, :2] = 1
    numpy.testing.assert_array_equal(x.grad, expected)


@testing.parameterize(*testing.product_dict(
    [{'dtype': dtype} for dtype in helpers.DTYPES],
    [{'with_default': False}, {'with_default': True}],
    cases + [{'shape': (3, 5, 7), 'lengths': None},
             {'shape': (3, 0, 7), 'lengths': (0, 0, 0)},
             {'shape': (0, 5, 7), 'lengths': ()}]))
@helpers.backends
class TestLastValidStep(helpers.FunctionTestCase):

    def setUp(self):
        super().setUp()
        # An input that does not affect the output has no gradient to test.
        self.skip_double_backward_test = 0 in self.shape or (
            self.with_default and self.lengths is None)

    def generate_inputs(self):
        shapes = [self.shape] + [
            self.shape[:1] + self.shape[2:]] * self.with_default
        return tuple(uniform(*shape, dtype=self.dtype) for shape in shapes)

    def forward(self, inputs, device):
        x, *default = inputs
        return last_valid_step(x, self.lengths, *default),

    def forward_expected(self, inputs):
        x, *default = inputs
        B, T = self.shape[:2]
        ends = B * [T] if self.lengths is None else self.lengths
        y = default[0].copy() if default else numpy.zeros(
            (B, *self.shape[2:]), self.dtype)
        for b, end in enumerate(ends):
            if end:
                y[b] = x[b, end - 1]
        return y,


def test_last_valid_step_is_a_copy():
    x = uniform(2, 3, 4)
    for lengths in None, [2, 3]:
        y = last_valid_step(x, lengths).array
        assert not numpy.shares_memory(x, y)
