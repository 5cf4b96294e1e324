"""Tests of link hooks and of debug mode on every link."""
import functools

import chainer
from chainer.link_hooks import SpectralNormalization
from chainer.link_hooks import TimerHook
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import BiQRNNStack
from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


B, T, n, m = 3, 6, 4, 5


def decode(layer):
    layer.init(encoder_h=uniform_h)
    return layer(x).array


def run(layer):
    return layer(x).array


def step(layer):
    layer.reset_state()
    return layer(x[:, 0]).array


x, uniform_h = uniform(B, T, n), uniform(B, 7, m)


@pytest.mark.parametrize('make, name, call', [
    (lambda: QRNNLayer(n, m), None, run),
    (lambda: QRNNLayer(n, m), None, step),
    (lambda: QRNNLayer(n, m, attention=True), 'attend', decode),
    (lambda: QRNNLayer(n, m, attention=True), 'V', decode),
    (lambda: LSTMLayer(n, m), 'upward', run),
    (lambda: LSTMLayer(n, m), 'lateral', run),
    (lambda: LSTMLayer(n, m), 'upward', step),
    (lambda: LSTMLayer(n, m, attention=True), 'attend', decode)])
def test_a_hook_changes_the_weight_that_is_used(make, name, call):
    layer = randomize(make())
    part = layer if name is None else getattr(layer, name)
    hook = SpectralNormalization(500)
    part.add_hook(hook)
    with chainer.using_config('train', False):
        call(layer)  # the first call initializes the hook
        actual = call(layer)
    part.delete_hook(hook.name)
    W = part.W.array
    matrix = W.reshape(len(W), -1)
    part.W.array[...] = W / numpy.linalg.svd(matrix)[1][0]
    assert_equal(actual, call(layer), 1e-6)


@pytest.mark.parametrize('make, call, n_calls', [
    (lambda: QRNNLayer(n, m), lambda link: link(x), 1),
    (lambda: QRNNStack(2, n, m), lambda link: link(x), 3),
    (lambda: QRNNStack(2, n, m), lambda link: link(x[:, 0]), 3),
    (lambda: QRNNStack(2, n, m), lambda link: link.encode(x), 2),
    (lambda: LSTMLayer(n, m), lambda link: link(x), 3),
    (lambda: LSTMStack(2, n, m), lambda link: link(x), 7),
    (lambda: BiQRNNLayer(n, m), lambda link: link(x), 3),
    (lambda: BiQRNNStack(2, n, m), lambda link: link(x), 7),
    (lambda: NStepQRNN(2, n, m, 0.), lambda link: link(
        None, None, list(x)), 3),
    (lambda: NStepBiQRNN(2, n, m, 0.), lambda link: link(
        None, None, list(x)), 5),
    (lambda: QRNN(n, m), lambda link: link(x[:, 0]), 2)])
def test_hooks_see_every_link_once(make, call, n_calls):
    link = make()
    with TimerHook() as hook:
        call(link)
    assert len(hook.call_history) == n_calls


# In debug mode, Chainer raises an error if the output of a function contains
# NaN. NaN in the padding of inputs must not cause this error.

lengths = [6, 0, 2]


@pytest.mark.parametrize('make', [
    functools.partial(QRNNLayer, n, m, 3),
    functools.partial(QRNNLayer, n, m, 3, lookahead=1),
    functools.partial(LSTMLayer, n, m),
    functools.partial(QRNNStack, 2, n, m, dense=True),
    functools.partial(LSTMStack, 2, n, m, dense=True),
    functools.partial(BiQRNNLayer, n, m),
    functools.partial(BiQRNNStack, 2, n, m, dense=True)])
@pytest.mark.parametrize('backward', [False, True])
def test_debug_mode_accepts_nan_in_padding(make, backward):
    link = randomize(make())
    padded = uniform(B, T, n)
    clean = padded.copy()
    padded[numpy.arange(T) >= numpy.array(lengths)[:, None]] = numpy.nan
    v = chainer.Variable(padded)
    with chainer.using_config('debug', True):
        y = link(v, lengths)
        if backward:
            link.cleargrads()
            chainer.functions.sum(y).backward()
            assert numpy.isfinite(v.grad).all()
        if hasattr(link, 'state') and not getattr(link, 'lookahead', 0):
            link(uniform(B, n))
    assert_equal(y, link(clean, lengths), 0)


def test_debug_mode_finds_nan_in_steps():
    layer = randomize(QRNNLayer(n, m))
    broken = uniform(B, T, n)
    broken[0, 0] = numpy.nan
    with chainer.using_config('debug', True):
        for call in lambda: layer(broken), lambda: layer(broken[:, 0]):
            with pytest.raises(RuntimeError, match='NaN'):
                call()
