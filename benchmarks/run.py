"""Runs benchmarks: ``python -m benchmarks.run --help``."""
import argparse
import os

import numpy

from benchmarks import layer  # NOQA  registers itself, as do the next two
from benchmarks import ptb_step  # NOQA
from benchmarks import recurrence  # NOQA
from benchmarks.registry import BENCHMARKS
from benchmarks.timing import ratio_of
from benchmarks.timing import time_in_turn
from experiments.common import arguments
from experiments.common import errors
from experiments.common.files import write_json
from experiments.common.result import environment


def main(argv=None):
    """Runs the benchmarks named, checks first, and writes what they gave."""
    args = parse(argv)
    device = arguments.get_device(args.device)
    device.use()
    for name in args.names or sorted(BENCHMARKS):
        run(name, device, args)


def parse(argv=None):
    parser = arguments.Parser(prog='python -m benchmarks.run')
    parser.add_argument(
        'names', nargs='*', metavar='NAME', type=_name,
        help='what to measure (default: all): ' + ', '.join(
            sorted(BENCHMARKS)))
    arguments.add_device(parser)
    parser.add_argument(
        '--repeats', metavar='N', type=arguments.positive, default=7,
        help='rounds that count (default: 7)')
    parser.add_argument(
        '--out', '-o', metavar='FOLDER', default='out/benchmarks',
        help='where results go (default: out/benchmarks)')
    return parser.parse_args(argv)


def _name(text):
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError('there is no {}, but {}'.format(
            text, ', '.join(sorted(BENCHMARKS))))
    return text


def run(name, device, args):
    """Runs one benchmark and writes ``NAME.json``."""
    print('{}: {}'.format(name, _title(name)))
    rows = []
    for comparison in BENCHMARKS[name](device):
        comparison.check()
        times = time_in_turn(comparison.contestants, device, args.repeats)
        ours, theirs = comparison.contestants
        rows.append(dict(
            comparison.case,
            milliseconds={n: _spread(v) for n, v in times.items()},
            ratio=dict(ratio_of(times[ours], times[theirs]),
                       of='{} / {}'.format(ours, theirs))))
        _print(rows[-1])
        if comparison.breakdown:
            rows[-1]['breakdown'] = comparison.breakdown()
            for function, milliseconds in rows[-1]['breakdown'].items():
                print('    {:9.1f} ms  {}'.format(milliseconds, function))
    os.makedirs(args.out, exist_ok=True)
    path = os.path.join(args.out, name + '.json')
    write_json(path, dict(
        environment(device), benchmark=name, repeats=args.repeats, rows=rows))
    print('Written to {}'.format(path))


def _title(name):
    return BENCHMARKS[name].__doc__.partition('\n')[0]


def _spread(values):
    return {'median': float(numpy.median(values)),
            'min': float(values.min()), 'max': float(values.max())}


def _print(row):
    case = '  '.join('{} {}'.format(key, value) for key, value in row.items()
                     if not isinstance(value, dict))
    times = '  '.join('{} {:.1f} ms'.format(name, spread['median'])
                      for name, spread in row['milliseconds'].items())
    ratio = row['ratio']
    print('  {}: {}  ratio {:.3g} ({:.3g} to {:.3g})'.format(
        case, times, ratio['median'], ratio['min'], ratio['max']))


if __name__ == '__main__':
    errors.run(main)
