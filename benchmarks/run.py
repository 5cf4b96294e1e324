"""Runs benchmarks: ``python -m benchmarks.run --help``."""
import argparse
import os

import numpy

from benchmarks.all import BENCHMARKS
from benchmarks.draw import draw
from benchmarks.registry import Measurement
from benchmarks.timing import spread
from benchmarks.timing import time_in_turn
from experiments.common import arguments
from experiments.common import errors
from experiments.common.files import write_json
from experiments.common.result import environment


def main(argv=None):
    """Runs the benchmarks named, checks first, and writes what they gave."""
    args = parse(argv)
    device = arguments.use_device(args.device)
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
        '--repeats', metavar='N', type=arguments.positive,
        help='rounds that count (default: 7, on a GPU 25)')
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
    """Runs one benchmark and writes ``NAME.json`` and perhaps ``NAME.png``."""
    benchmark = BENCHMARKS[name]
    print('{}: {}'.format(name, benchmark.title), flush=True)
    about = environment(device)  # before the source can change
    repeats = args.repeats or (7 if device.xp is numpy else 25)
    rows = []
    for comparison in benchmark.comparisons(device):
        if isinstance(comparison, Measurement):
            rows.append(dict(comparison.case, **comparison.values))
            _print(rows[-1])
            continue
        comparison.check()
        rows.append(_row(comparison, time_in_turn(
            comparison.contestants, device, repeats, comparison.calls)))
        _print(rows[-1])
        if comparison.breakdown:
            rows[-1]['breakdown'] = comparison.breakdown()
            for part, milliseconds in rows[-1]['breakdown'].items():
                print('    {:9.3f} ms  {}'.format(milliseconds, part))
        comparison = None  # with its arrays, before the next one makes its own
    if benchmark.summary:
        print(benchmark.summary(rows))
    os.makedirs(args.out, exist_ok=True)
    path = os.path.join(args.out, name + '.json')
    write_json(path, dict(
        about, benchmark=name, repeats=repeats, rows=rows))
    print('Written to {}'.format(path))
    draw(name, rows, args.out)


def _row(comparison, times):
    """What is kept of a comparison.

    Unprefixed is what the clock on the wall says. On a GPU the same follows
    with the prefixes ``host_`` and ``device_``.
    """
    ours, theirs = comparison.contestants
    row = dict(comparison.case)
    for kind in times[ours]:
        prefix = '' if kind == 'wall' else kind + '_'
        row[prefix + 'milliseconds'] = {
            name: spread(series[kind]) for name, series in times.items()}
        row[prefix + 'ratio'] = dict(
            spread(times[ours][kind] / times[theirs][kind]),
            of='{} / {}'.format(ours, theirs))
    if comparison.gigabytes:
        kind = 'device' if 'device' in times[ours] else 'wall'
        row['gigabytes_per_second'] = {
            name: float(size / numpy.median(times[name][kind]) * 1e3)
            for name, size in comparison.gigabytes.items()}
    return row


def _print(row):
    print('  ' + '  '.join(
        '{} {}'.format(key, value) for key, value in row.items()
        if not isinstance(value, dict)))
    for prefix in '', 'host_', 'device_':
        if prefix + 'milliseconds' not in row:
            continue
        times = '  '.join(
            '{} {:.4g} ms'.format(name, values['median'])
            for name, values in row[prefix + 'milliseconds'].items())
        print('    {:<7}{}  ratio {median:.3g} ({min:.3g} to {max:.3g})'
              .format(prefix.rstrip('_'), times, **row[prefix + 'ratio']))
    rates = row.get('gigabytes_per_second', {})
    if rates:
        print('    ' + '  '.join('{} {:.3g} GB/s'.format(*item)
                                 for item in rates.items()), flush=True)


if __name__ == '__main__':
    errors.run(main)
