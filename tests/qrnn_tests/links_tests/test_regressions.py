"""Faults of other implementations, one test each: ours is to have none.

The first group is of the authors' published core, the second of other public
implementations.
"""
import inspect

import chainer
import chainer.functions as F
import numpy
import pytest

from qrnn import masked_convolution
from qrnn import qrnn_pooling
from qrnn import QRNNLayer
from qrnn import strnn
from qrnn import strnn_ref
from qrnn import zoneout
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import backward
from qrnn_tests.helpers import feed
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform
from qrnn_tests.helpers import variables


B, T, n, m = 3, 7, 4, 5


def test_call_compatibility():
    assert list(inspect.signature(QRNNLayer).parameters)[:5] == [
        'in_size', 'out_size', 'kernel_size', 'attention', 'decoder']
    assert inspect.signature(QRNNLayer).parameters['kernel_size'].default == 2
    assert list(inspect.signature(QRNNLayer.init).parameters)[1:3] == [
        'encoder_c', 'encoder_h']
    layer = QRNNLayer(n, m, 2, True, True)
    layer.init(uniform(B, 6, m), uniform(B, 6, m))
    assert layer(uniform(B, T, n)).shape == (B, T, m)
    assert layer(uniform(B, n)).shape == (B, m)
    layer.state = layer.state
    layer.reset_state()


# The published core

def test_state_carries_over_without_an_encoder():
    layer = randomize(QRNNLayer(n, m, save_state=True))
    x = uniform(B, 2 * T, n)
    whole = layer(x).array
    layer.reset_state()
    layer(x[:, :T])
    assert_equal(layer(x[:, T:]), whole[:, T:])


@pytest.mark.parametrize('save_state', [False, True])
def test_second_sequence_call(save_state):
    layer = QRNNLayer(n, m, save_state=save_state)
    for steps in T, T + 2, 1, T:
        assert layer(uniform(B, steps, n)).shape == (B, steps, m)


def test_one_step_attention():
    layer = randomize(QRNNLayer(n, m, attention=True))
    x = uniform(B, T, n)
    layer.init(encoder_h=uniform(B, 6, m))
    whole = layer(x).array
    layer.reset_state()
    for t in range(T):
        assert_equal(layer(x[:, t]), whole[:, t])


@pytest.mark.parametrize('k', [3, 4, 6])
def test_step_mode_with_a_wide_filter(k):
    layer = randomize(QRNNLayer(n, m, k))
    x = uniform(B, T, n)
    whole = layer(x).array
    layer.reset_state()
    for t in range(T):
        assert_equal(layer(x[:, t]), whole[:, t])


@pytest.mark.parametrize('k', [1, 2, 3, 6, 9])
def test_time_is_trimmed_to_its_length_with_a_wide_filter(k):
    assert QRNNLayer(n, m, k)(uniform(B, T, n)).shape == (B, T, m)


@pytest.mark.parametrize('sizes', [(n, m), (m, n), (1, 33)])
def test_encoder_projection_where_sizes_differ(sizes):
    layer = QRNNLayer(*sizes, decoder=True)
    layer.init(encoder_h=uniform(B, 6, sizes[1]))
    assert layer(uniform(B, T, sizes[0])).shape == (B, T, sizes[1])


@pytest.mark.parametrize('attention', [False, True])
def test_encoder_enters_with_and_without_attention(attention):
    layer = randomize(QRNNLayer(n, m, 2, attention, True))
    if attention:
        layer.attend.W.array[:, :m] = 0  # V h~ is the only way in
    x, h = uniform(B, T, n), uniform(B, 6, m)
    layer.init(encoder_h=0 * h)
    without = layer(x).array
    layer.init(encoder_h=h)
    assert (abs(layer(x).array - without) > 1e-9).all()


def test_source_mask():
    layer = randomize(QRNNLayer(n, m, attention=True))
    x, h = uniform(1, T, n), uniform(1, 6, m)
    layer.init(encoder_h=h[:, :4])
    expected = layer(x).array
    layer.init(encoder_h=h, lengths=[4])
    assert_equal(layer(x), expected)


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('channels', [1, 7, 33])
def test_cpu_with_any_dtype_and_size(dtype, channels):
    f, x = (uniform(B, T, channels, dtype=dtype) for _ in range(2))
    h = strnn(f, x)
    assert isinstance(h.array, numpy.ndarray)
    assert h.dtype == dtype
    numpy.testing.assert_allclose(
        h.array, strnn_ref(f, x), atol={'e': 2e-3, 'f': 1e-6, 'd': 1e-15}[
            dtype])


