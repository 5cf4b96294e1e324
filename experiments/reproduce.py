"""Runs the paper's experiments: ``python -m experiments.reproduce --help``."""
import argparse
import sys
import time

from experiments import report
from experiments import schedule
from experiments.common import arguments
from experiments.common import errors
from experiments.common import signals
from experiments.pieces import command_line
from experiments.pieces import run_piece


#: Exit status where the same command would go on.
MORE = 75


def main(argv=None):
    """Runs what is missing, in order of value, until the time is over."""
    args = parse(argv)
    rows = schedule.rows(
        schedule.Setting(args.out, args.device, args.data, args.extra,
                         args.test),
        args.names or schedule.NAMES, args.seeds)
    if args.dry_run:
        for row in rows:
            print('{:<34} {}\n    {}'.format(
                row.name, _so_far(row), command_line(row.command())))
        schedule.check(rows, download=False)
        return
    arguments.get_device(args.device)
    schedule.check(rows)
    work = Work(rows, args)
    with signals.raised():
        try:
            work.run()
        finally:
            work.tell()
    sys.exit(work.status())


def parse(argv=None):
    parser = arguments.Parser(
        prog='python -m experiments.reproduce',
        description='Runs the rows of the tables and figures named, each with '
        'the command that it prints; goes on with what is begun and leaves '
        'what is finished; and writes REPRODUCTION.md.',
        epilog='The exit status is 0 when all is there; {} when there is more '
        'to do, and the same command goes on; and 1 when what is left has '
        'failed.'.format(MORE))
    parser.add_argument(
        'names', nargs='*', metavar='NAME', type=_name,
        help=', '.join(schedule.NAMES) + ' (default: all)')
    arguments.add_device(parser)
    parser.add_argument(
        '--budget', metavar='MINUTES', type=arguments.not_negative,
        help='end after this time (default: when all is done); what runs '
             'then may finish its iteration and write a snapshot, see '
             '--grace')
    parser.add_argument(
        '--piece', metavar='MINUTES', type=arguments.not_negative,
        help='end each process after this time, and go on in another one, '
             'from the snapshot')
    parser.add_argument(
        '--grace', metavar='SECONDS', type=arguments.not_negative,
        default=45., help='end at once what has not ended so long after its '
        'time, and go on from an earlier snapshot (default: 45)')
    parser.add_argument(
        '--data', metavar='NAME=SOURCE', nargs='+', default=[], type=_source,
        help='where data are: ptb=SOURCE and imdb=SOURCE, as their trainings '
             'take it (default: download), iwslt=FOLDER, and glove=FILE')
    parser.add_argument(
        '--extra', metavar='SET', nargs='+', default=[],
        help='train translation on further sets of its folder, too')
    parser.add_argument(
        '--seeds', metavar='N', type=arguments.positive, default=1,
        help='train each row N times, with the seeds from 0 on (default: 1)')
    parser.add_argument(
        '--out', '-o', metavar='FOLDER', default='results',
        help='where results go, and are looked for (default: results)')
    parser.add_argument(
        '--report', metavar='FILE', default='REPRODUCTION.md',
        help='what to write all results to (default: REPRODUCTION.md)')
    parser.add_argument(
        '--dry-run', action='store_true',
        help='only list the rows: how far each is, what it will take where '
             'that is known, and its command')
    parser.add_argument(
        '--test', action='store_true',
        help='train tiny models on data that the project makes, to see that '
             'everything works; give --out and --report, too')
    args = parser.parse_args(argv)
    if args.piece == 0:
        parser.error('--piece takes more than 0 minutes')
    args.data = dict(_SOURCES, **dict(args.data))
    args.command = command_line(['-m', 'experiments.reproduce', *(
        sys.argv[1:] if argv is None else argv)])
    return args


_SOURCES = {'ptb': 'download', 'imdb': 'download', 'iwslt': None,
            'glove': None}


def _source(text):
    name, _, source = text.partition('=')
    if name not in _SOURCES or not source:
        raise argparse.ArgumentTypeError(
            'it takes a name of {}, = and where that is, not {!r}'.format(
                ', '.join(_SOURCES), text))
    return name, source


def _name(text):
    if text not in schedule.NAMES:
        raise argparse.ArgumentTypeError('there is no {}, but {}'.format(
            text, ', '.join(schedule.NAMES)))
    return text


class Work(object):

    """Rows to run in a given time.

    Args:
        rows (list): The rows, those first that come first.
        args (argparse.Namespace): The arguments, as :func:`parse` gives
            them.

    """

    def __init__(self, rows, args):
        self._rows = rows
        self._args = args
        self._end = _seconds(args.budget) + time.monotonic()
        self._faults = {}

    def run(self):
        """Runs row after row, as far as the time goes."""
        self._write()  # what cannot be written must show before the work
        for row in self._rows:
            while self._is_open(row) and time.monotonic() < self._end:
                try:
                    self._run_piece(row)
                finally:
                    self._write()

    def status(self):
        """Exit status of the program."""
        if any(map(self._is_open, self._rows)):
            return MORE
        return int(any(row.progress().state != 'finished'
                       for row in self._rows))

    def tell(self):
        """Prints how far each row is, and how to go on."""
        print()
        for row in self._rows:
            fault = self._faults.get(row)
            print('{:<34} {}'.format(
                row.name, 'failed: ' + fault if fault else _so_far(row)))
        if any(map(self._is_open, self._rows)):
            print('There is more to do; this goes on:\n    {}'.format(
                self._args.command))

    def _is_open(self, row):
        """Whether a row can be run now."""
        first = row.waits_for
        return (row not in self._faults
                and row.progress().state in ('begun', 'not begun')
                and (first is None or first.progress().state == 'finished'))

    def _run_piece(self, row):
        left = self._end - time.monotonic()
        seconds = _seconds(self._args.piece)
        before = row.progress()
        piece = run_piece(row.command(), min(seconds, left),
                          self._args.grace, row.log)
        after = row.progress()
        fault = piece.fault
        if after.state == 'finished':
            fault = None
        elif not (fault or piece.stopped):
            fault = 'it ended without a result'
        elif not fault and seconds < left and after.mark == before.mark:
            fault = ('it did not get on in {:g} minutes, give --piece more'
                     .format(self._args.piece))
        if fault:
            self._faults[row] = fault
            print('{} failed: {}'.format(row.name, fault), file=sys.stderr)

    def _write(self):
        for problem in report.write(self._args.out, self._args.report):
            print(problem, file=sys.stderr)


def _seconds(minutes):
    return float('inf') if minutes is None else 60 * minutes


def _so_far(row):
    progress = row.progress()
    if progress.seconds_left is None:
        return progress.text
    return '{}, about {:.0f} minutes left'.format(
        progress.text, progress.seconds_left / 60)


if __name__ == '__main__':
    errors.run(main)
