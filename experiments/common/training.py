"""The frame of every training: command, folder, extensions, result."""
import math
import sys
import tempfile
import time

from chainer import training
from chainer.training import extensions

from experiments.common import best_model
from experiments.common import random_state
from experiments.common import result
from experiments.common import snapshots
from experiments.common.errors import Problem


def main(experiment, args, train):
    """Runs a training command, in a folder of its own.

    Args:
        experiment (str): Name of the experiment's folder.
        args (argparse.Namespace): Arguments that
            :func:`~experiments.common.arguments.training_parser` parsed.
        train: Function that takes them, with ``out`` set.

    """
    if args.test and args.out is None:
        with tempfile.TemporaryDirectory() as args.out:
            train(args)
        print('Everything works.')
    else:
        args.out = args.out or 'out/{}-{}'.format(experiment, args.config)
        train(args)


class Run(object):

    """A training run: its folder, its seed, and what identifies it.

    To make one prepares the folder and seeds all generators.

    Args:
        args (argparse.Namespace): Arguments of the command.
        facts (dict): As in :class:`~experiments.common.snapshots.Identity`.
        device (chainer.backend.Device): Device of the training.

    """

    def __init__(self, args, facts, device):
        snapshots.prepare_folder(args.out, args.resume, args.overwrite)
        random_state.seed_all(args.seed, device)
        self.args = args
        self.facts = facts
        self.device = device
        self._environment = result.environment(device)

    def train(self, trainer, **description):
        """Runs a trainer, after resuming it if that is wanted.

        Args:
            trainer (~chainer.training.Trainer): The trainer.
            description: What it takes, beside the facts, to build the model
                anew. See :func:`~experiments.common.best_model
                .save_description`.

        """
        if self.args.resume:
            snapshots.resume(
                self.args.resume, self.args.out, trainer, self.facts)
        best_model.save_description(
            self.args.out, dict(self.facts, **description))
        try:
            trainer.run(show_loop_exception_msg=False)
        except KeyboardInterrupt:
            raise Problem(
                'interrupted; the same command with --resume goes on from '
                'the last snapshot in {}'.format(self.args.out))

    def finish(self, trainer, outcome):
        """Writes ``result.json`` and returns what was written."""
        written = result.write_result(
            self.args.out, self.facts, outcome, self._environment,
            trainer.get_extension('LogReport').log)
        print('Results are in {}'.format(self.args.out))
        return written


def extend(trainer, run, columns, postprocess=None):
    """Adds log, progress, checks and snapshots to a trainer.

    Args:
        trainer (~chainer.training.Trainer): The trainer.
        run (Run): The run that it is for.
        columns (list of str): Entries of the log to print.
        postprocess: Function that completes an entry of the log, or None.

    """
    trainer.extend(_stop_if_diverged)
    trainer.extend(extensions.LogReport(postprocess=postprocess))
    if sys.stdout.isatty():
        trainer.extend(extensions.PrintReport(columns))
        trainer.extend(extensions.ProgressBar(update_interval=10))
    else:
        trainer.extend(extensions.PrintReport(columns, out=_Plain()))
        trainer.extend(_Heartbeat())
    trainer.extend(snapshots.Identity(run.facts))
    trainer.extend(random_state.RandomState(run.device))
    trainer.extend(snapshots.snapshot(), trigger=lambda trainer: (
        trainer.updater.is_new_epoch
        or trainer.updater.iteration % run.args.snapshot_every == 0))


def add_perplexities(entry):
    """Completes an entry of the log with the losses' exponentials."""
    for prefix in '', 'validation/':
        loss = entry.get(prefix + 'main/loss')
        if loss is not None:
            entry[prefix + 'perplexity'] = math.exp(loss)


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