# Others

def test_causal_layer_does_not_see_the_future():
    layer = randomize(QRNNLayer(n, m, 3))
    x = uniform(B, T, n)
    y = layer(x).array
    for t in range(T - 1):
        changed = x.copy()
        changed[:, t + 1:] = numpy.nan
        assert_equal(layer(changed)[:, :t + 1], y[:, :t + 1])


def test_output_gate_opens_the_state_and_nothing_else():
    u = uniform(B, T, 3 * m)
    u[:, :, 2 * m:] = -numpy.inf
    h, c, c_last = qrnn_pooling(u)
    assert not h.array.any()
    assert c.array.all()
    assert c_last.array.all()
    u[:, :, 2 * m:] = 99
    open_h, open_c, _ = qrnn_pooling(u)
    assert_equal(open_h, c)
    assert_equal(open_c, c)


def test_state_is_c_not_the_gated_output():
    layer = randomize(QRNNLayer(n, m, 1))
    layer.b.array[2 * m:] = -1e3  # the output gate closed
    x = uniform(B, n)
    assert not layer(x).array.any()
    f, z, _ = numpy.split(x @ layer.W.array[0] + layer.b.array, 3, axis=1)
    f = 1 / (1 + numpy.exp(-f))
    c = (1 - f) * numpy.tanh(z)
    assert_equal(layer.state.c, c)
    layer(x)
    assert_equal(layer.state.c, f * c + c)


def test_zoneout_does_not_rescale():
    f = numpy.random.rand(B, T, m)
    for ratio in .1, .5, .9:
        F_ = zoneout(f, ratio).array
        assert F_.max() <= 1
        assert ((F_ == f) | (F_ == 1)).all()
    u = numpy.full((1, 1000, 2), 3.)  # f-pooling towards tanh(3)
    h, _, _ = qrnn_pooling(u, pooling='f', zoneout=.5)
    assert h.array.max() <= numpy.tanh(3) + 1e-12


def test_final_state_is_of_the_last_step_of_each_sequence():
    layer = randomize(QRNNLayer(n, m, pooling='f'))
    y = layer(uniform(B, T, n))
    assert layer.state.c.shape == (B, m)
    assert_equal(layer.state.c, y[:, -1])
    _, c, c_last = qrnn_pooling(uniform(B, T, 3 * m))
    assert_equal(c_last, c[:, -1])


def test_state_does_not_decay_past_the_end():
    layer = randomize(QRNNLayer(n, m, pooling='f'))
    x, lengths = uniform(B, T, n), [2, 7, 4]
    layer(x, lengths)
    c = layer.state.c.array
    for b, end in enumerate(lengths):
        layer(x[b:b + 1, :end])
        assert_equal(layer.state.c, c[b:b + 1])


def test_window_of_one():
    x, W = uniform(B, T, n), uniform(1, n, m)
    assert_equal(masked_convolution(x, W), x @ W[0])
    layer = randomize(QRNNLayer(n, m, 1, save_state=True))
    whole = layer(x).array
    layer.reset_state()
    assert_equal(layer(x[:, :3]), whole[:, :3])
    assert_equal(layer(x[:, 3:]), whole[:, 3:])
    assert layer.state.x is None


@pytest.mark.parametrize('k', [3, 6])
@pytest.mark.parametrize('size', [1, 2])
def test_gradients_of_chunks_shorter_than_the_window(k, size):
    layer = randomize(QRNNLayer(n, m, k, save_state=True))
    array, gy = uniform(B, 8, n), uniform(B, 8, m)

    def grads(chunks):
        layer.reset_state()
        x = chainer.Variable(array)
        y = feed(layer, x, chunks)
        return backward(layer, [y], [gy], [x])

    assert_equal(grads(8 // size * [size]), grads([8]))


def test_strided_gradients_of_a_gate_split():
    gates = chainer.Variable(uniform(B, T, 3 * m))
    f, x, _ = F.split_axis(gates, 3, axis=2)
    h = F.transpose(strnn(f, x), (1, 0, 2))
    gh = uniform(T, B, m)
    F.sum(h * gh).backward()
    f, x = variables(f.array.copy(), x.array.copy())
    h = strnn(f, x)
    h.grad = gh.transpose(1, 0, 2).copy()
    h.backward()
    assert_equal(gates.grad[:, :, :2 * m],
                 numpy.concatenate((f.grad, x.grad), axis=2))
