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


def main(experiment, configs, tiny, add_arguments, train, evaluate, argv):
    """Run a training command: ``train(run)`` or ``evaluate(args, device)``.

    ``add_arguments(parser)`` adds what the experiment takes beside the rest.
    """
    parser = _parser(experiment, configs)
    add_arguments(parser)
    args = parser.parse_args(argv)
    if args.eval_only is not None:
        return evaluate(args, cli.use_device(args.device))
    if args.test:
        args.config, configs = 'test', {'test': tiny}
        if args.data not in (None, 'sample'):
            print('warning: --test does not read --data', file=sys.stderr)
    config = configs[args.config]
    given = {'batch_size': args.batch_size, 'n_epochs': args.epoch}
    config = dataclasses.replace(config, **{
        name: value for name, value in given.items() if value is not None})
    with precision.using(args.dtype):
        if args.test and args.out is None:
            with tempfile.TemporaryDirectory() as args.out:
                train(Run(experiment, args, config))
            print('Everything works.')
        else:
            args.out = args.out or f'out/{experiment}-{args.config}'
            train(Run(experiment, args, config))


def _parser(experiment, configs):
    parser = cli.Parser(f'{experiment}.train')
    add = parser.add_argument
    add('--config', choices=sorted(configs), default='small',
        help='what to train (default: small)')
    cli.add_device(parser)
    add('--out', '-o', metavar='FOLDER',
        help=f'where results go (default: out/{experiment}-CONFIG)')
    either = parser.add_mutually_exclusive_group().add_argument
    either('--resume', '-r', metavar='SNAPSHOT', nargs='?', const=True,
           help='go on from this snapshot, or from the newest in --out')
    either('--overwrite', action='store_true',
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

    To make one prepares the folder and seeds all generators. The order of
    examples is to be drawn from ``order``, the same in all processes.
    """

    def __init__(self, experiment, args, config):
        self.args, self.config = args, config
        self.processes = processes = join(args.communicator)
        if config.batch_size % processes.size:
            raise cli.UserError(
                f'a batch of {config.batch_size} cannot be shared equally by '
                f'{processes.size} processes; --batch-size sets another')
        self.device = processes.use_device(args.device)
        processes.once(lambda: checkpoint.prepare_folder(
            args.out, args.resume, args.overwrite))
        checkpoint.seed_all(args.seed, self.device, processes.rank)
        self.order = numpy.random.RandomState(args.seed)
        self._facts = {
            'experiment': experiment, 'config': args.config,
            'settings': dataclasses.asdict(config), 'seed': args.seed,
            'dtype': args.dtype}
        self._starts = [{**result.environment(self.device),
                         'processes': processes.size, 'began': 0.}]
        self._signal = 0  # number of one that came

    def train(self, updater, evaluators, columns, curves, facts, description,
              learning_rate=None, postprocess=None, best=()):
        """Train a model, or go on with it, and make it its best.

        ``evaluators`` are extensions by name, of which ``'validation'``
        selects the best model; ``learning_rate`` is an extension. ``columns``
        are the entries of the log to print and ``curves`` those to draw,
        completed by ``postprocess``. ``facts`` of the data must be the same
        for a snapshot to fit; with ``description`` they are what it takes to
        build the model again. ``best`` are arguments of
        :class:`checkpoint.BestModel`, which is returned.
        """
        self._facts.update(facts)
        self._trainer = trainer = training.Trainer(
            updater, (self.config.n_epochs, 'epoch'), self.args.out)
        optimizer = updater.get_optimizer('main')
        self._best = checkpoint.BestModel(optimizer.target, *best)
        if self.device.xp is not numpy and self.processes.size == 1:
            # ChainerMN packs gradients itself.
            optimizer.target = precision.Packed(optimizer.target)
        epoch, iteration = (1, 'epoch'), (1, 'iteration')
        in_order = [
            ('merge', lambda _: self.processes.merge(trainer), iteration),
            *((name, each, epoch) for name, each in evaluators.items()),
            ('check_finite', check_finite, iteration),
            ('best_model', self._best, epoch),
            ('learning_rate', learning_rate, epoch),
            ('mixed_precision', precision.MixedPrecision(optimizer)
             if self.args.dtype == 'mixed16' else None, iteration),
            ('run', self, iteration),
            ('LogReport', extensions.LogReport(postprocess=postprocess),
             iteration),
            ('PrintReport', extensions.PrintReport(columns), epoch),
            ('write_result', lambda _: self._write_result(
                {'best_epoch': self._best.epoch}, finished=False), epoch),
            # Chainer's PlotReport forgets half an epoch where it is resumed.
            ('draw_curves', lambda _: result.draw_curves(
                trainer.out, trainer.get_extension('LogReport').log, curves),
             epoch),
            ('progress', _Progress(), iteration),
            ('snapshot', lambda _: self._take_snapshot(), iteration)]
        in_all = 'merge', 'learning_rate', 'mixed_precision', 'run', 'snapshot'
        for i, (name, extension, trigger) in enumerate(in_order):
            if extension and (self.processes.rank == 0 or name in in_all):
                trainer.extend(extension, name, trigger, priority=-i)
        if self.args.resume:
            checkpoint.load_snapshot(
                self.args.resume, trainer, self._facts, self.processes)
            if updater.epoch_detail > self.config.n_epochs:
                raise cli.UserError(
                    f'the snapshot has trained for {updater.epoch_detail:.2f} '
                    f'epochs, more than the {self.config.n_epochs} asked for; '
                    'give a longer --epoch, or start over with --overwrite')
        self.processes.once(lambda: checkpoint.write_json(
            os.path.join(self.args.out, 'model.json'),
            {**self._facts, **description}))
        try:
            with self._signals_deferred():
                trainer.run(show_loop_exception_msg=False)
        except OSError as error:  # a full disk, for instance
            raise cli.UserError(f'{cli.describe(error)}; '
                                + checkpoint.outlook(self.args.out))
        self._best.restore()
        return self._best

    def finish(self, outcome):
        """Write the best model and ``result.json``."""
        def write():
            self._best.write(self.args.out)
            self._write_result(outcome, finished=True)

        with cli.explained('cannot write the result: {}; the same command '
                           'with --resume scores the model again', OSError):
            self.processes.once(write)
        print(f'Results are in {self.args.out}')

    def initialize(self, trainer):
        self._starts[-1]['began'] = trainer.elapsed_time  # of all starts

    def __call__(self, trainer):
        pass  # as an extension it is there for its part of a snapshot

    def serialize(self, serializer):
        if isinstance(serializer, chainer.Deserializer):
            self._starts[:0] = json.loads(str(serializer('starts', '')))
            order, *states = json.loads(str(serializer('random', '')))
            rank, size = self.processes.rank, self.processes.size
            self.order.set_state(tuple(order))
            numpy.random.set_state(tuple(states[rank % len(states)]))
            if len(states) != size:
                print(f'The snapshot is of another number of processes, '
                      f'{len(states)}; these draw other random numbers.')
                checkpoint.seed_all(
                    numpy.random.randint(2 ** 31), self.device, rank + 1)
            checkpoint.seed_device(self.device)
            return
        serializer('facts', json.dumps(self._facts))
        serializer('starts', json.dumps(self._starts))
        order, own = ([kind, keys.tolist(), *rest] for kind, keys, *rest in (
            self.order.get_state(), numpy.random.get_state()))
        serializer('random', json.dumps(
            [order, *self.processes.gather(own)]))

    def _take_snapshot(self):
        """Write what is to stay; end, if a signal has asked for it.

        A signal may have come to any of the processes, so they tell each
        other in every iteration, which takes some ten microseconds.
        """
        updater = self._trainer.updater
        number = max(self.processes.gather(self._signal))
        if (number or updater.is_new_epoch
                or updater.iteration % self.args.snapshot_every == 0):
            self._count_minutes()
            checkpoint.save_snapshot(self._trainer, self.processes)
            if self.processes.rank == 0:
                self._best.write(self.args.out)
        if number:
            raise cli.Interrupted(number, checkpoint.outlook(self.args.out))

    def _write_result(self, outcome, finished):
        self._count_minutes()
        updater = self._trainer.updater
        result.write_result(
            self.args.out, self._facts,
            {'parameters': updater.get_optimizer('main').target.count_params(),
             'epochs': updater.epoch, **outcome}, self._starts,
            self._trainer.get_extension('LogReport').log, finished)

    def _count_minutes(self):
        start = self._starts[-1]
        start['minutes'] = (self._trainer.elapsed_time - start['began']) / 60

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
                self._signal, checkpoint.outlook(self.args.out))


def add_perplexities(entry):
    """Complete an entry of the log with the losses' exponentials."""
    for name, loss in list(entry.items()):
        if name.endswith('main/loss') and loss < 700:
            entry[name.removesuffix('main/loss') + 'perplexity'] = (
                math.exp(loss))


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
