import chainer
import chainer.functions as F
from chainer import testing
import numpy
import pytest

from experiments.ptb.loss import linear_softmax_cross_entropy


def arrays(n, dtype, scale=1.):
    random = numpy.random.RandomState(0)
    x = (scale * random.randn(n, 5)).astype(dtype)
    W = random.randn(7, 5).astype(dtype)
    b = random.randn(7).astype(dtype)
    t = random.randint(0, 7, n).astype('i')
    return x, t, W, b


@pytest.mark.parametrize('n', [1, 16, 33])
@pytest.mark.parametrize('dtype', ['f', 'd'])
def test_equals_the_two_functions(n, dtype):
    x, t, W, b = arrays(n, dtype)
    results = []
    for function in (linear_softmax_cross_entropy,
                     lambda x, t, W, b: F.softmax_cross_entropy(
                         F.linear(x, W, b), t)):
        variables = [chainer.Variable(a.copy()) for a in (x, W, b)]
        loss = function(variables[0], t, *variables[1:])
        (loss * 3).backward()
        assert loss.dtype == dtype and loss.shape == ()
        results.append([loss.array] + [v.grad for v in variables])
    tolerance = {'f': 1e-5, 'd': 1e-12}[dtype]
    for ours, theirs in zip(*results):
        testing.assert_allclose(ours, theirs, tolerance, tolerance)


def test_large_scores():
    x, t, W, b = arrays(4, 'f', scale=1e4)
    loss = linear_softmax_cross_entropy(chainer.Variable(x), t, W, b)
    loss.backward()
    assert numpy.isfinite(loss.array)


def test_inputs_stay_as_they_are():
    x, t, W, b = arrays(20, 'f')
    copies = [a.copy() for a in (x, t, W, b)]
    variables = [chainer.Variable(a) for a in (x, W, b)]
    linear_softmax_cross_entropy(
        variables[0], t, *variables[1:]).backward()
    assert all(map(numpy.array_equal, (x, t, W, b), copies))
