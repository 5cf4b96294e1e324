"""Tests and benchmarks on a GPU machine that has no network.

``python3 benchmarks/offline.py [STEP ...]``: unpacks the wheels gathered by
``gather.sh``, runs the GPU tests and the benchmarks, and leaves at most eight
files in one folder. A step that fails or takes too long does not keep the
others from being taken. Nothing but Python's own library is needed to begin.
"""
import argparse
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile


ROOT = pathlib.Path(__file__).resolve().parents[1]

#: Seconds that every step may take, nine minutes in all.
LIMITS = {'unpack': 45, 'kernels': 90, 'tests': 120, 'pooling': 75,
          'layer': 90, 'ptb-step': 35, 'strnn': 45, 'experiments': 40}
_GRACE = 10  # seconds to leave off in

#: Where tests for a GPU are, by step.
GPU_TESTS = {
    'kernels': ['tests/qrnn_tests/kernels_tests'],
    'tests': ['tests/qrnn_tests/functions_tests',
              'tests/qrnn_tests/links_tests'],
    'experiments': ['tests/experiments_tests'],
}

_WHAT_IS_THERE = '''
import sys, numpy, qrnn, chainer
from chainer.backends import cuda
print("Python", sys.version)
print("NumPy", numpy.__version__, "Chainer", chainer.__version__)
if cuda.available:
    print("CuPy", cuda.cupy.__version__,
          "sees a GPU:", cuda.cupy.is_available())
else:
    print("CuPy cannot be used:", cuda._resolution_error)
try:
    import torch
    print("PyTorch", torch.__version__,
          "sees a GPU:", torch.cuda.is_available())
except ImportError as error:
    print("PyTorch cannot be used:", error)
'''


def main(argv=None):
    args = parse(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    results = []
    with open(args.out / 'log.txt', 'w') as log:
        for step in args.steps or LIMITS:
            start = time.monotonic()
            outcome = take(step, args, log)
            results.append('{:<10}{:>6.0f} s  {}'.format(
                step, time.monotonic() - start, outcome))
            print(results[-1], flush=True)
        log.write('\n'.join([''] + results) + '\n')
    print('Results are in {}'.format(args.out))
    return not all(line.endswith('done') for line in results)


def parse(argv):
    parser = argparse.ArgumentParser(
        prog='python3 benchmarks/offline.py', allow_abbrev=False)
    parser.add_argument(
        'steps', nargs='*', metavar='STEP', type=_step,
        help='what to do (default: all): ' + ', '.join(LIMITS))
    parser.add_argument(
        '--wheels', type=pathlib.Path, default=ROOT / 'wheels',
        metavar='FOLDER', help='where gather.sh has put them')
    parser.add_argument(
        '--out', '-o', type=pathlib.Path, default=ROOT / 'out' / 'offline',
        metavar='FOLDER', help='where results go (default: out/offline)')
    parser.add_argument(
        '--device', '-d', default='0',
        help='GPU to run on (default: 0), or -1 to try it on the CPU')
    parser.add_argument(
        '--repeats', metavar='N', help='rounds of the benchmarks that count')
    parser.add_argument(
        '--slower', metavar='FACTOR', type=float, default=1.,
        help='multiplies the time limits (default: 1)')
    args = parser.parse_args(argv)
    args.out, args.wheels = args.out.resolve(), args.wheels.resolve()
    return args


def _step(text):
    if text not in LIMITS:
        raise argparse.ArgumentTypeError('there is no step {}, but {}'.format(
            text, ', '.join(LIMITS)))
    return text


def take(step, args, log):
    """Takes a step and says how it ended: 'done', or why not."""
    if step == 'unpack':
        outcome = unpack(args.wheels)
        return outcome or run(
            [sys.executable, '-c', _WHAT_IS_THERE], _unpacked(args.wheels),
            args.slower * LIMITS[step], log)
    command = [sys.executable, '-m', 'benchmarks.run', step,
               '--device', args.device, '--out', str(args.out)]
    if args.repeats:
        command += ['--repeats', args.repeats]
    if step in GPU_TESTS:
        command = [sys.executable, '-m', 'pytest', '-m', 'gpu',
                   *GPU_TESTS[step], '-p', 'no:cacheprovider', '--tb', 'short']
        if os.cpu_count() > 2:  # to compile kernels side by side
            command += ['-n', str(min(8, os.cpu_count() // 2))]
    return run(command, _unpacked(args.wheels), args.slower * LIMITS[step],
               log)


def unpack(wheels):
    """Installs wheels, for which unpacking them is enough.

    They go into a folder beside the wheels: what else is installed, CuPy and
    PyTorch, stays in reach, which it might not from a virtual environment.
    Returns what is wrong, or None.
    """
    paths = sorted(wheels.glob('*.whl'))
    if not paths:
        return 'there are no wheels in {}: run benchmarks/gather.sh'.format(
            wheels)
    for path in paths:
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(_unpacked(wheels))
    return None


def _unpacked(wheels):
    return wheels / 'unpacked'


def run(command, packages, limit, log):
    """Runs a command in a process group that ends when its time is over."""
    path = [str(packages), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join(path), PYTHONUNBUFFERED='1')
    log.write('\n$ {}\n'.format(' '.join(command)))
    log.flush()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=log,
        stderr=subprocess.STDOUT, start_new_session=True)
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        # Interrupted, pytest still tells what has failed so far.
        for number in signal.SIGINT, signal.SIGKILL:
            os.killpg(process.pid, number)
            try:
                process.wait(_GRACE)
                break
            except subprocess.TimeoutExpired:
                continue
        return 'ended after its {:.0f} s'.format(limit)
    return 'failed with status {}'.format(status) if status else 'done'


if __name__ == '__main__':
    sys.exit(main())
