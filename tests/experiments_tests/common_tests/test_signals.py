import os
import signal
import subprocess
import sys
import threading

import pytest

from experiments.common import signals


NUMBERS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize('number, name', [
    (signal.SIGTERM, 'SIGTERM'), (signal.SIGINT, 'Ctrl-C'),
    (signal.SIGHUP, 'SIGHUP')])
def test_raised(number, name):
    before = signal.getsignal(number)
    with pytest.raises(signals.Interrupted) as info:
        with signals.raised():
            send(number)
            pytest.fail('it came too late')
    assert info.value.number == number
    assert str(info.value) == 'interrupted by ' + name
    assert signal.getsignal(number) == before


def test_deferred(capfd):
    done = []
    with pytest.raises(signals.Interrupted):
        with signals.raised(), signals.Deferred('so wait') as deferred:
            assert deferred.number is None
            send(signal.SIGTERM)
            send(signal.SIGTERM)  # the same one, sent to the group, too
            assert deferred.number == signal.SIGTERM
            done.append(True)
    assert done
    assert capfd.readouterr().err == 'interrupted by SIGTERM; so wait\n'


def test_exceptions_come_first():
    with pytest.raises(ZeroDivisionError):
        with signals.Deferred('') as deferred:
            send(signal.SIGTERM)
            assert deferred.number
            1 / 0


def test_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.raised():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_thread():
    def work():
        with signals.raised():
            done.append(True)

    done = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


# Only the standard library is loaded, as this takes a process each.
_PROGRAM = """
import contextlib, os, signal, sys, time
from experiments.common import errors, signals

def main():
    with signals.{}:
        for _ in range({}):
            os.kill(os.getpid(), int(sys.argv[1]))
            time.sleep(.01)

signals._SAME = 0
errors.run(main)
print('not reached')
"""


@pytest.mark.parametrize('context, times', [
    ('raised()', 1), ('Deferred("wait")', 1), ('Deferred("wait")', 2)])
@pytest.mark.parametrize('number', NUMBERS)
def test_ends_as_if_unhandled(number, context, times):
    process = _run(_PROGRAM.format(context, times), number)
    assert process.returncode == -number
    assert process.stdout == ''
    lines = process.stderr.splitlines()
    assert len(lines) == 1 + (times == 1 and 'wait' in context)
    assert all(line.startswith('interrupted by') for line in lines)


_WORKER = """
import multiprocessing, sys, time
from experiments.common import errors, signals

def main():
    with signals.raised():
        with multiprocessing.get_context('fork').Pool(2) as pool:
            pool.map(abs, range(3))

errors.run(main)
"""


def test_workers_die_quietly():
    """A pool ends its workers by SIGTERM, and they inherit the handler."""
    process = _run(_WORKER)
    assert (process.returncode, process.stdout, process.stderr) == (0, '', '')


def _run(program, *arguments):
    # A package of the same name without its __init__, which loads Chainer
    program = (
        'import sys, types\n'
        'package = types.ModuleType("experiments")\n'
        'package.__path__ = [{!r}]\n'
        'sys.modules["experiments"] = package\n'.format(os.path.dirname(
            os.path.dirname(signals.__file__))) + program)
    return subprocess.run(
        [sys.executable, '-c', program] + [str(int(each))
                                           for each in arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
