"""Tests that functions create a function node only if it is needed."""
import chainer
from chainer import function_hooks
from chainer import function_node
import numpy
import pytest

from qrnn import attention_sum
from qrnn import qrnn_pooling
from qrnn import strnn
from qrnn.functions import dropout
from qrnn.functions import linear
from qrnn.functions import lstm
from qrnn.functions import lstm_step
from qrnn.functions import masked_convolution
from qrnn.functions import qrnn_step
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform


CALLS = {
    'strnn': (strnn, (2, 5, 3), (2, 5, 3)),
    'qrnn_pooling': (qrnn_pooling, (2, 5, 9), (9,), (2, 3)),
    'masked_convolution': (masked_convolution, (2, 5, 3), (2, 3, 9)),
    'lstm': (lstm, (2, 5, 12), (12, 3)),
    'linear': (linear, (2, 3), (5, 3), (5,)),
    'lstm_step': (lstm_step, (2, 5), (12, 5), (12,), (12, 3)),
    'qrnn_step': (qrnn_step, (2, 3), (2, 3, 9), (9,), (2, 3), (2, 1, 3)),
    'attention_sum': (attention_sum, (2, 7, 3), (2, 5, 3)),
    'dropout': (dropout, (2, 5)),
}

calls = pytest.mark.parametrize('name', list(CALLS))


@pytest.fixture
def applied(monkeypatch):
    """Return a list that records every function node Chainer applies."""
    nodes, apply = [], function_node.FunctionNode.apply

    def spy(self, inputs):
        nodes.append(self)
        return apply(self, inputs)

    monkeypatch.setattr(function_node.FunctionNode, 'apply', spy)
    return nodes


def call(name, as_variables=True):
    function, *shapes = CALLS[name]
    numpy.random.seed(0)
    inputs = [uniform(*shape) for shape in shapes]
    ys = function(*(map(chainer.Variable, inputs) if as_variables else inputs))
    return ys if isinstance(ys, tuple) else (ys,)


@calls
@pytest.mark.parametrize('as_variables', [False, True])
def test_no_node_without_a_graph(name, as_variables, applied):
    expected = call(name)
    with chainer.using_config('enable_backprop', not as_variables):
        call(name, as_variables)  # the first call checks the types
        applied.clear()
        ys = call(name, as_variables)
        assert not applied
    assert_equal(ys, expected, 0)
    for y in ys:
        assert y.creator_node is None
        # Chainer's functions set requires_grad in the same way.
        assert y.requires_grad == as_variables


@calls
def test_a_node_with_a_graph(name, applied):
    call(name)
    applied.clear()
    ys = call(name)
    assert len(applied) == 1
    assert all(y.creator_node is applied[0] for y in ys)


@calls
def test_hooks_see_the_node(name):
    with chainer.no_backprop_mode():
        call(name)
        with function_hooks.TimerHook() as hook:
            call(name)
    assert len(hook.call_history) == 1


def test_debug_mode_finds_nan():
    f, x = uniform(2, 5, 3), uniform(2, 5, 3)
    strnn(f, x)
    x[0, 0, 0] = numpy.nan
    with chainer.using_config('debug', True), pytest.raises(
            RuntimeError, match='NaN'):
        strnn(f, x)
