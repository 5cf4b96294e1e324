"""Train the three experiments, kill them at random and resume them.

Usage: ``kills.py FOLDER COUNT SEED``. The program forks a process for each
run, because a forked process starts quickly. The tests run the program in a
separate process, because a process that forks must have a single thread. The
program prints its kills as JSON, which ``test_kills.py`` checks.
"""
import collections
import contextlib
import functools
import importlib
import io
import itertools
import json
import os
import random
import signal
import sys
import time

import numpy

from experiments.common import cli
from experiments.imdb import data as imdb_data


EXPERIMENTS = 'ptb', 'imdb', 'iwslt'
TIMEOUT = 900  # seconds after which a process is considered to hang


def main(folder, count, seed):
    # Background processes of a shell ignore SIGINT by default.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _load_all()
    seconds = {}
    for name in EXPERIMENTS:
        start = time.time()
        status = _wait(_start(name, _path(folder, 'reference', name)))
        assert status == 0, (name, status)
        seconds[name] = time.time() - start
    choices = random.Random(seed)
    kills = []  # items: [run, kind of kill, exit status]
    names = itertools.cycle(EXPERIMENTS)
    for number in itertools.count():
        if len(kills) >= count:
            break
        name = next(names)
        out = _path(folder, number, name)
        status = None
        for _ in range(min(choices.randint(2, 6), count - len(kills))):
            kind = _rarest(kills, choices)
            status = KINDS[kind](name, out, seconds[name], choices)
            if status == 0:
                break  # the run finished before it was killed
            kills.append([os.path.basename(out), kind, status])
        if status != 0:
            status = _wait(_start(name, out))
            assert status == 0, (name, status)
    print(json.dumps(kills))


def _rarest(kills, choices):
    """Return a kind of kill that has occurred least often so far."""
    counts = collections.Counter(dict.fromkeys(sorted(KINDS), 0))
    counts.update(kind for _, kind, _ in kills)
    return choices.choice([kind for kind, n in counts.items()
                           if n == min(counts.values())])


def _load_all():
    """Load the modules of all runs, and cache the reviews of imdb."""
    for name in EXPERIMENTS:
        importlib.import_module(f'experiments.{name}.train')
    with contextlib.suppress(ImportError):
        importlib.import_module('matplotlib.figure')
    make = functools.lru_cache(maxsize=None)(imdb_data.sample)
    imdb_data.sample = make
    make(100, 20)  # the sizes that --test uses


def _path(folder, number, name):
    return os.path.join(folder, f'{number}-{name}')


def _signalled(number):
    """Return a function that sends a signal to a run at a random time."""
    def run(name, out, seconds, choices):
        process = _start(name, out)
        return _wait(process, number, choices.uniform(0, seconds))
    return run


def _in_a_write(number):
    """Return a function that starts a run and signals it during a write."""
    def run(name, out, seconds, choices):
        call, share = choices.randint(1, 5), choices.choice(
            [0, choices.random(), 1])
        return _wait(_start(
            name, out, lambda: _cut_writes(number, call, share)))
    return run


KINDS = {
    'SIGKILL': _signalled(signal.SIGKILL),
    'SIGTERM': _signalled(signal.SIGTERM),
    'SIGINT': _signalled(signal.SIGINT),
    'SIGKILL in a write': _in_a_write(signal.SIGKILL),
    'SIGTERM in a write': _in_a_write(signal.SIGTERM),
}


def _cut_writes(number, call, share):
    savez, calls = numpy.savez, itertools.count(1)

    def cut(f, **arrays):
        buffer = io.BytesIO()
        savez(buffer, **arrays)
        contents = buffer.getvalue()
        size = int(share * len(contents))
        f.write(contents[:size])
        if next(calls) == call:
            f.flush()
            os.kill(os.getpid(), number)
        f.write(contents[size:])
    numpy.savez = cut


def _start(name, out, prepare=lambda: None):
    """Start a run in a forked process, and return the process ID.

    The output of the run is appended to a file next to the folder of the run.
    """
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = 99
    try:
        os.setpgid(0, 0)
        with open(out + '.txt', 'ab') as f:
            for stream in 1, 2:
                os.dup2(f.fileno(), stream)
        train = importlib.import_module(f'experiments.{name}.train')
        prepare()
        cli.run(lambda: train.main([
            '--test', '--out', out, '--snapshot-every', '5', '--resume']))
        status = 0
    except SystemExit as end:
        status = end.code
    finally:
        sys.stdout.flush()
        os._exit(status)


def _wait(process, number=None, seconds=TIMEOUT):
    """Wait for a process, and return its exit status or ``'hangs'``.

    If the process has not ended after ``seconds``, it receives the signal
    ``number``, and has another ``TIMEOUT`` seconds to end.
    """
    status = _poll(process, seconds)
    if status is None and number is not None:
        os.kill(process, number)
        status = _poll(process, TIMEOUT)
    if status is None:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return 'hangs'
    return status


def _poll(process, seconds):
    end = time.time() + seconds
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.time() > end:
            return None
        time.sleep(.002)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
