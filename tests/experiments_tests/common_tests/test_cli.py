import os
import signal
import sys

import chainer
import pytest

from experiments.common import cli
from experiments.common.cli import UserError


def raising(exception):
    def main():
        raise exception
    return main


@pytest.mark.parametrize('exception, line, status', [
    (UserError('a, so do b'), 'error: a, so do b', 1),
    (OSError(28, 'No space left on device', '/full'),
     'error: /full: No space left on device', 1),
    (OSError('odd\nthings'), 'error: odd things', 1),
    (MemoryError(), 'error: out of memory; choose a smaller configuration '
                    'or a machine with more', 1),
    (cli.Interrupted(15, 'so do c'), 'interrupted by SIGTERM; so do c', 143),
])
def test_one_line(capsys, monkeypatch, exception, line, status):
    monkeypatch.setattr(cli, 'die', lambda number: sys.exit(128 + number))
    with pytest.raises(SystemExit) as info:
        cli.run(raising(exception))
    assert info.value.code == status
    assert capsys.readouterr().err == line + '\n'


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError()))


def test_ctrl_c_during_a_callback(python):
    """Ctrl-C ends the program even in a callback that ignores exceptions."""
    process = python('-c', """if True:
        import ctypes, signal
        from experiments.common import cli
        def main():
            callback = lambda: signal.raise_signal(signal.SIGINT)
            ctypes.CFUNCTYPE(None)(callback)()
            print('continued')
        cli.run(main)
    """, launcher=['env', '--default-signal=INT'])
    assert (process.returncode, process.stdout, process.stderr) == (
        -signal.SIGINT, '', 'interrupted by Ctrl-C\n')


def test_closed_pipe(python):
    code = ('from experiments.common import cli\n'
            'cli.run(lambda: [print("x" * 999) for _ in range(9999)])')
    process = python(
        '-c', 'import subprocess, sys\n'
        f'subprocess.run([sys.executable, "-c", {code!r}], '
        'stdout=subprocess.Popen(["true"], stdin=-1).stdin)')
    assert 'Traceback' not in process.stderr


def test_explained():
    with pytest.raises(UserError, match='cannot read {a}: too short'):
        with cli.explained('cannot read {a}: {}', ValueError):
            raise ValueError('too short')
    with pytest.raises(KeyError):
        with cli.explained('cannot read x: {}', ValueError):
            raise KeyError


@pytest.mark.parametrize('convert, valid, invalid', [
    (cli.positive, '3', ['0', '-1', '1.5', 'many', '9' * 20]),
    (cli.seed, '0', ['-1', str(2 ** 32)]),
    (cli.not_negative, '0.5', ['-1', 'nan', 'inf', 'x'])])
def test_numbers(capsys, convert, valid, invalid):
    parser = cli.Parser('x')
    parser.add_argument('--n', type=convert)
    assert str(parser.parse_args(['--n', valid]).n) == valid
    for value in invalid:
        with pytest.raises(SystemExit) as info:
            parser.parse_args([f'--n={value}'])
        assert info.value.code == 2
        err = capsys.readouterr().err
        assert err.count('\n') == 1 and f"'{value}' is not a" in err


@pytest.mark.parametrize('specifier', [
    '', 'native', '@intel64', '@numpy:1', '@cupy:x', '-2x', '10000'])
def test_no_such_device(specifier):
    with pytest.raises(UserError, match=f'device {specifier} cannot be used'):
        cli.use_device(specifier)


@pytest.mark.gpu
def test_gpu():
    for specifier in '0', '@cupy:0':
        assert cli.use_device(specifier) == chainer.get_device('@cupy:0')


def test_closed_streams(python, tmp_path):
    """A file opened later does not get the descriptor of a closed stream."""
    code = """if True:
        import sys
        from experiments.common import cli
        def main():
            with open(sys.argv[1], 'w') as f:
                print('out')
                print('err', file=sys.stderr)
                sys.stdin.read()
                assert f.fileno() > 2
            raise cli.UserError('seen by nobody')
        cli.run(main)
    """
    process = python('-c', code, tmp_path / 'a', launcher=[
        'sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh'])
    assert process.returncode == 1
    assert (tmp_path / 'a').read_text() == ''


@pytest.mark.parametrize('locale', [
    ['LC_ALL=C.UTF-8'], ['LC_ALL=C', 'PYTHONUTF8=0'],
    ['PYTHONIOENCODING=ascii']], ids=' '.join)
def test_file_names_and_terminals(python, tmp_path, locale):
    """Names may contain any bytes, and terminals may have any encoding."""
    name = os.fsdecode(b'l\xe4m-\xc3\xa4')
    process = python('-c', """if True:
        import sys
        from experiments.common import checkpoint
        from experiments.common import cli
        from experiments.common import commands
        def main():
            checkpoint.write_json(sys.argv[1], sys.argv[1:])
            print(*sys.argv[1:], commands.text(sys.argv[2]) == chr(0xe4))
        cli.run(main)
    """, tmp_path / name, 'ä', launcher=['env', *locale])
    assert process.stderr == '' and process.stdout.endswith(' True\n')
    assert os.listdir(tmp_path) == [name]


def test_only_programs_set_up_the_process(python):
    """Importing experiments sets up the process, but only in ``python -m``."""
    code = ('import os, signal, sys; sys.argv = [{}]; import experiments; '
            'print(os.environ.get("OPENBLAS_THREAD_TIMEOUT"), '
            'signal.getsignal(signal.SIGINT) == signal.SIG_DFL)')
    for argv, expected in ("'-c'", 'None False\n'), ("'-m'", '4 True\n'):
        assert python('-c', code.format(argv), launcher=[
            'env', '--default-signal=INT']).stdout == expected
