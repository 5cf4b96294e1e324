"""A QRNN layer compared with an LSTM, as in Figure 4 (right) of the paper."""
import chainer
from chainer.backends import cuda
import chainer.functions as F
import numpy

from benchmarks.lstm import find_torch
from benchmarks.lstm import TorchLSTM
from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from benchmarks.step import matrix_products
from experiments.paper import LAYER_SPEED
import qrnn


_KERNEL_SIZE = 2
_GRID = sorted(LAYER_SPEED)
_BATCHES, _STEPS = (sorted(set(sizes)) for sizes in zip(*_GRID))
_MODES = 'training', 'inference'
_TORCH = 'torch.nn.LSTM'
_PRODUCTS = 'matrix products'


def _summary(rows):
    """Format tables of time ratios, with a row per B and a column per T."""
    lines = []
    for mode, title, factors in _grids(rows):
        lines.append(f'  {mode}: {title}')
        lines.append(f'  {"B" + chr(92) + " T":>9}' + ''.join(
            f'{T:>14}' for T in _STEPS))
        for B in _BATCHES:
            cells = [factors.get((B, T), '') for T in _STEPS]
            if any(cells):
                lines.append((f'  {B:>9}' + ''.join(
                    f'{cell:>14}' for cell in cells)).rstrip())
    return '\n'.join(lines)


def _draw(rows, figure):
    grids = _grids(rows)
    n_columns = len(_MODES)
    figure.set_size_inches(5 * n_columns, 4 * len(grids) / n_columns)
    for axes, (mode, title, factors) in zip(
            figure.subplots(-(-len(grids) // n_columns), n_columns).flat,
            grids):
        numbers = numpy.array([
            [float(factors.get((B, T), 'nan').split()[0]) for T in _STEPS]
            for B in _BATCHES])
        good = 1 if 'faster' in title else -1
        axes.imshow(good * numpy.log(numbers), cmap='RdYlGn', aspect='auto',
                    vmin=-numpy.log(20), vmax=numpy.log(20))
        for y, B in enumerate(_BATCHES):
            for x, T in enumerate(_STEPS):
                axes.text(x, y, factors.get((B, T), '').replace(' ', '\n'),
                          ha='center', va='center', fontsize='small')
        axes.set_xticks(range(len(_STEPS)), _STEPS)
        axes.set_yticks(range(len(_BATCHES)), _BATCHES)
        axes.set_xlabel('T')
        axes.set_ylabel('batch')
        axes.set_title(
            f'{mode}: {title}'.replace(' (', '\n('), fontsize='small')


def _grids(rows):
    """Return tables as a list of ``(mode, title, {(B, T): text})``."""
    names = list(rows[0]['milliseconds'])
    opponent = _TORCH if _TORCH in names else 'LSTMLayer'
    pairs = [(f'QRNNLayer / {opponent}', True,
              f'times faster than {opponent} (in the paper: than cuDNN, '
              'inference, K40)'),
             (f'QRNNLayer / {_PRODUCTS}', False,
              'time relative to its matrix products')]
    if {_TORCH, 'LSTMLayer'} <= set(names):
        pairs.append((f'LSTMLayer / {_TORCH}', False,
                      f'time of LSTMLayer relative to {_TORCH}'))
    grids = []
    for kind, clock in (('', ''), ('device_', ', time on the GPU')):
        for pair, is_speed, title in pairs:
            for mode in _MODES:
                cells = {
                    (row['B'], row['T']):
                    _text(row[kind + 'ratios'][pair]['median'],
                          LAYER_SPEED[row['B'], row['T']]
                          if is_speed else None)
                    for row in rows
                    if row['mode'] == mode and kind + 'ratios' in row}
                if cells:
                    grids.append((mode, title + clock, cells))
    return grids


def _text(ratio, paper):
    return f'{ratio:.2f}' if paper is None else f'{1 / ratio:.2f} ({paper})'


@benchmark('layer', _summary, _draw)
def layer(device, size=320, grid=_GRID):
    """A QRNN layer (320 units, k = 2), its matrix products, and LSTMs."""
    torch = find_torch(device)
    if torch is None:
        print('PyTorch is not installed or finds no GPU; the only LSTM is '
              'LSTMLayer.')
    for B, T in grid:
        x = device.send(
            numpy.random.RandomState(0).randn(B, T, size).astype('f'))
        links = [qrnn.QRNNLayer(size, size, _KERNEL_SIZE),
                 qrnn.LSTMLayer(size, size)]
        for link in links:
            link.to_device(device)
        torch_lstm = torch and TorchLSTM(torch, links[1], x)
        for mode in _MODES:
            contestants = {
                type(link).__name__: _call(link, x, mode) for link in links}
            if torch:
                contestants[_TORCH] = (
                    torch_lstm.train if mode == 'training'
                    else torch_lstm.infer)
                if device.xp is not numpy:
                    # LSTMLayer launches kernels for every step, so only
                    # cuDNN's LSTM is a fair comparison on a GPU.
                    del contestants['LSTMLayer']
            contestants[_PRODUCTS] = matrix_products(
                [(B * T, _KERNEL_SIZE * size, 3 * size)], device.xp,
                mode == 'training')
            yield Comparison({'B': B, 'T': T, 'mode': mode}, contestants,
                             lambda: _check(*links, torch_lstm, x))


def _call(link, x, mode):
    """Return a function that runs a link forward and, in training, backward.
    """
    def train():
        link.cleargrads()
        F.sum(link(chainer.Variable(x))).backward()

    def infer():
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            link(x)

    return train if mode == 'training' else infer


def _check(layer, lstm, torch_lstm, x):
    """Compare the QRNN with its reference, and the LSTMs with each other."""
    x = x[:2, :16]
    W, b = (cuda.to_cpu(p.array) for p in (layer.W, layer.b))
    u = qrnn.masked_convolution_ref(cuda.to_cpu(x), W)
    expected, _, _ = qrnn.qrnn_pooling_ref(u, b)
    with chainer.no_backprop_mode():
        h, h_lstm = (cuda.to_cpu(link(x).array) for link in (layer, lstm))
    numpy.testing.assert_allclose(h, expected, rtol=1e-3, atol=1e-4)
    if torch_lstm:
        numpy.testing.assert_allclose(
            h_lstm, torch_lstm.infer().cpu().numpy()[:16, :2].swapaxes(0, 1),
            rtol=1e-3, atol=1e-4)
