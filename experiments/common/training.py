"""What every training does beside its own: folder, log, snapshots, signals."""
import contextlib
import dataclasses
import json
import math
import os
import signal
import sys
import tempfile
import time

import chainer
from chainer import training
from chainer.training import extensions
import numpy

from experiments.common import checkpoint
from experiments.common import cli
from experiments.common import precision
from experiments.common import result


def parser(experiment, configs, data_help):
    """Return the parser of a training command, with what all of them take."""
    parser = cli.Parser(f'{experiment}.train')
    add = parser.add_argument
    add('--config', choices=sorted(configs), default='small',
        help='what to train (default: small)')
    add('--data', metavar='SOURCE', help=data_help)
    cli.add_device(parser)
    add('--out', '-o', metavar='FOLDER',
        help=f'where results go (default: out/{experiment}-CONFIG)')
    add('--resume', '-r', metavar='SNAPSHOT', nargs='?', const=True,
        help='go on from this snapshot, or from the newest in --out')
    add('--overwrite', action='store_true',
        help='start over in a folder that holds an earlier run')
    add('--eval-only', metavar='FOLDER',
        help='only score the model of this folder, on its data or on --data')
    add('--epoch', '-e', metavar='N', type=cli.positive,
        help="epochs to train in all (default: the configuration's)")
    add('--batch-size', metavar='N', type=cli.positive,
        help="over all processes (default: the configuration's)")
    add('--communicator', choices=('naive', 'pure_nccl'),
        help='for several processes, by mpiexec: naive on CPUs, pure_nccl on '
             'a GPU for each')
    add('--seed', metavar='N', type=cli.seed, default=0,
        help='seed of every random choice (default: 0)')
    add('--dtype', choices=precision.DTYPES, default='float32',
        help='precision (default: float32); tf32 and mixed16 are for GPUs')
    add('--snapshot-every', metavar='N', type=cli.positive, default=200,
        help='iterations between snapshots, beside those after every epoch '
             '(default: 200)')
    add('--test', action='store_true',
        help='see in seconds that everything works: a tiny model on a tiny '
             'sample, of which nothing is kept without --out')
    return parser


def configure(config, args):
    """Return a configuration with what the command line says otherwise."""
    given = {'batch_size': args.batch_size, 'n_epochs': args.epoch}
    return dataclasses.replace(config, **{
        name: value for name, value in given.items() if value is not None})


def main(experiment, args, train):
    """Call ``train(args)`` in the precision and the folder asked for."""
    with precision.using(args.dtype):
        if args.test and args.out is None:
            with tempfile.TemporaryDirectory() as args.out:
                train(args)
            print('Everything works.')
        else:
            args.out = args.out or f'out/{experiment}-{args.config}'
            train(args)


def join(communicator):
    """Return the processes that train together; one alone needs no MPI."""
    if communicator is not None:
        from experiments.common.distributed import MultiProcess
        return MultiProcess(communicator)
    if (cli.launched('SIZE') or 1) > 1:
        raise cli.UserError(
            f"each of these {cli.launched('SIZE')} processes would train on "
            'its own; with --communicator they train together')
    return Processes()


