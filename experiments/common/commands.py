"""Parts of the commands that use a trained model."""
import argparse
import os
import sys
import time

from chainer import serializers

from experiments.common import precision
from experiments.common.checkpoint import copied_arrays
from experiments.common.cli import describe
from experiments.common.cli import UserError
from experiments.common.files import read_arrays
from experiments.common.text import read_json


def load_model(folder, experiment, build):
    """Return the best model of a run, on the CPU, and its description.

    Args:
        folder (str): Output folder of the run.
        experiment (str): Name of the experiment.
        build (callable): Function that receives the contents of
            ``model.json`` and returns a model.

    """
    try:
        description = read_json(os.path.join(folder, 'model.json'))
        arrays = read_arrays(os.path.join(folder, 'model.npz'))
    except FileNotFoundError as error:
        raise UserError(f'there is no trained model in {folder}: '
                        f'{error.filename} is missing')
    try:
        if description['experiment'] != experiment:
            raise ValueError('it belongs to another experiment')
        with precision.using(description['dtype']):
            model = build(description)
        if set(arrays) != set(copied_arrays(model)):
            raise ValueError('model.npz belongs to another model')
        serializers.NpzDeserializer(arrays).load(model)
    except Exception as error:  # the description may contain anything
        raise UserError(f'{folder} does not contain a model of experiments.'
                        f'{experiment} and this version ({describe(error)})')
    return model, description


def add_model(parser, default=None):
    """Add ``--model`` to a parser. Without a ``default``, it is required."""
    parser.add_argument(
        '--model', '-m', metavar='FOLDER', default=default,
        required=default is None,
        help='output folder of a training run' + (
            '' if default is None else
            ' (default: the trained model in %(default)s)'))


def text(argument):
    """Decode a command-line argument as UTF-8, regardless of the locale."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f'{argument!r} is not UTF-8 text')


def report_rate(n, unit, start):
    """Print the number of items per second, if stderr is a terminal.

    Args:
        n (int): Number of items.
        unit (str): Name of the items, for example ``'words'``.
        start (float): :func:`time.perf_counter` before the first item.

    """
    if sys.stderr.isatty() and n:
        seconds = time.perf_counter() - start
        print(f'{n} {unit} in {seconds:.1f} s, {n / seconds:.1f} per second',
              file=sys.stderr)
