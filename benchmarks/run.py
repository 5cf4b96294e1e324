"""Run benchmarks: ``python -m benchmarks.run --help``."""
import argparse
import itertools
import os
import subprocess
import sys

import numpy

from benchmarks.all import BENCHMARKS
from benchmarks.draw import draw
from benchmarks.registry import Measurement
from benchmarks.timing import spread
from benchmarks.timing import time_in_turn
from experiments.common import checkpoint
from experiments.common import cli
from experiments.common.result import environment


def main(argv=None):
    """Run the benchmarks that the command line names."""
    args = parse(argv)
    for n in args.threads or ():
        _run_with_threads(n, args)
    if args.threads:
        return
    device = cli.use_device(args.device)
    for name in args.names or sorted(BENCHMARKS):
        run(name, device, args)


def parse(argv=None):
    parser = argparse.ArgumentParser('python -m benchmarks.run')
    parser.add_argument(
        'names', nargs='*', metavar='NAME', type=_name,
        help='benchmarks to run (default: all): ' + ', '.join(
            sorted(BENCHMARKS)))
    cli.add_device(parser)
    parser.add_argument(
        '--repeats', metavar='N', type=cli.positive,
        help='number of rounds after a warm-up (default: 7, on a GPU 25)')
    parser.add_argument(
        '--out', '-o', metavar='FOLDER', default='out/benchmarks',
        help='folder to write results to (default: out/benchmarks)')
    parser.add_argument(
        '--threads', metavar='N', nargs='+', type=cli.positive,
        help='run once for each number of threads, and write to FOLDER/'
             'threads-N (default: once, with OMP_NUM_THREADS or all cores)')
    return parser.parse_args(argv)


def _run_with_threads(n, args):
    """Run the same command in a process with OMP_NUM_THREADS=n."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(n))
    # OPENBLAS_NUM_THREADS would take precedence over OMP_NUM_THREADS.
    environment.pop('OPENBLAS_NUM_THREADS', None)
    command = [sys.executable, '-m', 'benchmarks.run', *args.names,
               '--device', args.device,
               '--out', os.path.join(args.out, f'threads-{n}')]
    if args.repeats:
        command += ['--repeats', str(args.repeats)]
    print(f'OMP_NUM_THREADS={n}', flush=True)
    if subprocess.run(command, env=environment).returncode:
        raise cli.UserError(f'the run with {n} threads failed; see its output '
                            'above')


def _name(text):
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(
            f'unknown benchmark {text}; choose from '
            f"{', '.join(sorted(BENCHMARKS))}")
    return text


def run(name, device, args, **sizes):
    """Run a benchmark, and write its results to ``NAME.json``.

    If the benchmark has a figure, it is written to ``NAME.png``. ``sizes``
    are keyword arguments of the benchmark.
    """
    benchmark = BENCHMARKS[name]
    print(f'{name}: {benchmark.title}', flush=True)
    # Read the revision now, because the source may change during the run.
    about = environment(device)
    repeats = args.repeats or (7 if device.xp is numpy else 25)
    rows = []
    for comparison in benchmark.comparisons(device, **sizes):
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
                print(f'    {milliseconds:9.3f} ms  {part}')
        comparison = None  # frees its arrays before the next comparison
    summary = benchmark.summary(rows) if benchmark.summary and rows else None
    if summary:
        print(summary)
    about['versions'].update(
        (package, sys.modules[package].__version__)
        for package in ('torch', 'onnxruntime') if package in sys.modules)
    os.makedirs(args.out, exist_ok=True)
    path = os.path.join(args.out, name + '.json')
    checkpoint.write_json(path, dict(
        about, benchmark=name, title=benchmark.title, repeats=repeats,
        summary=summary, rows=rows))
    print(f'Written to {path}')
    draw(name, rows, args.out)


def _row(comparison, times):
    """Return a dict of the results of a comparison.

    Keys of wall-clock times have no prefix. On a GPU, keys of host times have
    the prefix ``host_``, and keys of device times have the prefix ``device_``.
    """
    first = next(iter(comparison.contestants))
    row = dict(comparison.case)
    for kind in times[first]:
        prefix = '' if kind == 'wall' else kind + '_'
        row[prefix + 'milliseconds'] = {
            name: spread(series[kind]) for name, series in times.items()}
        row[prefix + 'ratios'] = {
            f'{a} / {b}': spread(times[a][kind] / times[b][kind])
            for a, b in itertools.combinations(comparison.contestants, 2)}
    if comparison.gigabytes:
        kind = 'device' if 'device' in times[first] else 'wall'
        row['gigabytes_per_second'] = {
            name: float(size / numpy.median(times[name][kind]) * 1e3)
            for name, size in comparison.gigabytes.items()}
    return row


def _print(row):
    print('  ' + '  '.join(
        f'{key} {value}' for key, value in row.items()
        if not isinstance(value, dict)))
    for prefix in '', 'host_', 'device_':
        if prefix + 'milliseconds' not in row:
            continue
        print(f'    {prefix.rstrip("_"):<7}' + '  '.join(
            f'{name} {values["median"]:.4g} ms'
            for name, values in row[prefix + 'milliseconds'].items()))
        for name, values in row[prefix + 'ratios'].items():
            low, middle, high = (
                values[kind] for kind in ('min', 'median', 'max'))
            print(f'      {name}: {middle:.3g} ({low:.3g} to {high:.3g})')
    rates = row.get('gigabytes_per_second', {})
    if rates:
        print('    ' + '  '.join(
            f'{name} {rate:.3g} GB/s' for name, rate in rates.items()))
    sys.stdout.flush()


if __name__ == '__main__':
    cli.run(main)