class Processes:
    """The processes that train together: one. ``distributed`` has several."""

    rank = 0  # number of this process; that of the root process is 0
    size = 1

    def use_device(self, specifier):
        """Make this process's device the current one and return it."""
        return cli.use_device(specifier)

    def once(self, function):
        """Call a function in the root process, and return its value in all."""
        return function()

    def gather(self, value):
        """Return the values that all processes call it with, in each."""
        return [value]

    def share(self, batch):
        """Return this process's part of a batch, a sequence or an array."""
        n = len(batch)
        return batch[
            n * self.rank // self.size:n * (self.rank + 1) // self.size]

    def multi_node(self, optimizer):
        """Return an optimizer that goes by the mean of all gradients."""
        return optimizer

    def merge(self, trainer):
        """Trainer extension: turn what came of shares into the batch's."""


class Run(training.Extension):
    """A training run: its folder, its seed, and its part of a snapshot.

    To make one prepares the folder and seeds all generators. ``facts`` are
    what must be the same for a snapshot to fit, plain values by name; the
    order of examples is to be drawn from ``order``, the same in all processes.
    """

    def __init__(self, args, facts, device, processes):
        batch_size = facts['settings']['batch_size']
        if batch_size % processes.size:
            raise cli.UserError(
                f'a batch of {batch_size} cannot be shared equally by '
                f'{processes.size} processes; --batch-size sets another')
        processes.once(lambda: checkpoint.prepare_folder(
            args.out, args.resume, args.overwrite))
        checkpoint.seed_all(args.seed, device, processes.rank)
        self.order = numpy.random.RandomState(args.seed)
        self._args = args
        self._facts = {**facts, 'seed': args.seed, 'dtype': args.dtype}
        self._device = device
        self._processes = processes
        self._starts = [{**result.environment(device),
                         'processes': processes.size, 'began': 0.}]
        self._signal = 0  # number of one that came

    def extend(self, trainer, best, evaluator, columns, plot,
               learning_rate=None, postprocess=None):
        """Give a trainer its extensions, in the order in which they run.

        ``best``, a :class:`~experiments.common.checkpoint.BestModel`,
        ``evaluator``, ``plot`` and ``learning_rate`` are extensions;
        ``columns`` of the log are printed, ``postprocess`` completes its
        entries.
        """
        self._best = best
        optimizer = trainer.updater.get_optimizer('main')
        if self._device.xp is not numpy and self._processes.size == 1:
            # ChainerMN packs gradients itself.
            optimizer.target = precision.Packed(optimizer.target)
        epoch, iteration = (1, 'epoch'), (1, 'iteration')
        in_order = [
            ('merge', lambda _: self._processes.merge(trainer), iteration),
            ('validation', evaluator, epoch),
            ('check_finite', check_finite, iteration),
            ('best_model', best, epoch),
            ('learning_rate', learning_rate, epoch),
            ('mixed_precision', precision.MixedPrecision(optimizer)
             if self._args.dtype == 'mixed16' else None, iteration),
            ('run', self, iteration),
            ('LogReport', extensions.LogReport(postprocess=postprocess),
             iteration),
            ('PrintReport', extensions.PrintReport(columns), epoch),
            ('write_result', lambda _: self._write_result(
                trainer, {'best_epoch': best.epoch}, finished=False), epoch),
            ('PlotReport', plot, iteration),
            ('progress', _Progress(), iteration),
            ('snapshot', lambda _: self._take_snapshot(trainer), iteration)]
        in_all = 'merge', 'learning_rate', 'mixed_precision', 'run', 'snapshot'
        for i, (name, extension, trigger) in enumerate(in_order):
            if extension and (self._processes.rank == 0 or name in in_all):
                trainer.extend(extension, name, trigger, priority=-i)

    def train(self, trainer, **description):
        """Run a trainer, or go on with it.

        ``description`` is what it takes, beside the facts, to build the model
        anew.
        """
        if self._args.resume:
            checkpoint.load_snapshot(
                self._args.resume, trainer, self._facts, self._processes)
            n_epochs = self._facts['settings']['n_epochs']
            epoch = trainer.updater.epoch_detail
            if epoch > n_epochs:
                raise cli.UserError(
                    f'the snapshot has trained for {epoch:.2f} epochs, more '
                    f'than the {n_epochs} asked for; give a longer --epoch, '
                    'or start over with --overwrite')
        self._processes.once(lambda: checkpoint.write_json(
            os.path.join(trainer.out, 'model.json'),
            {**self._facts, **description}))
        try:
            with self._signals_deferred():
                trainer.run(show_loop_exception_msg=False)
        except OSError as error:  # a full disk, for instance
            raise cli.UserError(f'{cli.describe(error)}; '
                                + checkpoint.outlook(trainer.out))

    def finish(self, trainer, outcome):
        """Write the best model and ``result.json``."""
        def write():
            self._best.write(trainer.out)
            self._write_result(trainer, outcome, finished=True)

        with cli.explained('cannot write the result: {}; the same command '
                           'with --resume scores the model again', OSError):
            self._processes.once(write)
        print(f'Results are in {trainer.out}')

    def initialize(self, trainer):
        self._starts[-1]['began'] = trainer.elapsed_time  # of all starts

    def __call__(self, trainer):
        pass  # as an extension it is there for its part of a snapshot

    def serialize(self, serializer):
        if isinstance(serializer, chainer.Deserializer):
            self._starts[:0] = json.loads(str(serializer('starts', '')))
            order, *states = json.loads(str(serializer('random', '')))
            rank, size = self._processes.rank, self._processes.size
            self.order.set_state(tuple(order))
            numpy.random.set_state(tuple(states[rank % len(states)]))
            if len(states) != size:
                print(f'The snapshot is of another number of processes, '
                      f'{len(states)}; these draw other random numbers.')
                checkpoint.seed_all(
                    numpy.random.randint(2 ** 31), self._device, rank + 1)
            checkpoint.seed_device(self._device)
            return
        serializer('facts', json.dumps(self._facts))
        serializer('starts', json.dumps(self._starts))
        order, own = ([kind, keys.tolist(), *rest] for kind, keys, *rest in (
            self.order.get_state(), numpy.random.get_state()))
        serializer('random', json.dumps(
            [order, *self._processes.gather(own)]))

    def _take_snapshot(self, trainer):
        """Write what is to stay; end, if a signal has asked for it.

        A signal may have come to any of the processes, so they tell each
        other in every iteration, which takes some ten microseconds.
        """
        updater = trainer.updater
        number = max(self._processes.gather(self._signal))
        if (number or updater.is_new_epoch
                or updater.iteration % self._args.snapshot_every == 0):
            self._count_minutes(trainer)
            checkpoint.save_snapshot(trainer, self._processes)
            if self._processes.rank == 0:
                self._best.write(trainer.out)
        if number:
            raise cli.Interrupted(number, checkpoint.outlook(trainer.out))

    def _write_result(self, trainer, outcome, finished):
        self._count_minutes(trainer)
        updater = trainer.updater
        result.write_result(
            trainer.out, self._facts,
            {'parameters': updater.get_optimizer('main').target.count_params(),
             'epochs': updater.epoch, **outcome},
            self._starts, trainer.get_extension('LogReport').log, finished)

    def _count_minutes(self, trainer):
        start = self._starts[-1]
        start['minutes'] = (trainer.elapsed_time - start['began']) / 60

    @contextlib.contextmanager
    def _signals_deferred(self):
        """Context in which the first signal is kept, and a second one kills.
        """
        came = None

        def handle(number, frame):
            nonlocal came
            if came is None:
                came, self._signal = time.monotonic(), number
                with contextlib.suppress(OSError):
                    # Not print: what is interrupted may be printing.
                    os.write(2, b'the iteration under way is completed and '
                             b'saved, a second signal ends the run at once\n')
            elif time.monotonic() - came > 1:
                # ``timeout`` sends it to the process and to its group.
                cli.die(number)

        # mpiexec hands on SIGUSR1. What is ignored, by nohup, stays ignored.
        before = {number: signal.signal(number, handle) for number in (
            signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
            if signal.getsignal(number) != signal.SIG_IGN}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._signal:  # after the last snapshot
            raise cli.Interrupted(
                self._signal, checkpoint.outlook(self._args.out))


def add_perplexities(entry):
    """Complete an entry of the log with the losses' exponentials."""
    for prefix in '', 'validation/':
        loss = entry.get(prefix + 'main/loss', math.inf)
        if loss < 700:
            entry[prefix + 'perplexity'] = math.exp(loss)


class _Progress(training.Extension):
    """How far it is, on standard error: a line a minute, a terminal's own."""

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


def check_finite(trainer):
    """Trainer extension that stops when a loss or a parameter is not finite.

    So no such model gets into a snapshot. It looks at a GPU once, at all that
    there is to see, for each look waits for what was sent before; what was
    observed are Python's floats from here on.
    """
    updater, observation = trainer.updater, trainer.observation
    model = updater.get_optimizer('main').target
    observed = {name: value if isinstance(value, tuple) else (value,)
                for name, value in observation.items()}
    arrays = {name: param.array for name, param in sorted(model.namedparams())
              if param.array is not None and param.array.size}
    with numpy.errstate(over='ignore', invalid='ignore'):
        values = chainer.backends.cuda.to_cpu(model.xp.stack([
            model.xp.asarray(chainer.as_array(each), 'f8') for each in (
                *(value for value, *_ in observed.values()),
                *map(model.xp.ptp, arrays.values()))])).tolist()
    for name, value in zip([*observed, *arrays], values):
        if not math.isfinite(value):
            raise cli.UserError(
                f'{name} became {value} in iteration {updater.iteration} '
                f'(epoch {math.ceil(updater.epoch_detail)}); '
                f'{checkpoint.outlook(trainer.out)}, and a smaller learning '
                'rate may help')
    for (name, (_, *weight)), value in zip(observed.items(), values):
        observation[name] = (value, *weight) if weight else value
