"""One QRNN layer beside an LSTM (the right half of Figure 4)."""
import chainer
from chainer.backends import cuda
import numpy

from benchmarks import chainer_steps
from benchmarks.lstm import find_torch
from benchmarks.lstm import lstm
from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
import qrnn


_SIZE = 320  # channels in and out, the paper's
_BATCHES = (8, 16, 32, 64, 128, 256)
_STEPS = (32, 64, 128, 256, 512)
_ON_CPU = [(8, 32), (8, 128), (8, 512), (32, 128)]  # an LSTM takes seconds

#: Times faster than cuDNN's LSTM in inference on a K40, by batch and T.
PAPER = dict(zip(
    [(B, T) for B in _BATCHES for T in _STEPS],
    [5.5, 8.8, 11.0, 12.4, 16.9,
     5.5, 6.7, 7.8, 8.3, 10.8,
     4.2, 4.5, 4.9, 4.9, 6.4,
     3.0, 3.0, 3.0, 3.0, 3.7,
     2.1, 1.9, 2.0, 2.0, 2.4,
     1.4, 1.4, 1.3, 1.3, 1.3]))

_MODES = 'training', 'inference'


def _summary(rows):
    """Figure 4's grid in text, the paper's factors in brackets."""
    lines = []
    for kind, title in (('', 'until the result is there'),
                        ('device_', "the GPU's own time")):
        for mode in _MODES:
            factors = _factors(rows, mode, kind)
            if not factors:
                continue
            lines.append("  times faster than {}, {}, {} (the paper: than "
                         "cuDNN's, inference, K40)".format(
                             _opponent(rows), mode, title))
            lines.append('  {:>9}'.format('B \\ T') + ''.join(
                '{:>14}'.format(T) for T in _STEPS))
            for B in _BATCHES:
                cells = ['{:.1f} ({})'.format(factors[B, T], PAPER[B, T])
                         if (B, T) in factors else '' for T in _STEPS]
                if any(cells):
                    lines.append(('  {:>9}'.format(B) + ''.join(
                        map('{:>14}'.format, cells))).rstrip())
    return '\n'.join(lines)


def _draw(rows, figure):
    kind = 'device_' if _factors(rows, _MODES[0], 'device_') else ''
    for axes, mode in zip(figure.subplots(1, 2), _MODES):
        factors = _factors(rows, mode, kind)
        grid = numpy.array([[factors.get((B, T), numpy.nan) for T in _STEPS]
                            for B in _BATCHES])
        axes.imshow(numpy.log(grid), cmap='YlGn', aspect='auto',
                    vmin=0, vmax=numpy.log(100))
        for y, B in enumerate(_BATCHES):
            for x, T in enumerate(_STEPS):
                if (B, T) in factors:
                    axes.text(x, y, '{:.1f}\n({})'.format(
                        factors[B, T], PAPER[B, T]), ha='center', va='center',
                        fontsize='small')
        axes.set_xticks(range(len(_STEPS)), _STEPS)
        axes.set_yticks(range(len(_BATCHES)), _BATCHES)
        axes.set_xlabel('T')
        axes.set_ylabel('batch')
        axes.set_title(mode)
    figure.suptitle(
        "Times faster than {} (the paper: than cuDNN's, inference, K40)"
        .format(_opponent(rows))
        + (", the GPU's own time" if kind else ''))


def _opponent(rows):
    return list(rows[0]['milliseconds'])[1]


def _factors(rows, mode, kind):
    return {(row['B'], row['T']): 1 / row[kind + 'ratio']['median']
            for row in rows if row['mode'] == mode and kind + 'ratio' in row}


@benchmark('layer', _summary, _draw)
def layer(device):
    """A 320-unit layer (k = 2) beside an LSTM, training and inference."""
    if find_torch(device) is None:
        print("PyTorch is not installed here, or sees no GPU: the LSTM is "
              "LSTMLayer.")
    for B, T in _ON_CPU if device.xp is numpy else sorted(PAPER):
        x = device.send(
            numpy.random.RandomState(0).randn(B, T, _SIZE).astype('f'))
        ours = qrnn.QRNNLayer(_SIZE, _SIZE)
        ours.to_device(device)
        name, train, infer = lstm(device, _SIZE, x)
        calls = {
            'training': (lambda: chainer_steps.train(ours, ours, x), train),
            'inference': (lambda: chainer_steps.infer(ours, x), infer)}
        for mode in _MODES:
            yield Comparison(
                {'B': B, 'T': T, 'mode': mode},
                dict(zip(('QRNNLayer', name), calls[mode])),
                lambda: _check(ours, x))


def _check(link, x):
    """The layer against its references, on part of the batch."""
    x = x[:2, :16]
    W, b = (cuda.to_cpu(p.array) for p in (link.W, link.b))
    u = qrnn.masked_convolution_ref(cuda.to_cpu(x), W)
    expected, _, _ = qrnn.qrnn_pooling_ref(u, b)
    with chainer.no_backprop_mode():
        h = cuda.to_cpu(link(x).array)
    numpy.testing.assert_allclose(h, expected, rtol=1e-3, atol=1e-4)
