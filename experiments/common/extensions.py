"""Trainer extensions that Chainer does not have, for any Chainer trainer."""
import contextlib
import math
import os
import signal
import sys
import time

import chainer
from chainer import training
from chainer.training import triggers
import numpy

from experiments.common import cli
from experiments.common.processes import SingleProcess


class CheckFinite(training.Extension):
    """Trainer extension that ends a run if a loss or parameter is not finite.

    It runs before snapshots are written. In contrast to Chainer's
    ``FailOnNonNumber``, it checks observations as well as parameters, and
    synchronizes with a GPU only once.
    """

    priority = training.PRIORITY_WRITER - 1  # runs after evaluators

    def __call__(self, trainer):
        updater = trainer.updater
        model = updater.get_optimizer('main').target
        values = {
            name: value[0] if isinstance(value, tuple) else value
            for name, value in trainer.observation.items()}
        with numpy.errstate(over='ignore', invalid='ignore'):
            values.update(
                (name, model.xp.ptp(param.array))
                for name, param in sorted(model.namedparams())
                if param.array is not None and param.array.size)
            numbers = chainer.backends.cuda.to_cpu(model.xp.stack([
                model.xp.asarray(chainer.as_array(value), 'd')
                for value in values.values()])).tolist()
        for name, number in zip(values, numbers):
            if not math.isfinite(number):
                raise cli.UserError(
                    f'{name} is {number} in iteration {updater.iteration} '
                    f'(epoch {math.ceil(updater.epoch_detail)}); try a '
                    'smaller learning rate')


class Curves(training.Extension):
    """Trainer extension that draws entries of the log as ``curves.png``.

    In contrast to Chainer's ``PlotReport``, it draws the log of ``LogReport``,
    which a resumed run restores. Without matplotlib it does nothing.

    Args:
        entries (sequence of str): Entries of the log.

    """

    trigger = 1, 'epoch'
    priority = training.PRIORITY_READER - 1  # runs after LogReport

    def __init__(self, entries):
        self._entries = entries

    def __call__(self, trainer):
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        log = trainer.get_extension('LogReport').log
        figure = Figure(layout='constrained')
        axes = figure.add_subplot(xlabel='epoch')
        for name in self._entries:
            axes.plot(*zip(*((entry['epoch'], entry[name]) for entry in log
                             if name in entry)), marker='.', label=name)
        axes.grid(alpha=.3)
        axes.legend()
        figure.savefig(os.path.join(trainer.out, 'curves.png'), dpi=150)


class Progress(training.Extension):
    """Trainer extension that reports progress on standard error.

    It prints a line every minute or, on a terminal, updates a line every
    second. Chainer's ``ProgressBar`` supports terminals only.
    """

    def initialize(self, trainer):
        self._last = time.time(), trainer.updater.iteration

    def __call__(self, trainer):
        updater, now = trainer.updater, time.time()
        then, iteration = self._last
        period, end = (1, '\033[K\r') if sys.stderr.isatty() else (60, '\n')
        if now - then >= period:
            seconds = (now - then) / (updater.iteration - iteration)
            print(f'epoch {updater.epoch_detail:.2f}, iteration '
                  f'{updater.iteration}, {seconds:.3g} s per iteration',
                  end=end, file=sys.stderr, flush=True)
            self._last = now, updater.iteration


class DeferSignals(training.Extension):
    """Trainer extension that defers signals to the end of the iteration.

    After SIGTERM, SIGINT (Ctrl-C), SIGHUP or SIGUSR1, the iteration is
    completed, a snapshot is written, and
    :class:`~experiments.common.cli.Interrupted` is raised. A second signal
    ends the process immediately. Signals that are ignored, for example under
    ``nohup``, remain ignored.

    Args:
        snapshot (Snapshot): Extension that writes snapshots.
        processes (SingleProcess or MultiProcess): The processes that train
            together. A signal to one process ends all processes.

    """

    priority = -200  # runs after the snapshot

    def __init__(self, snapshot, processes=SingleProcess()):
        self._snapshot = snapshot
        self._processes = processes
        self._signal = 0  # number of the first signal, 0 if none
        self._has_ended = False
        self._previous = {}

    def initialize(self, trainer):
        # SIGUSR1 is included because Open MPI's mpiexec forwards it.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                       signal.SIGUSR1):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)

    def _handle(self, number, frame):
        if not self._signal:
            self._signal, self._time = number, time.monotonic()
            with contextlib.suppress(OSError):
                # Do not call print(), which the signal may have interrupted.
                os.write(2, b'completing the iteration to write a snapshot; a '
                         b'second signal ends the run at once\n')
        elif time.monotonic() - self._time > 1:
            # The command ``timeout`` signals the process and then its group.
            # So a repetition within one second is ignored.
            self._has_ended = True
            cli.die(number)

    def __call__(self, trainer):
        # With several processes, gathering takes about ten microseconds.
        number = max(self._processes.gather(self._signal))
        if number:
            if not self._snapshot.trigger(trainer):
                self._snapshot(trainer)
            self._has_ended = True
            raise cli.Interrupted(number, self._snapshot.advice(trainer.out))

    def finalize(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        # Raise the signal again if it came after the last iteration.
        if self._signal and not self._has_ended:
            signal.raise_signal(self._signal)


class EarlyStopping(triggers.IntervalTrigger):
    """Stop trigger that ends a run when the model no longer improves.

    Chainer's ``EarlyStoppingTrigger`` restarts its count when a run is
    resumed. This trigger uses the epoch of the best model, which is part of
    the snapshots.

    Args:
        n_epochs (int): Largest number of epochs.
        best (BestModel): Extension with the epoch of the best model.
        patience (int): The run ends after this number of epochs without a
            better model. By default, it does not end early.
        processes (SingleProcess or MultiProcess): The processes.

    """

    def __init__(self, n_epochs, best, patience=None,
                 processes=SingleProcess()):
        super().__init__(n_epochs, 'epoch')
        self._best = best
        self._patience = patience
        self._processes = processes

    def __call__(self, trainer):
        ends = super().__call__(trainer)
        if self._patience is None or not trainer.updater.is_new_epoch:
            return ends
        return ends or self._processes.once(lambda: (
            trainer.updater.epoch - self._best.epoch >= self._patience))


def add_perplexities(entry):
    """Add the perplexity of each loss to an entry of the log.

    This function is a ``postprocess`` of Chainer's ``LogReport``.
    """
    for name, loss in list(entry.items()):
        if name.endswith('main/loss') and loss < 700:
            entry[name.removesuffix('main/loss') + 'perplexity'] = (
                math.exp(loss))
