"""The trainer extensions that every experiment has."""
import math
import sys
import time

from chainer import training
from chainer.training import extensions

from experiments.common import snapshots
from experiments.common.errors import Problem
from experiments.common.random_state import RandomState


def extend(trainer, facts, snapshot_every, device, columns, postprocess):
    """Adds log, progress, checks and snapshots to a trainer.

    Args:
        trainer (~chainer.training.Trainer): The trainer.
        facts (dict): As in :class:`~experiments.common.snapshots.Identity`.
        snapshot_every (int): Iterations between two snapshots; one is taken
            after every epoch too.
        device (chainer.backend.Device): Device of the training.
        columns (list of str): Entries of the log to print.
        postprocess: Function that completes an entry of the log.

    """
    trainer.extend(_stop_if_diverged)
    trainer.extend(extensions.LogReport(postprocess=postprocess))
    if sys.stdout.isatty():
        trainer.extend(extensions.PrintReport(columns))
        trainer.extend(extensions.ProgressBar(update_interval=10))
    else:
        trainer.extend(extensions.PrintReport(columns, out=_Plain()))
        trainer.extend(_Heartbeat())
    trainer.extend(snapshots.Identity(facts))
    trainer.extend(RandomState(device))
    trainer.extend(snapshots.snapshot(), trigger=lambda trainer: (
        trainer.updater.is_new_epoch
        or trainer.updater.iteration % snapshot_every == 0))


def run(trainer):
    """Runs a trainer; what stops it is left to the caller to explain."""
    try:
        trainer.run(show_loop_exception_msg=False)
    except KeyboardInterrupt:
        raise Problem('interrupted; the same command with --resume goes on '
                      'from the last snapshot in {}'.format(trainer.out))


@training.make_extension(priority=training.PRIORITY_EDITOR)
def _stop_if_diverged(trainer):
    """Stops before a snapshot of a broken model is taken."""
    loss = trainer.observation.get('main/loss')
    loss = float(loss[0] if isinstance(loss, tuple) else loss)
    if not math.isfinite(loss):
        raise Problem(
            'the loss became {} in iteration {} (epoch {}); the snapshots '
            'taken before are good, a smaller learning rate may help'.format(
                loss, trainer.updater.iteration,
                math.ceil(trainer.updater.epoch_detail)))


class _Heartbeat(training.Extension):

    """A line a minute on standard error, where no bar can be drawn."""

    _PERIOD = 60  # seconds

    def initialize(self, trainer):
        self._last = time.time(), trainer.updater.iteration

    def __call__(self, trainer):
        updater, now = trainer.updater, time.time()
        then, iteration = self._last
        if now - then >= self._PERIOD:
            print('epoch {:.2f}, iteration {}, {:.3g} s per iteration'.format(
                updater.epoch_detail, updater.iteration,
                (now - then) / (updater.iteration - iteration)),
                file=sys.stderr, flush=True)
            self._last = now, updater.iteration


class _Plain(object):

    """Standard output without the control sequences of a terminal."""

    def write(self, text):
        sys.stdout.write(text.replace('\033[J', ''))

    def flush(self):
        sys.stdout.flush()
