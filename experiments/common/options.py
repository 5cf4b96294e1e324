"""Options of all training scripts."""
import dataclasses
import sys

from experiments.common import cli
from experiments.common import precision


class TrainingParser(cli.Parser):
    """Parser of a training script.

    The parsed arguments include ``settings``, the configuration with all
    overrides, and ``facts``, a dict of values to record with the results.

    Args:
        experiment (str): Name of the experiment.
        configs (dict): Maps names to configurations, which are instances of a
            dataclass with the fields ``batch_size`` and ``n_epochs``.
        tiny: Configuration of ``--test``.

    """

    def __init__(self, experiment, configs, tiny):
        super().__init__(f'{experiment}.train')
        self._experiment = experiment
        self._kinds = {
            field.name: field.type for field in dataclasses.fields(tiny)}
        self._configs = {**configs, 'test': tiny}
        add = self.add_argument
        add('--config', choices=sorted(configs), default='small',
            help='configuration to train (default: small)')
        add('--set', metavar='NAME=VALUE', nargs='+', action='extend',
            default=[], type=self._setting,
            help='override settings of the configuration, for example '
                 'dropout=0.4')
        add('--epoch', '-e', metavar='N', type=cli.positive,
            help="total number of epochs (default: the configuration's)")
        add('--batch-size', metavar='N', type=cli.positive,
            help='batch size, summed over all processes (default: the '
                 "configuration's)")
        add('--patience', metavar='N', type=cli.positive,
            help='end after N epochs without a better validation score')
        add('--seed', metavar='N', type=cli.seed, default=0,
            help='seed of all random numbers (default: 0)')
        cli.add_device(self)
        add('--dtype', choices=precision.DTYPES, default='float32',
            help='precision (default: float32); tf32 and mixed16 are for GPUs')
        add('--communicator', choices=('naive', 'pure_nccl'),
            help='for processes started by mpiexec: naive on CPUs, pure_nccl '
                 'with a GPU for each')
        add('--out', '-o', metavar='FOLDER',
            help=f'output folder (default: out/{experiment}-CONFIG)')
        either = self.add_mutually_exclusive_group().add_argument
        either('--resume', '-r', action='store_true',
               help='resume from the newest snapshot in --out')
        either('--overwrite', action='store_true',
               help='start over in a folder that contains an earlier run')
        add('--snapshot-every', metavar='N', type=cli.positive, default=200,
            help='iterations between snapshots, in addition to one after '
                 'every epoch (default: 200)')
        add('--eval-only', metavar='FOLDER',
            help='score the model in this folder, on its data or on --data')
        add('--test', action='store_true',
            help='check the installation within seconds: train a tiny model '
                 f'on a tiny sample, in out/{experiment}-test')

    def _setting(self, text):
        from experiments.common.settings import parse
        return parse(text, self._kinds)

    def parse_args(self, args=None, namespace=None):
        args = super().parse_args(args, namespace)
        if args.test:
            args.config = 'test'
            args.overwrite |= args.out is None and not args.resume
            if getattr(args, 'data', None) not in (None, 'sample'):
                print('warning: --test ignores --data', file=sys.stderr)
        args.out = args.out or f'out/{self._experiment}-{args.config}'
        changes = dict(args.set)
        if args.batch_size:
            changes['batch_size'] = args.batch_size
        planned = dataclasses.replace(self._configs[args.config], **changes)
        args.settings = dataclasses.replace(
            planned, n_epochs=args.epoch or planned.n_epochs)
        # Record the planned number of epochs instead of --epoch, so that the
        # report shows if --epoch ended the run early.
        args.facts = {
            'experiment': self._experiment, 'config': args.config,
            'settings': dataclasses.asdict(planned), 'seed': args.seed,
            'dtype': args.dtype, 'patience': args.patience}
        return args
