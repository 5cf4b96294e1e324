"""Figures of the documentation, drawn at every build."""

import matplotlib
from matplotlib.colors import BoundaryNorm
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.patches import FancyBboxPatch
import numpy

from qrnn.kernels.cuda.plans import choose_regime
from qrnn.kernels.cuda.plans import REGIMES


PARALLEL, SEQUENTIAL = '#cfe2f3', '#f4c7b0'  # colours of the boxes

COLOURS = '#cfe2f3', '#7fa8d1', '#2f5f98'  # one colour per launch regime
CAPTIONS = {
    'sequential': 'sequential\none thread per channel',
    'block_scan': 'block scan\ntime split over warps',
    'chunked_scan': 'chunked scan\ntime split over blocks',
}


def draw(folder):
    """Write all figures as SVG files.

    Args:
        folder (pathlib.Path): Folder to write to.

    """
    folder.mkdir(exist_ok=True)
    # A fixed salt and no date make builds reproducible.
    with matplotlib.rc_context({'svg.hashsalt': 'qrnn', 'font.size': 9}):
        for name, picture in (('data-flow', data_flow()),
                              ('regimes', regimes())):
            picture.savefig(folder / (name + '.svg'), bbox_inches='tight',
                            metadata={'Date': None})


def data_flow(n_steps=4):
    """Draw the data dependencies in an LSTM layer and a QRNN layer."""
    figure = Figure(figsize=(7.5, 2.5))
    lstm, qrnn = figure.subplots(1, 2)
    _lanes(lstm, 'LSTM', n_steps, [
        ('$W x$', PARALLEL),
        (r'$+\,U h_{before}$', SEQUENTIAL),
        ('$c_{here}, h_{here}$', SEQUENTIAL)])
    _lanes(qrnn, 'QRNN, fo-pooling', n_steps, [
        (r'$z, f, o\ =\ \tanh, \sigma, \sigma\;(W * x)$', PARALLEL),
        ('$c_{here}$', SEQUENTIAL),
        (r'$h\ =\ o \odot c$', PARALLEL)])
    return figure


def _lanes(axes, title, n_steps, lanes):
    """Draw parallel parts as one box, and sequential parts as a box per step.
    """
    width, height = .74, .6
    whole = n_steps - 1 + width
    rows = range(len(lanes))[::-1]
    for y, (label, colour) in zip(rows, lanes):
        spans = [(0, whole, label)] if colour == PARALLEL else [
            (t, width, label.replace('before', str(t))
             .replace('here', str(t + 1))) for t in range(n_steps)]
        for x, span, text in spans:
            axes.add_patch(FancyBboxPatch(
                (x, y), span, height, boxstyle='round,pad=0,rounding_size=.08',
                facecolor=colour, edgecolor='#555555', linewidth=.8))
            axes.text(x + span / 2, y + height / 2, text, ha='center',
                      va='center')
        if y:
            for x in numpy.arange(n_steps) + width / 2:
                _arrow(axes, (x, y), (x, y - 1 + height))
    steps = [y for y, (_, colour) in zip(rows, lanes) if colour == SEQUENTIAL]
    # Arrows from the last box of a step to the first box of the next step
    for t in range(n_steps - 1):
        _arrow(axes, (t + width, min(steps) + height / 2),
               (t + 1, max(steps) + height / 2))
    axes.set(xlim=(-.1, n_steps), ylim=(-.4, len(lanes)), title=title)
    axes.text(whole / 2, -.3, r'time $\rightarrow$', ha='center')
    axes.axis('off')


def _arrow(axes, start, end):
    axes.add_patch(FancyArrowPatch(
        start, end, arrowstyle='-|>', mutation_scale=8, linewidth=.8,
        color='#333333', shrinkA=0, shrinkB=0))


def regimes():
    """Plot the launch regimes by number of recurrences and number of steps."""
    channels = numpy.unique(numpy.geomspace(32, 2 ** 18, 300).astype(int))
    steps = numpy.unique(numpy.geomspace(1, 2 ** 17, 300).astype(int))
    indexes = numpy.array([
        [REGIMES.index(choose_regime(c, T)) for c in channels]
        for T in steps])
    figure = Figure(figsize=(5.4, 3.4))
    axes = figure.subplots()
    axes.pcolormesh(
        channels, steps, indexes, shading='nearest', rasterized=True,
        cmap=ListedColormap(COLOURS), norm=BoundaryNorm(range(4), 3))
    for regime in REGIMES:
        rows, columns = numpy.nonzero(indexes == REGIMES.index(regime))
        # The region of the sequential regime is a mirrored L. Its caption is
        # at the height of the horizontal bar.
        if regime == 'sequential':
            y = _middle(steps[rows[columns == 0]])
        else:
            y = _middle(steps[rows])
        axes.text(_middle(channels[columns]), y,
                  CAPTIONS[regime], ha='center', va='center',
                  color='white' if regime == 'chunked_scan' else 'black')
    for name, B, C, T in PAPER:
        axes.plot(B * C, T, 'o', color='#c0392b', markersize=4)
        axes.annotate(name, (B * C, T), (-6, -3), ha='right',
                      textcoords='offset points')
    axes.set(xscale='log', yscale='log', xlabel='B C, number of recurrences',
             ylabel='T, number of steps')
    return figure


#: Tuples of model, batch size, channels and steps, as in the paper.
PAPER = (
    ('language model', 20, 640, 105),
    ('sentiment', 24, 256, 231),
)


def _middle(values):
    """Return the geometric mean of the smallest and the largest value."""
    return numpy.sqrt(float(values.min()) * float(values.max()))
