import sys

import pytest

from experiments.common import errors
from experiments.common.signals import Interrupted


def raising(exception):
    def main():
        raise exception
    return main


@pytest.mark.parametrize('exception, line, status', [
    (errors.Problem('a, so do b'), 'error: a, so do b', 1),
    (OSError(28, 'No space left on device', '/full'),
     'error: /full: No space left on device', 1),
    (OSError('odd\nthings'), 'error: odd things', 1),
    (MemoryError(), 'error: out of memory; choose a smaller configuration '
                    'or a machine with more', 1),
    (KeyboardInterrupt(), 'interrupted by Ctrl-C', 130),
    (Interrupted(15, 'so do c'), 'interrupted by SIGTERM; so do c', 143),
])
def test_one_line(capsys, monkeypatch, exception, line, status):
    monkeypatch.setattr(
        errors.signals, 'die', lambda number: sys.exit(128 + number))
    with pytest.raises(SystemExit) as info:
        errors.run(raising(exception))
    assert info.value.code == status
    assert capsys.readouterr().err == line + '\n'


def test_faults_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        errors.run(raising(ZeroDivisionError()))


def test_success(capsys):
    errors.run(lambda: print('done'))
    assert capsys.readouterr() == ('done\n', '')


@pytest.mark.parametrize('full', [False, True])
def test_warn(capsys, monkeypatch, full_stream, full):
    if full:
        monkeypatch.setattr(sys, 'stderr', full_stream)
    errors.warn('too full')
    assert capsys.readouterr().err == (1 - full) * 'warning: too full\n'


def test_explained():
    with pytest.raises(errors.Problem, match='cannot read x: too short'):
        with errors.explained('cannot read x: {}', ValueError):
            raise ValueError('too short')
    with pytest.raises(KeyError):
        with errors.explained('cannot read x: {}', ValueError):
            raise KeyError
    with pytest.raises(errors.Problem, match='cannot read {a}: short'):
        with errors.explained('cannot read {a}: {}', ValueError):
            raise ValueError('short')


def test_reader_that_leaves(python):
    code = ('from experiments.common import errors\n'
            'errors.run(lambda: [print("x" * 999) for _ in range(9999)])')
    process = python('-c', 'import subprocess, sys\n'
                     'subprocess.run([sys.executable, "-c", {!r}], '
                     'stdout=subprocess.Popen(["true"], stdin=-1).stdin)'
                     .format(code))
    assert 'Traceback' not in process.stderr, sys.version
