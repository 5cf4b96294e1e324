"""Test strongly-typed cells against their equations, written in NumPy."""
import chainer
import chainer.functions as F
import numpy
import pytest

from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn import STRONGLY_TYPED
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


# W and V are lists of the weights for the current and the previous input,
# respectively, and b is a list of biases. The gates in each list are f, z and,
# if there is one, the third gate. All arrays may be complex.

def t_rnn(x, before, state, W, V, b):
    f = sigmoid(x @ W[0] + b[0])
    z = x @ W[1] + b[1]
    c = f * state + (1 - f) * z
    return c, c


def t_gru(x, before, state, W, V, b):
    f = sigmoid(before @ V[0] + x @ W[0] + b[0])
    z = before @ V[1] + x @ W[1] + b[1]
    i = numpy.tanh(before @ V[2] + x @ W[2] + b[2])
    c = f * state + i * z
    return c, c


def t_lstm(x, before, state, W, V, b):
    f = sigmoid(before @ V[0] + x @ W[0] + b[0])
    z = before @ V[1] + x @ W[1] + b[1]
    o = numpy.tanh(before @ V[2] + x @ W[2] + b[2])
    c = f * state + (1 - f) * z
    return c, o * c


CELLS = {'T-RNN': t_rnn, 'T-GRU': t_gru, 'T-LSTM': t_lstm}


def transcription(name, x, W, b):
    """Return the outputs, (B, T, m), of a cell.

    W has shape (k, n, gates * m), where gates is the number of gates.
    """
    gates = 2 if name == 'T-RNN' else 3
    W = [numpy.split(tap, gates, axis=1) for tap in W]
    V = W[0] if len(W) == 2 else None
    b = numpy.split(b, gates)
    before = numpy.zeros_like(x[:, 0])
    state, h = 0, []
    for t in range(x.shape[1]):
        state, output = CELLS[name](x[:, t], before, state, W[-1], V, b)
        before = x[:, t]
        h.append(output)
    return numpy.stack(h, axis=1)


@pytest.fixture(params=list(CELLS))
def name(request):
    return request.param


@pytest.fixture
def layer(name):
    return randomize(QRNNLayer(3, 5, **STRONGLY_TYPED[name]))


def test_values(name, layer):
    x = uniform(2, 17, 3)
    numpy.testing.assert_allclose(
        layer(x).array, transcription(name, x, layer.W.array, layer.b.array),
        rtol=0, atol=1e-12)


def test_gradients(name, layer):
    """Gradients equal complex-step derivatives along random directions."""
    x, gh = uniform(2, 17, 3), uniform(2, 17, 5)
    layer.cleargrads()
    x_variable = chainer.Variable(x)
    F.sum(layer(x_variable) * gh).backward()
    inputs = [x, layer.W.array, layer.b.array]
    grads = [x_variable.grad, layer.W.grad, layer.b.grad]
    step = 1e-30
    for i in range(3):
        for _ in range(5):
            direction = uniform(*inputs[i].shape)
            moved = list(inputs)
            moved[i] = inputs[i] + 1j * step * direction
            slope = (transcription(name, *moved) * gh).sum().imag / step
            numpy.testing.assert_allclose(
                (grads[i] * direction).sum(), slope, rtol=0, atol=1e-12)


def test_stack(name):
    """A stack with the settings of a cell applies this cell in each layer."""
    stack = QRNNStack(2, 3, 5, **STRONGLY_TYPED[name])
    x = uniform(2, 7, 3)
    h = x
    for layer in randomize(stack):
        h = transcription(name, h, layer.W.array, layer.b.array)
    numpy.testing.assert_allclose(stack(x).array, h, rtol=0, atol=1e-12)
