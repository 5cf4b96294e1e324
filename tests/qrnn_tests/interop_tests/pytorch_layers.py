"""NumPy versions of torchqrnn's and fastai's QRNNs, with random weights."""
import numpy

from qrnn_tests.helpers import uniform


def sigmoid(a):
    return 1 / (1 + numpy.exp(-a))


def torchqrnn(x, weight, bias, window, output_gate, hidden=None, zoneout=0.):
    """Return the output and the last state of a torchqrnn layer.

    The layer is in evaluation mode, and ``x`` has the shape ``(T, B, n)``.
    """
    source = x
    if window == 2:
        previous = numpy.concatenate([0 * x[:1], x[:-1]], 0)
        source = numpy.concatenate([x, previous], 2)
    y = source @ weight.T + bias
    chunks = numpy.split(y, 3 if output_gate else 2, axis=2)
    z, f = numpy.tanh(chunks[0]), sigmoid(chunks[1])
    f *= 1 - zoneout  # f is the weight of the new value
    states = []
    for t in range(len(x)):
        new = f[t] * z[t]
        hidden = new if hidden is None else new + (1 - f[t]) * hidden
        states.append(hidden)
    c = numpy.stack(states)
    return (sigmoid(chunks[2]) * c if output_gate else c), c[-1]


def fastai(x, arrays, weight, bias, windows, output_gate):
    """Return the output of fastai's layers for ``x``, ``(B, T, n)``."""
    for i, window in enumerate(windows):
        y, last = torchqrnn(
            x.swapaxes(0, 1), arrays[weight.format(i)],
            arrays[bias.format(i)], window, output_gate)
        x = y.swapaxes(0, 1)
    return x


def fastai_bidirectional(x, arrays, windows, output_gate):
    """Return the output of fastai's bidirectional QRNN.

    The network consists of two stacks. In the first stack, windows of two
    steps contain the current and the previous step. The second stack runs
    backwards, and its windows of two steps contain the current and the next
    step.
    """
    def backward(x, weight, bias, window):
        source = x
        if window == 2:
            after = numpy.concatenate([x[:, 1:], 0 * x[:, :1]], 1)
            source = numpy.concatenate([x, after], 2)
        y = source @ weight.T + bias
        z, f, *o = numpy.split(y, 3 if output_gate else 2, axis=2)
        z, f = numpy.tanh(z), sigmoid(f)
        c, states = numpy.zeros_like(z[:, 0]), []
        for t in reversed(range(x.shape[1])):
            c = f[:, t] * z[:, t] + (1 - f[:, t]) * c
            states.insert(0, c)
        c = numpy.stack(states, 1)
        return sigmoid(o[0]) * c if output_gate else c

    ahead = fastai(x, arrays, 'layers.{}.linear.weight',
                   'layers.{}.linear.bias', windows, output_gate)
    for i, window in enumerate(windows):
        x = backward(x, arrays[f'layers_bwd.{i}.linear.weight'],
                     arrays[f'layers_bwd.{i}.linear.bias'], window)
    return numpy.concatenate([ahead, x], 2)


def weights(sizes, windows, output_gate, weight='layers.{}.linear.weight',
            bias='layers.{}.linear.bias', dtype=numpy.float64):
    n_gates = 3 if output_gate else 2
    arrays = {}
    for i, (n, m, k) in enumerate(zip(sizes, sizes[1:], windows)):
        arrays[weight.format(i)] = uniform(n_gates * m, k * n, dtype=dtype)
        arrays[bias.format(i)] = uniform(n_gates * m, dtype=dtype)
    return arrays


def assert_same(actual, expected):
    """Check that two dicts contain the same names, dtypes, shapes and bits."""
    assert set(actual) == set(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert actual[name].shape == array.shape
        assert actual[name].tobytes() == array.tobytes()


def both_directions(sizes, windows, output_gate=True, prefix=''):
    arrays = {}
    for part in 'layers', 'layers_bwd':
        arrays.update(weights(
            sizes, windows, output_gate, prefix + part + '.{}.linear.weight',
            prefix + part + '.{}.linear.bias'))
    return arrays
