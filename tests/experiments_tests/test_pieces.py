import signal
import time

import pytest

from experiments import pieces
from experiments.pieces import run_piece


def patient(ending, beginning=''):
    """Arguments for a minute's sleep that SIGTERM ends in a way of its own."""
    return ['-I', '-S', '-c', '''
import signal, sys, time
def end(number, frame):
    {}
signal.signal(signal.SIGTERM, end)
{}
print('ready', flush=True)
time.sleep(60)
'''.format(ending, beginning)]


def test_output(tmp_path, capsys):
    log = tmp_path / 'new' / 'log'
    arguments = ['-c', "import sys; print('one'); print('two', "
                 "file=sys.stderr); assert not sys.stdin.read()"]
    for _ in range(2):
        assert run_piece(arguments, log=str(log)) == pieces.Piece(False, None)
    command = pieces.command_line(arguments)
    assert command.startswith("python -c 'import sys; print(")
    captured = capsys.readouterr()
    assert captured.out == 2 * '$ {}\none\n'.format(command)
    assert captured.err == 2 * 'two\n'
    lines = log.read_text().splitlines()
    assert sorted(lines) == sorted(2 * ['$ ' + command, 'one', 'two'])


@pytest.mark.parametrize('script, fault', [
    ("sys.exit('first\\nerror: the last line\\n\\n')", 'the last line'),
    ("raise ValueError('strange')", 'ValueError: strange'),
    ('sys.exit(3)', 'ended with status 3'),
    ("sys.stderr.write('fine so far\\n'); os.kill(os.getpid(), 9)",
     'ended by SIGKILL'),
    ('os.kill(os.getpid(), 15)', 'ended by SIGTERM'),
])
def test_faults(script, fault):
    piece = run_piece(['-c', 'import os, sys; ' + script])
    assert piece == pieces.Piece(False, fault)


@pytest.mark.parametrize('ending, fault', [
    ("print('saved'); sys.exit(0)", None),
    ("print('saved'); sys.exit(143)", None),
    ("print('saved', flush=True); signal.signal(number, signal.SIG_DFL); "
     "signal.raise_signal(number)", None),
    ("print('saved'); sys.exit('error: disk full')", 'disk full'),
])
def test_time_is_over(ending, fault, capsys):
    piece = run_piece(patient(ending), 2)
    assert piece == pieces.Piece(True, fault)
    assert capsys.readouterr().out.endswith('ready\nsaved\n')


def test_does_not_end():
    """What ignores the signal is killed, with the processes it has made."""
    start = time.monotonic()
    piece = run_piece(patient('pass', 'import subprocess; subprocess.Popen('
                              '["sleep", "60"])'), 2, grace=.3)
    assert piece == pieces.Piece(True, None)
    assert time.monotonic() - start < 20


@pytest.mark.timeout(method='thread')  # for it takes the alarm itself
def test_interrupted(tmp_path):
    """The command ends properly before the interruption goes on."""
    def interrupt(number, frame):
        raise KeyboardInterrupt
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 2)
    log = tmp_path / 'log'
    try:
        with pytest.raises(KeyboardInterrupt):
            run_piece(patient("print('saved'); sys.exit(143)"), log=str(log))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert log.read_text().endswith('ready\nsaved\n')


def test_nobody_reads(monkeypatch):
    """A command does not wait for a reader of the output that is gone."""
    class Closed(object):
        def write(self, text):
            raise BrokenPipeError
        flush = write

    monkeypatch.setattr('builtins.print', lambda *args, **kwargs: None)
    monkeypatch.setattr('sys.stdout', Closed())
    assert run_piece(['-c', "print('x' * 10 ** 6)"]).fault is None
