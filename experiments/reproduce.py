"""Train the paper's tables: ``python -m experiments.reproduce --help``."""
import argparse
import glob
import os
import shlex
import signal
import subprocess
import sys

from experiments.common import cli
from experiments.common.files import read_json
from experiments.paper import TABLES


def main(argv=None):
    """Run the rows that are not finished, one after the other."""
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
        raise cli.UserError(f'{", ".join(failed)} failed; the same command '
                            'tries them again')


def parse(argv=None):
    parser = cli.Parser(
        'reproduce',
        description='Train the rows of the tables whose data are given, each '
        'with the command that it prints. What is finished is skipped, what '
        'is begun goes on. Options that are not listed here are passed on to '
        'every row: --device 0, --dtype mixed16, --seed 1, and so on.')
    parser.add_argument(
        '--data', metavar='NAME=SOURCE', nargs='+', required=True,
        type=_source,
        help='ptb=SOURCE, imdb=SOURCE and iwslt=FOLDER, as --data of their '
             'trainings takes it, and glove=FILE, word vectors for imdb')
    parser.add_argument(
        '--out', '-o', metavar='FOLDER', default='out',
        help='where results go, each row in FOLDER/EXPERIMENT/CONFIG '
             '(default: out)')
    parser.add_argument('--dry-run', action='store_true',
                        help='only list the rows, their states and commands')
    args, args.options = parser.parse_known_args(argv)
    args.data = dict(args.data)
    if ('imdb' in args.data) != ('glove' in args.data):
        parser.error('--data imdb=SOURCE and glove=FILE belong together')
    return args


def _source(text):
    name, _, source = text.partition('=')
    if name not in (*TABLES, 'glove') or not source:
        raise argparse.ArgumentTypeError(
            f'it takes {", ".join(TABLES)} or glove, = and where that is, not '
            f'{text!r}')
    return name, source


def rows(args):
    """Return the folder of each row and the arguments for Python to train it.
    """
    found = []
    for experiment, table in TABLES.items():
        if experiment not in args.data:
            continue
        data = ['--data', args.data[experiment]]
        if experiment == 'imdb':
            data += ['--glove', args.data['glove']]
        for config in table.rows:
            folder = os.path.join(args.out, experiment, config)
            found.append((folder, [
                '-m', f'experiments.{experiment}.train', '--config', config,
                *data, '--out', folder, '--resume', *args.options]))
    return found


def state(folder):
    """Return how far the row in a folder is: ``'finished'`` if it is."""
    path = os.path.join(folder, 'result.json')
    result = read_json(path) if os.path.exists(path) else {}
    if result.get('finished'):
        return 'finished'
    if glob.glob(os.path.join(glob.escape(folder), 'snapshot*')):
        return f'begun, {result.get("epochs", 0)} epochs so far'
    return 'not begun'


def run(command):
    """Run Python with some arguments; a signal is handed on and ends both."""
    process = subprocess.Popen([sys.executable, *command])
    numbers = []

    def hand_on(number, frame):
        numbers.append(number)
        process.send_signal(number)

    before = {number: signal.signal(number, hand_on)
              for number in (signal.SIGINT, signal.SIGTERM)
              if signal.getsignal(number) != signal.SIG_IGN}
    process.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
    if numbers:
        raise cli.Interrupted(
            numbers[0], 'python -m experiments.reproduce with the same '
            'arguments goes on from there')


if __name__ == '__main__':
    cli.run(main)
