"""Train the paper's models: ``python -m experiments.reproduce --help``."""
import argparse
import glob
import os
import shlex
import signal
import subprocess
import sys

from experiments.common import cli
from experiments.common.text import read_json
from experiments.paper import TABLES


def main(argv=None):
    """Train the models of all unfinished table rows, one after the other."""
    args = parse(argv)
    failed = []
    for folder, command in rows(args):
        print(f'{folder}: {state(folder)}\n'
              f'    {shlex.join(["python", *command])}', flush=True)
        if args.dry_run or state(folder) == 'finished':
            continue
        run(command)
        if state(folder) != 'finished':
            failed.append(folder)
            print(f'{folder} failed', file=sys.stderr)
    if failed:
        raise cli.UserError(f'{", ".join(failed)} failed; to try again, '
                            'repeat the command')


def parse(argv=None):
    parser = cli.Parser(
        'reproduce',
        description='Train the rows of the tables whose data are given, and '
        'print the command of each row. Finished rows are skipped, and '
        'interrupted rows are resumed. Other options, for example --device 0 '
        'or --seed 1, are passed on to every row.')
    parser.add_argument(
        '--data', metavar='NAME=SOURCE', nargs='+', required=True,
        type=_source,
        help='ptb=SOURCE, imdb=SOURCE and iwslt=FOLDER, as in --data of the '
             'training scripts, and glove=FILE, word vectors for imdb')
    parser.add_argument(
        '--out', '-o', metavar='FOLDER', default='out',
        help='output folder; each row is written to '
             'FOLDER/EXPERIMENT/CONFIG (default: out)')
    parser.add_argument('--dry-run', action='store_true',
                        help='only list the rows, their states and commands')
    args, args.options = parser.parse_known_args(argv)
    args.data = dict(args.data)
    if ('imdb' in args.data) != ('glove' in args.data):
        parser.error('--data requires imdb=SOURCE and glove=FILE, or neither')
    return args


def _source(text):
    name, _, source = text.partition('=')
    if name not in (*TABLES, 'glove') or not source:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not NAME=SOURCE with the name '
            f'{", ".join(TABLES)} or glove')
    return name, source


def rows(args):
    """Return a list with an output folder and a command for each table row.

    A command is a list of arguments for Python.
    """
    commands = []
    for experiment, table in TABLES.items():
        if experiment not in args.data:
            continue
        data = ['--data', args.data[experiment]]
        if experiment == 'imdb':
            data += ['--glove', args.data['glove']]
        for config in table.rows:
            folder = os.path.join(args.out, experiment, config)
            commands.append((folder, [
                '-m', f'experiments.{experiment}.train', '--config', config,
                *data, '--out', folder, '--resume', *args.options]))
    return commands


def state(folder):
    """Return the state of the run in a folder, for example ``'finished'``."""
    path = os.path.join(folder, 'result.json')
    result = read_json(path) if os.path.exists(path) else {}
    if result.get('finished'):
        return 'finished'
    if glob.glob(os.path.join(glob.escape(folder), 'snapshot*')):
        return f'started, {result.get("epochs", 0)} epochs so far'
    return 'not started'


def run(command):
    """Run Python with the given arguments.

    SIGINT and SIGTERM are forwarded to the new process. After such a signal,
    :class:`~experiments.common.cli.Interrupted` is raised when the new process
    has ended.
    """
    process = subprocess.Popen([sys.executable, *command])
    numbers = []

    def forward(number, frame):
        numbers.append(number)
        process.send_signal(number)

    previous = {number: signal.signal(number, forward)
                for number in (signal.SIGINT, signal.SIGTERM)
                if signal.getsignal(number) != signal.SIG_IGN}
    status = process.wait()
    for number, handler in previous.items():
        signal.signal(number, handler)
    if status in (-signal.SIGINT, -signal.SIGTERM):
        numbers.append(-status)
    if numbers:
        raise cli.Interrupted(numbers[0], 'to resume, repeat the command')


if __name__ == '__main__':
    cli.run(main)
