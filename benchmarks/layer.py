"""One QRNN layer beside Chainer's LSTM (the right half of Figure 4)."""
import chainer
import chainer.functions as F
import chainer.links as L
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
import qrnn


_SIZE = 320  # channels in and out, the paper's
_GRID = [(B, T) for B in (8, 16, 32, 64, 128, 256)
         for T in (32, 64, 128, 256, 512)]
_ON_CPU = [(8, 32), (8, 128), (8, 512), (32, 128)]  # the LSTM takes seconds


@benchmark('layer')
def layer(device):
    """A 320-unit layer (k = 2) beside L.NStepLSTM, training and inference."""
    for B, T in _ON_CPU if device.xp is numpy else _GRID:
        x = device.send(
            numpy.random.RandomState(0).randn(B, T, _SIZE).astype('f'))
        ours = qrnn.QRNNLayer(_SIZE, _SIZE)
        theirs = L.NStepLSTM(1, _SIZE, _SIZE, dropout=0.)
        for link in (ours, theirs):
            link.to_device(device)
        for mode, run in (('training', _train), ('inference', _infer)):
            yield Comparison(
                {'B': B, 'T': T, 'mode': mode},
                {'QRNNLayer': lambda: run(ours, ours, x),
                 'NStepLSTM': lambda: run(
                     theirs, lambda x: _as_batch(theirs, x), x)},
                lambda: _check(ours, x))


def _train(link, call, x):
    link.cleargrads()
    x = chainer.Variable(x)
    F.sum(call(x)).backward()


def _infer(link, call, x):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        call(x)


def _as_batch(lstm, x):
    # No padding, no stacking: NStepLSTM's own lists, which suit it best.
    _, _, ys = lstm(None, None, list(F.separate(x)))
    return F.concat(ys, axis=0)


def _check(link, x):
    """The layer against its references, on part of the batch."""
    x = x[:2, :16]
    W, b = (chainer.backends.cuda.to_cpu(p.array) for p in (link.W, link.b))
    u = qrnn.masked_convolution_ref(chainer.backends.cuda.to_cpu(x), W)
    expected, _, _ = qrnn.qrnn_pooling_ref(u, b)
    with chainer.no_backprop_mode():
        h = chainer.backends.cuda.to_cpu(link(x).array)
    numpy.testing.assert_allclose(h, expected, rtol=1e-3, atol=1e-4)
