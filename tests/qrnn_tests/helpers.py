import chainer
import chainer.functions as F
from chainer import testing
import numpy


DTYPES = [numpy.float16, numpy.float32, numpy.float64]

#: A dict that maps each dtype to two dicts: the tolerances of results, and the
#: options for checking gradients against numerical derivatives.
TOLERANCES = {
    numpy.float16: ({'atol': 2e-3, 'rtol': 2e-3},
                    {'atol': 1e-2, 'rtol': 1e-2}),
    numpy.float32: ({'atol': 1e-6, 'rtol': 1e-5},
                    {'atol': 1e-5, 'rtol': 1e-5, 'eps': 1e-4}),
    numpy.float64: ({'atol': 1e-13, 'rtol': 1e-12},
                    {'atol': 1e-7, 'rtol': 1e-7, 'eps': 1e-4}),
}

backends = testing.inject_backend_tests(None, [{}, {'use_cuda': True}])


class FunctionTestCase(testing.FunctionTestCase):

    def setUp(self):
        forward, backward = TOLERANCES[self.dtype]
        self.check_forward_options = forward
        self.check_backward_options = backward
        self.check_double_backward_options = backward


class LinkTestCase(testing.LinkTestCase):

    def setUp(self):
        self.check_forward_options, self.check_backward_options = (
            TOLERANCES[self.dtype])


def uniform(*shape, dtype=numpy.float64):
    return numpy.random.uniform(-1, 1, shape).astype(dtype)


def variables(*arrays):
    return [None if a is None else chainer.Variable(a) for a in arrays]


def gradients(ys, xs, gys, double=False):
    """Return the gradients of sum(gy * y) with respect to xs, as arrays."""
    with chainer.using_config('enable_backprop', True):
        gxs = chainer.grad(ys, xs, gys, enable_double_backprop=double)
    return [numpy.zeros_like(x.array) if gx is None else gx.array
            for x, gx in zip(xs, gxs)]


def assert_equal(actual, expected, atol=1e-12):
    """Assert that two values are equal up to rounding.

    The values are arrays, Variables, None, or lists of such values.
    """
    if expected is None:
        assert actual is None
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected):
            assert_equal(a, e, atol)
    else:
        actual, expected = (
            getattr(a, 'array', a) for a in (actual, expected))
        assert actual.shape == expected.shape
        numpy.testing.assert_allclose(actual, expected, atol=atol, rtol=1e-12)


def randomize(link):
    """Set all parameters to random values, and return the link."""
    for param in link.params():
        param.array[...] = numpy.random.uniform(-1, 1, param.shape)
    return link


def feed(layer, x, chunks, lengths=None):
    """Feed sequences to a link in chunks, and return all outputs.

    Args:
        layer (~chainer.Link): The link.
        x: Sequences, ``(B, T, n)``.
        chunks (list): Number of steps of each chunk, or ``'step'`` for one
            step of shape ``(B, n)``.
        lengths: Passed to the link with each chunk, except single steps.

    """
    ys, start = [], 0
    for size in chunks:
        if size == 'step':
            ys.append(F.expand_dims(layer(x[:, start]), 1))
            size = 1
        else:
            ys.append(layer(x[:, start:start + size], lengths))
        start += size
    assert start == x.shape[1]
    return F.concat(ys, axis=1)


def backward(layer, ys, gys, xs):
    """Return gradients of sum(gy * y) with respect to inputs and parameters.

    The list contains the gradients of xs, followed by the gradients of all
    parameters.
    """
    layer.cleargrads()
    sum(F.sum(y * gy) for y, gy in zip(ys, gys) if y is not None).backward()
    return [None if v is None else
            numpy.zeros_like(v.array) if v.grad is None else v.grad
            for v in [*xs, *layer.params()]]
