"""The pictures of the documentation, drawn whenever it is built."""

import matplotlib
from matplotlib.colors import BoundaryNorm
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.patches import FancyBboxPatch
import numpy

from qrnn.kernels.plans import choose_regime
from qrnn.kernels.plans import REGIMES


PARALLEL, SEQUENTIAL = '#cfe2f3', '#f4c7b0'  # over time

# What a regime's kernel is, in the order of REGIMES.
COLOURS = '#cfe2f3', '#7fa8d1', '#2f5f98'
CAPTIONS = {
    'channels': 'channels\na thread per channel',
    'warps': 'warps\ntime over the warps of a block',
    'split': 'split\ntime over blocks',
}


def draw(folder):
    """Draws all into a folder, as SVG."""
    folder.mkdir(exist_ok=True)
    # The same bytes at every build.
    with matplotlib.rc_context({'svg.hashsalt': 'qrnn', 'font.size': 9}):
        for name, picture in (('data-flow', data_flow()),
                              ('regimes', regimes())):
            picture.savefig(folder / (name + '.svg'), bbox_inches='tight',
                            metadata={'Date': None})


def data_flow(n_steps=4):
    """What waits for what, in an LSTM layer and in a QRNN layer."""
    figure = Figure(figsize=(7.5, 2.9))
    lstm, qrnn = figure.subplots(1, 2)
    _lanes(lstm, 'LSTM', n_steps, [
        ('$W x_t$', PARALLEL), ('$U h_{t-1}$, gates', SEQUENTIAL),
        ('$c_t$, $h_t$', SEQUENTIAL)])
    _lanes(qrnn, 'QRNN, fo-pooling, k = 2', n_steps, [
        ('$W_1 x_{t-1} + W_2 x_t$, gates', PARALLEL),
        ('$c_t$', SEQUENTIAL), ('$h_t = o_t c_t$', PARALLEL)])
    return figure


def _lanes(axes, title, n_steps, lanes):
    """One box along time per parallel step, one per time step otherwise."""
    width, height = .74, .56
    for y, (label, colour) in zip(range(len(lanes))[::-1], lanes):
        if colour == PARALLEL:
            spans = [(0, n_steps - 1 + width)]
        else:
            spans = [(t, width) for t in range(n_steps)]
        for x, span in spans:
            axes.add_patch(FancyBboxPatch(
                (x, y), span, height, boxstyle='round,pad=0,rounding_size=.08',
                facecolor=colour, edgecolor='#555555', linewidth=.8))
        axes.text((n_steps - 1 + width) / 2, y + height + .07, label,
                  ha='center', va='bottom')
        if y:
            below = lanes[len(lanes) - y][1]
            if SEQUENTIAL in (colour, below):
                for t in range(n_steps):
                    _arrow(axes, (t + .12, y), (t + .12, y - 1 + height))
            else:
                _arrow(axes, (.12, y), (.12, y - 1 + height))
    rows = [y for y, (_, colour) in zip(range(len(lanes))[::-1], lanes)
            if colour == SEQUENTIAL]
    for t in range(n_steps - 1):  # from the last of a step to the next's first
        _arrow(axes, (t + width, min(rows) + height / 2),
               (t + 1, max(rows) + height / 2))
    axes.set(xlim=(-.1, n_steps), ylim=(-.45, len(lanes)), title=title)
    axes.text((n_steps - 1 + width) / 2, -.35, 'time', ha='center')
    axes.axis('off')


def _arrow(axes, start, end):
    axes.add_patch(FancyArrowPatch(
        start, end, arrowstyle='-|>', mutation_scale=8, linewidth=.8,
        color='#333333', shrinkA=0, shrinkB=0))


def regimes():
    """The kernels' launch regime over the shape of what they compute."""
    channels = numpy.unique(numpy.geomspace(32, 2 ** 18, 300).astype(int))
    steps = numpy.unique(numpy.geomspace(1, 2 ** 17, 300).astype(int))
    chosen = numpy.array([
        [REGIMES.index(choose_regime(c, T)) for c in channels]
        for T in steps])
    figure = Figure(figsize=(5.4, 3.4))
    axes = figure.subplots()
    axes.pcolormesh(
        channels, steps, chosen, shading='nearest', rasterized=True,
        cmap=ListedColormap(COLOURS), norm=BoundaryNorm(range(4), 3))
    for regime in REGIMES:
        rows, columns = numpy.nonzero(chosen == REGIMES.index(regime))
        axes.text(*_middle_of(regime, channels, steps, rows, columns),
                  CAPTIONS[regime], ha='center', va='center',
                  color='white' if regime == 'split' else 'black')
    for name, B, C, T, side in PAPER:
        axes.plot(B * C, T, 'o', color='#c0392b', markersize=4)
        axes.annotate(name, (B * C, T), (5 * side, -3), ha=(
            'left' if side > 0 else 'right'), textcoords='offset points')
    axes.set(xscale='log', yscale='log', xlabel='B C, recurrences at a time',
             ylabel='T, steps')
    return figure


#: Experiment, batch, channels, steps of a call, side of the label.
PAPER = (
    ('language model', 20, 640, 105, 1),
    ('sentiment', 24, 256, 231, -1),
)


def _middle_of(regime, channels, steps, rows, columns):
    """The geometric middle of a regime's columns and rows."""
    if regime == 'channels':  # it is L-shaped: the upright part
        columns = columns[rows == rows.max()]
    return (numpy.sqrt(channels[columns.min()] * channels[columns.max()]),
            numpy.sqrt(steps[rows.min()] * float(steps[rows.max()])))
