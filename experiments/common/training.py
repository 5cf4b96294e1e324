"""The frame of every training: command, folder, extensions, result."""
import contextlib
import math
import os
import sys
import tempfile
import time

from chainer import training
from chainer.training import extensions
import numpy

from experiments.common import best_model
from experiments.common import communication
from experiments.common import divergence
from experiments.common import precision
from experiments.common import random_state
from experiments.common import result
from experiments.common import signals
from experiments.common import snapshots
from experiments.common.errors import describe
from experiments.common.errors import explained
from experiments.common.errors import Problem
from experiments.common.errors import warn
from experiments.common.files import write_json
from experiments.common.packing import pack


def main(experiment, args, train):
    """Runs a training command, in a folder of its own.

    SIGTERM and Ctrl-C end it with what there is to go on from: while it
    trains, after the iteration under way, with its evaluation if it has one,
    and with a snapshot; otherwise at once.

    Args:
        experiment (str): Name of the experiment's folder.
        args (argparse.Namespace): Arguments that
            :func:`~experiments.common.arguments.training_parser` parsed.
        train: Function that takes them, with ``out`` set.

    """
    with signals.raised(), precision.using(args.dtype):
        if args.test and args.data != 'sample':
            warn(f'--test trains on the sample, and does not read {args.data}')
        if args.test and args.out is None:
            with tempfile.TemporaryDirectory() as args.out:
                train(args)
            print('Everything works.')
            return
        args.out = args.out or 'out/{}-{}'.format(experiment, args.config)
        try:
            train(args)
        except signals.Interrupted as interrupt:
            raise signals.Interrupted(
                interrupt.number, snapshots.outlook(args.out))


class Run(object):

    """A training run: its folder, its seed, and what identifies it.

    To make one prepares the folder and seeds all generators.

    Args:
        args (argparse.Namespace): Arguments of the command.
        facts (dict): As in :class:`~experiments.common.snapshots.Identity`.
        device (chainer.backend.Device): Device of the training.
        processes (~experiments.common.communication.Alone): Those that train.

    """

    def __init__(self, args, facts, device, processes=communication.Alone()):
        processes.once(lambda: snapshots.prepare_folder(
            args.out, args.resume, args.overwrite))
        random_state.seed_all(args.seed, device, processes.rank)
        self.args = args
        self.facts = dict(facts, dtype=precision.in_use())
        self.device = device
        self.processes = processes
        # What the order of examples is drawn from: the same in every process,
        # whatever else they draw.
        self.order = numpy.random.RandomState(args.seed)
        self.interruption = signals.Deferred(
            'the iteration under way is completed and saved, a second signal '
            'ends the run at once' if processes.rank == 0 else None)
        self.starts = result.Starts(dict(
            result.environment(device), processes=processes.size))

    def train(self, trainer, **description):
        """Runs a trainer, after resuming it if that is wanted.

        Args:
            trainer (~chainer.training.Trainer): The trainer.
            description: What it takes, beside the facts, to build the model
                anew. See :func:`~experiments.common.best_model
                .save_description`.

        """
        if self.args.resume:
            snapshots.resume(self.args.resume, self.args.out, trainer,
                             self.facts, self.processes)
            self._check_length(trainer)
        self.processes.once(lambda: best_model.save_description(
            self.args.out, dict(self.facts, **description)))
        with self.interruption:
            trainer.run(show_loop_exception_msg=False)

    def _check_length(self, trainer):
        """Complains about a snapshot that has trained too long already."""
        updater, n_epochs = trainer.updater, trainer.stop_trigger.period
        if updater.epoch > n_epochs or (
                updater.epoch == n_epochs and not updater.is_new_epoch):
            raise Problem(
                'the snapshot has trained for {:.2f} epochs, more than the {} '
                'asked for; give a longer --epoch, or start over with '
                '--overwrite'.format(updater.epoch_detail, n_epochs))

    def finish(self, trainer, outcome):
        """Write ``result.json`` and return what was written."""
        with explained('cannot write the result: {}; the same command with '
                       '--resume scores the model again', OSError):
            written = self.processes.once(
                lambda: self.write(trainer, outcome))
        print(f'Results are in {self.args.out}')
        return written

    def write(self, trainer, outcome, finished=True):
        """Write ``result.json``; see :func:`result.write_result`."""
        return result.write_result(
            self.args.out, self.facts, outcome,
            self.starts.list(trainer.elapsed_time),
            trainer.get_extension('LogReport').log, finished)


def extend(trainer, run, best, plot, columns, postprocess=None):
    """Adds log, progress, checks and snapshots to a trainer.

    Args:
        trainer (~chainer.training.Trainer): The trainer.
        run (Run): The run that it is for.
        best (~experiments.common.best_model.BestModel): What saves the model.
        plot (~experiments.common.plot.CurvePlot): What draws the curves.
        columns (list of str): Entries of the log to print.
        postprocess: Function that completes an entry of the log, or None.

    """
    if run.device.xp is not numpy and run.processes.size == 1:
        # ChainerMN packs gradients itself.
        pack(trainer.updater.get_optimizer('main'))
    precision.extend(trainer)
    trainer.extend(random_state.RandomState(
        run.device, run.order, run.processes))
    trainer.extend(lambda trainer: run.processes.merge(
                       trainer.observation,
                       trainer.updater.get_optimizer('main').target),
                   name='merge', trigger=(1, 'iteration'),
                   priority=divergence.check_update.priority + 1)
    _extend_with_snapshots(trainer, run)
    if run.processes.rank == 0:
        _extend_first(trainer, run, best, plot, columns, postprocess)


