"""Tests of the memory that the state of a link keeps alive."""
import gc
import pickle
import weakref

import chainer
import chainer.functions as F
import pytest

from qrnn import QRNNLayer
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform
from qrnn_tests.links_tests.stateful_links import links
from qrnn_tests.links_tests.stateful_links import parts_of
from qrnn_tests.links_tests.stateful_links import SIZES


B, T, n, m = SIZES


def allocated(array):
    """Return the number of bytes that an array keeps alive."""
    while array.base is not None:
        array = array.base
    return array.nbytes


@links
@pytest.mark.parametrize('lengths', [None, [1000, 0, 3]])
@pytest.mark.parametrize('operation', [
    lambda link: None,
    lambda link: link(uniform(B, n)),
    lambda link: link.reorder_state([2, 0]),
    lambda link: link.reset_state([0]),
    lambda link: link.unchain_state()])
def test_the_state_keeps_no_more_than_itself(make, lengths, operation):
    link = make()
    with chainer.no_backprop_mode():
        link(uniform(B, 1000, n), lengths)
        operation(link)
    parts = parts_of(link)
    assert sum(allocated(part.array) for part in parts) == sum(
        part.array.nbytes for part in parts)


@links
def test_a_pickled_link_has_its_state_but_no_batch(make):
    link = randomize(make())
    x = uniform(B, 50, n)
    y = link(x)
    F.sum(y).backward()
    link.cleargrads()
    data = pickle.dumps(link)
    assert x[0, 10].tobytes() not in data
    step = uniform(B, n)
    assert_equal(pickle.loads(data)(step), link(step), 0)


@links
def test_gradients_flow_into_a_graph_that_the_caller_keeps(make):
    link = randomize(make())
    x, step = uniform(B, T, n), uniform(B, n)

    def gradient(keeps_outputs):
        v = chainer.Variable(x)
        outputs = [link(v)]
        if not keeps_outputs:
            outputs.clear()
        F.sum(link(step) ** 2).backward()
        return v.grad

    def expected():
        v = chainer.Variable(x)
        whole = F.concat((v, chainer.as_variable(step[:, None])), axis=1)
        F.sum(link(whole)[:, -1] ** 2).backward()
        return v.grad

    assert_equal(gradient(True), expected())
    gc.collect()
    assert gradient(False) is None


def test_an_unchained_graph_leaves_the_values():
    layer = randomize(QRNNLayer(n, m))
    y = layer(uniform(B, T, n))
    c = layer.state.c.array.copy()
    F.sum(y).unchain_backward()
    assert_equal(layer.state.c, c, 0)
    layer(uniform(B, n))


@pytest.fixture
def no_garbage_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_graph_is_kept_by_the_caller_alone(no_garbage_collector):
    layer = QRNNLayer(4, 6, 3)
    x = uniform(3, 5, 4)
    y = layer(x)
    alive = weakref.ref(y.creator)
    F.sum(y).backward()
    assert alive() is not None
    del y
    assert alive() is None

    y = layer(x)
    alive = weakref.ref(y.creator)
    layer(x[:, 0])  # after a step, the state keeps the graph alive
    del y
    assert alive() is not None
    layer.unchain_state()
    assert alive() is None


def test_graph_of_the_encoder_is_released(no_garbage_collector):
    layer = QRNNLayer(4, 6, 3, attention=True)
    layer.init(encoder_h=F.identity(chainer.Variable(uniform(3, 2, 6))))
    layer(uniform(3, 5, 4))
    alive = weakref.ref(layer.encoder.h.creator)
    layer.init()
    assert alive() is None


def test_state_keeps_no_inputs_but_the_last():
    layer = QRNNLayer(4, 6, 3)
    x = uniform(3, 5, 4)
    with chainer.no_backprop_mode():
        layer(x)
    layer.unchain_state()
    array = weakref.ref(x)
    del x
    assert array() is None
