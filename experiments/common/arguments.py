"""Command lines, the same in every experiment."""
import argparse
import dataclasses

import chainer
from chainer.backends import cuda
import numpy

from experiments.common import communication
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.common.precision import DTYPES


class Parser(argparse.ArgumentParser):

    """Argument parser whose complaints are a single line."""

    def __init__(self, **kwargs):
        super(Parser, self).__init__(allow_abbrev=False, **kwargs)

    def error(self, message):
        errors.complain('{} (see --help)'.format(message), status=2)


def training_parser(experiment, configs, default_config):
    """Parser of a training command, with what all experiments take.

    Args:
        experiment (str): Name of the folder of the experiment.
        configs (dict): Configurations by name.
        default_config (str): Name of the one trained by default.

    """
    parser = Parser(prog='python -m experiments.{}.train'.format(experiment))
    parser.add_argument(
        '--config', choices=sorted(configs), default=default_config,
        help='what to train (default: {})'.format(default_config))
    add_device(parser)
    parser.add_argument(
        '--out', '-o', metavar='FOLDER',
        help='where results go (default: out/{}-CONFIG)'.format(experiment))
    parser.add_argument(
        '--resume', '-r', metavar='SNAPSHOT', nargs='?', const=True,
        help='go on from this snapshot, or without a name from the newest '
             'good one in --out')
    parser.add_argument(
        '--overwrite', action='store_true',
        help='start over in a folder that holds an earlier run')
    parser.add_argument(
        '--epoch', '-e', metavar='N', type=positive,
        help="epochs to train in all (default: the configuration's)")
    parser.add_argument(
        '--batch-size', metavar='N', type=positive,
        help="size of a batch, over all processes (default: the "
             "configuration's)")
    parser.add_argument(
        '--communicator', choices=communication.NAMES,
        help='how the processes that mpiexec starts train together: naive on '
             'CPUs, pure_nccl on a GPU for each (default: there is one '
             'process)')
    parser.add_argument(
        '--seed', metavar='N', type=seed, default=0,
        help='seed of every random choice (default: 0)')
    parser.add_argument(
        '--dtype', choices=DTYPES, default='float32',
        help="precision to train in; mixed16 is Chainer's own mix of float16 "
             'and float32, for GPUs (default: float32)')
    parser.add_argument(
        '--snapshot-every', metavar='N', type=positive, default=200,
        help='iterations between two snapshots (default: 200); one is taken '
             'after every epoch in any case')
    parser.add_argument(
        '--test', action='store_true',
        help='train a tiny model on the sample, whatever --data is, for a few '
             'iterations to see that everything works, and keep nothing '
             'unless --out is given')
    return parser


def evaluation_parser(experiment, sources):
    """Parser of an evaluation command, with what all experiments take.

    Args:
        experiment (str): Name of the folder of the experiment.
        sources (str): What ``--data`` takes.

    """
    parser = Parser(
        prog='python -m experiments.{}.evaluate'.format(experiment))
    add_model(parser)
    parser.add_argument(
        '--data', metavar='SOURCE',
        help='{}, as in training (default: what the model was trained '
             'on)'.format(sources))
    add_device(parser)
    return parser


def configure(config, args, processes):
    """A configuration with what the command line says otherwise.

    Args:
        config: An instance of a dataclass.
        args (argparse.Namespace): Arguments that :func:`training_parser`
            parsed.
        processes (~experiments.common.communication.Alone): Those that train,
            which must be able to share a batch.

    """
    if args.batch_size is not None:
        config = dataclasses.replace(config, batch_size=args.batch_size)
    processes.check_batch_size(config.batch_size)
    return config


def add_device(parser):
    """Adds ``--device`` to a parser."""
    parser.add_argument(
        '--device', '-d', metavar='DEVICE', default='-1',
        help='-1 or @numpy for the CPU (default), 0 or @cupy:0 for the '
             'first GPU')


def add_model(parser):
    """Adds ``--model``, the folder of a finished training, to a parser."""
    parser.add_argument(
        '--model', '-m', metavar='FOLDER', required=True,
        help='output folder of the training')


def use_device(specifier):
    """Makes the device of a specifier the current one and returns it.

    Arguments and errors are those of :func:`get_device`.
    """
    device = get_device(specifier)
    device.use()
    return device


def get_device(specifier):
    """The device of a specifier, or a :class:`Problem` if it is not there.

    Args:
        specifier (str): As :func:`chainer.get_device` takes it.

    Returns:
        chainer.backend.Device: A device of NumPy or CuPy.

    """
    wants_gpu = specifier.startswith('@cupy') or specifier.isdigit()
    if wants_gpu:
        _check_gpu(specifier)
    try:
        device = chainer.get_device(specifier)
    except Exception:
        device = None
    if device is None or device.xp not in (numpy, cuda.cupy):
        raise Problem('there is no device {}; --device takes -1 for the CPU '
                      'or the number of a GPU, 0 for the first'.format(
                          specifier))
    return device


def positive(text):
    """Type of an argument: a whole number above 0."""
    return _whole(text, 1, 2 ** 31 - 1)


def seed(text):
    """Type of an argument: what NumPy takes as a seed."""
    return _whole(text, 0, 2 ** 32 - 1)


def not_negative(text):
    """Type of an argument: a number from 0 on."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(
            'it takes a number from 0 on, not {!r}'.format(text))
    return value


def _whole(text, low, high):
    if not text.isdigit() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(
            'it takes a whole number from {} to {}, not {!r}'.format(
                low, high, text))
    return int(text)


def _check_gpu(specifier):
    # chainer.backends.cuda.available only says that CuPy was imported.
    if not cuda.available:
        raise Problem('device {} needs CuPy, which is not installed; use '
                      '--device -1 for the CPU'.format(specifier))
    try:
        count = cuda.cupy.cuda.runtime.getDeviceCount()
    except cuda.cupy.cuda.runtime.CUDARuntimeError:
        count = 0
    number = specifier.rpartition(':')[2]
    if not number.isdigit() or int(number) >= count:
        raise Problem('there is no device {}: this machine has {} GPU{}; use '
                      '--device -1 for the CPU'.format(
                          specifier, count or 'no', 's' * (count > 1)))
