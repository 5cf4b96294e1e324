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


# Python's own handler of a signal runs when the interpreter next looks: a
# worker that waits for a lock by then would never be ended by its pool.
_POOLS = """
import multiprocessing, sys, time
from experiments.common import errors, signals

def main():
    with signals.raised():
        for _ in range(200):
            with multiprocessing.get_context('fork').Pool(2) as pool:
                pool.map(abs, range(3))

errors.run(main)
"""


def test_pools_end():
    process = _run(_POOLS)
    assert (process.returncode, process.stdout, process.stderr) == (0, '', '')


def in_child(function):
    """What a function returns in a forked process."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.write(writer, repr(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as f:
        result = f.read()
    os.waitpid(process, 0)
    return result


def actions():
    """What each signal does, and which are blocked."""
    return ([signal.getsignal(number) for number in NUMBERS],
            signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_children_get_the_default_actions():
    before, mine = actions(), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.raised(), signals.Deferred(None):
            within = actions()
            assert in_child(actions) == repr(
                ([signal.SIG_DFL, signal.SIG_DFL, signal.SIG_IGN], set()))
            assert actions() == within
    finally:
        signal.signal(signal.SIGHUP, mine)
    assert actions() == before
    assert in_child(actions) == repr(before)


@pytest.mark.parametrize('number', NUMBERS)
def test_a_child_ends_by_the_first_signal(number):
    """Even by one that comes before it has run a line of its own."""
    with signals.raised():
        for _ in range(50):
            process = os.fork()
            if process == 0:
                threading.Event().wait(60)
                os._exit(0)
            os.kill(process, number)
            assert os.waitstatus_to_exitcode(
                os.waitpid(process, 0)[1]) == -number


def _run(program, *arguments):
    # A package of the same name without its __init__, which loads Chainer
    program = (
        'import sys, types\n'
        'package = types.ModuleType("experiments")\n'
        'package.__path__ = [{!r}]\n'
        'sys.modules["experiments"] = package\n'.format(os.path.dirname(
            os.path.dirname(signals.__file__))) + program)
    with subprocess.Popen(
            [sys.executable, '-c', program, *map(str, map(int, arguments))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True) as process:
        try:
            out, err = process.communicate(timeout=60)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # and its children
            raise
    return subprocess.CompletedProcess(
        process.args, process.returncode, out, err)
