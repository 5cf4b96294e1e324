"""Curves over the epochs of a run."""
import os

from chainer.training import extension

from experiments.common.errors import describe
from experiments.common.errors import warn
from experiments.common.files import replacing


class CurvePlot(extension.Extension):

    """Trainer extension that draws entries of the log against the epoch.

    Args:
        filename (str): Name of the PNG file in the folder of the run.
        curves (dict): Label of each entry of the log to draw.
        ylabel (str): Label of the vertical axis.
        reference (tuple): Label and height of a line to compare with, or
            ``None``.
        scale (str): Scale of the vertical axis, ``'log'`` or ``'linear'``.

    """

    trigger = 1, 'epoch'

    def __init__(self, filename, curves, ylabel, reference, scale='log'):
        self._filename = filename
        self._curves = curves
        self._ylabel = ylabel
        self._reference = reference
        self._scale = scale

    def initialize(self, trainer):
        if _figure() is None:
            print('matplotlib is not installed, so no plot will be drawn.')

    def __call__(self, trainer):
        log = trainer.get_extension('LogReport').log
        figure = _figure()
        if figure is None:
            return
        axes = figure.add_subplot()
        for key, label in self._curves.items():
            points = [(entry['epoch'], entry[key])
                      for entry in log if key in entry]
            axes.plot(*zip(*points), marker='o', markersize=3, label=label)
        if self._reference is not None:
            label, height = self._reference
            axes.axhline(height, color='gray', linestyle='--', linewidth=1,
                         label='{} ({:.4g})'.format(label, height))
        _label(axes, self._ylabel, self._scale)
        path = os.path.join(trainer.out, self._filename)
        try:
            with replacing(path) as f:
                figure.savefig(f, format='png', dpi=150)
        except OSError as error:
            warn('cannot draw {}: {}; training goes on'.format(
                path, describe(error)))


def _figure():
    """A figure without a window, or ``None`` if matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    return Figure(figsize=(6, 4), layout='constrained')


def _label(axes, ylabel, scale):
    from matplotlib import ticker
    axes.set_xlabel('epoch')
    axes.set_ylabel(ylabel)
    if scale == 'log':
        # Plain numbers at 1, 2 and 5 of each decade, not powers of ten.
        axes.set_yscale('log')
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(ticker.StrMethodFormatter('{x:g}'))
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.xaxis.set_major_locator(
        ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=.3)
    axes.legend()