def _extend_with_snapshots(trainer, run):
    """Adds what comes last in an iteration: what is to stay is written.

    Several processes take a snapshot together and end in the same iteration,
    whichever of them a signal came to. So they tell each other in every
    iteration, by MPI also where the gradients go by NCCL. It takes some ten
    microseconds on one machine, and does not wait for a GPU more than the
    check of the loss does.
    """
    snapshot = snapshots.Snapshot(run.processes)

    def signal():
        numbers = run.processes.gather(run.interruption.number)
        return next(filter(None, numbers), None)

    def is_due(trainer):
        updater = trainer.updater
        return (signal() is not None
                or updater.is_new_epoch
                or updater.iteration % run.args.snapshot_every == 0)

    def end_if_interrupted(trainer):
        # A signal that came too late for this iteration's snapshot waits
        # for the next one's.
        if snapshot.iteration == trainer.updater.iteration:
            number = signal()
            if number is not None:
                raise signals.Interrupted(number)

    trainer.extend(snapshot, trigger=is_due)
    trainer.extend(end_if_interrupted, priority=snapshot.priority - 2)


def _extend_first(trainer, run, best, plot, columns, postprocess):
    """Adds what only the first process does: it looks on, and writes.

    The best model is chosen before the snapshot and saved after it; see
    :class:`~experiments.common.best_model.BestModel`.
    """
    trainer.extend(divergence.check_update)
    trainer.extend(divergence.check_evaluation)
    trainer.extend(best)
    # In every iteration: the snapshot has the state of a trigger that comes
    # after it as it was before, and resumed, it would go off once more.
    trainer.extend(lambda trainer: best.save(trainer), name='save_best_model',
                   priority=snapshots.Snapshot.priority - 1)
    trainer.extend(extensions.LogReport(
        postprocess=postprocess, log_name=None))  # _Log writes it
    trainer.extend(run.starts)
    trainer.extend(_Log(run, best))
    if run.processes.has_terminal:
        trainer.extend(extensions.PrintReport(columns, out=_Terminal()))
        progress = extensions.ProgressBar(
            update_interval=10, out=_Terminal())
    else:
        trainer.extend(extensions.PrintReport(columns, out=_Plain()))
        progress = _Heartbeat()
    # One name for both, as a snapshot has the state of its trigger.
    trainer.extend(progress, name='progress')
    trainer.extend(plot)
    trainer.extend(snapshots.Identity(run.facts))


def add_perplexities(entry):
    """Completes an entry of the log with the losses' exponentials."""
    for prefix in '', 'validation/':
        loss = entry.get(prefix + 'main/loss')
        if loss is not None:
            with contextlib.suppress(OverflowError):
                entry[prefix + 'perplexity'] = math.exp(loss)


class _Log(training.Extension):

    """Writes the entries of ``LogReport``, and the result so far.

    A full disk does not stop it.
    """

    trigger = 1, 'epoch'
    priority = training.PRIORITY_READER - 1  # after LogReport
    default_name = 'log'

    def __init__(self, run, best):
        self._run = run
        self._best = best

    def initialize(self, trainer):
        # Of a resumed run, as it was then.
        if trainer.get_extension('LogReport').log:
            self._write_log(trainer)

    def __call__(self, trainer):
        self._write_log(trainer)
        with self._warned('result.json'):
            self._run.write(trainer, {
                'parameters': trainer.updater.get_optimizer(
                    'main').target.count_params(),
                'epochs': trainer.updater.epoch,
                'best_epoch': self._best.epoch}, finished=False)

    def _write_log(self, trainer):
        with self._warned('log'):
            write_json(os.path.join(trainer.out, 'log'),
                       trainer.get_extension('LogReport').log)

    @contextlib.contextmanager
    def _warned(self, name):
        try:
            yield
        except OSError as error:
            path = os.path.join(self._run.args.out, name)
            warn(f'cannot write {path}: {describe(error)}; training goes on, '
                 'and the next epoch writes it whole')


class _Heartbeat(training.Extension):

    """A line a minute on standard error, where no bar can be drawn."""

    _PERIOD = 60  # seconds

    def initialize(self, trainer):
        self._last = time.time(), trainer.updater.iteration

    def __call__(self, trainer):
        updater, now = trainer.updater, time.time()
        then, iteration = self._last
        if now - then >= self._PERIOD:
            with contextlib.suppress(OSError):
                print('epoch {:.2f}, iteration {}, {:.3g} s per iteration'
                      .format(updater.epoch_detail, updater.iteration,
                              (now - then) / (updater.iteration - iteration)),
                      file=sys.stderr, flush=True)
            self._last = now, updater.iteration


class _Terminal(object):

    """Standard output, where a line lost does not end a training.

    It may be a file on a full disk, or a terminal that was closed.
    """

    def write(self, text):
        with self._going_on():
            sys.stdout.write(text)

    def flush(self):
        with self._going_on():
            sys.stdout.flush()

    @contextlib.contextmanager
    def _going_on(self):
        try:
            yield
        except BrokenPipeError:
            raise  # nobody reads any more, which ends a command
        except OSError:
            pass


class _Plain(_Terminal):

    """The same without the control sequences of a terminal."""

    def write(self, text):
        super(_Plain, self).write(text.replace('\033[J', ''))
