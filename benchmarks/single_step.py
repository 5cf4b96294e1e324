"""Single steps of a QRNN layer, compared with LSTMs and a matrix product."""
import chainer
from chainer.backends import cuda
import numpy

from benchmarks.lstm import find_torch
from benchmarks.lstm import TorchLSTMSteps
from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from benchmarks.step import matrix_products
import qrnn
from qrnn.functions import qrnn_step_ref


_KERNEL_SIZE = 2
_CALLS = 100  # steps per timed call


@benchmark('step')
def single_step(device, sizes=(320, 640), batches=(1, 8, 64)):
    """Single steps (T = 1) of a QRNN layer and of LSTMs, without a graph.

    The layers of the translator have 320 units, and those of the language
    model have 640 units.
    """
    torch = find_torch(device)
    if torch is None:
        print('PyTorch is not available, so the comparison is with LSTMLayer '
              'only.')
    for size in sizes:
        for B in batches:
            yield _comparison(size, B, torch, device)


def _comparison(size, B, torch, device):
    x = device.send(numpy.random.RandomState(0).randn(B, size).astype('f'))
    links = [qrnn.QRNNLayer(size, size, _KERNEL_SIZE),
             qrnn.LSTMLayer(size, size)]
    contestants = {}
    for link in links:
        link.to_device(device)
        contestants[type(link).__name__] = _steps(link, x)
    theirs = torch and TorchLSTMSteps(torch, links[1], x)
    if theirs:
        contestants['torch.nn.LSTM'] = _repeat(theirs.layer)
        contestants['torch.nn.LSTMCell'] = _repeat(theirs.cell)
    contestants['matrix product'] = _repeat(matrix_products(
        [(B, _KERNEL_SIZE * size, 3 * size)], device.xp, training=False))
    return Comparison({'size': size, 'B': B}, contestants,
                      lambda: _check(*links, theirs, x), calls=_CALLS)


def _repeat(function):
    def run():
        for _ in range(_CALLS):
            function()

    return run


def _steps(link, x):
    def run():
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            for _ in range(_CALLS):
                link(x)

    return run


def _check(layer, lstm, theirs, x, n_steps=3):
    """Compare the layer with its reference, and the LSTMs with each other."""
    W, b = (cuda.to_cpu(p.array) for p in (layer.W, layer.b))
    c = x0 = None
    for link in layer, lstm:
        link.reset_state()
    for _ in range(n_steps):
        expected, c, x0 = qrnn_step_ref(cuda.to_cpu(x), W, b, c, x0)
        with chainer.no_backprop_mode():
            h, h_lstm = (cuda.to_cpu(link(x).array) for link in (layer, lstm))
        numpy.testing.assert_allclose(h, expected, rtol=1e-3, atol=1e-4)
    if theirs:
        for function in theirs.layer, theirs.cell:
            theirs.reset_state()
            for _ in range(n_steps):
                y = function()
            numpy.testing.assert_allclose(
                h_lstm, y.cpu().numpy(), rtol=1e-3, atol=1e-4)
