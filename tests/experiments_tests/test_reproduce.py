import pytest

from experiments import reproduce
from experiments.common import cli


# Replacements for training scripts: one succeeds, the other fails
_FINISH = '''
import os, sys
os.makedirs(sys.argv[1])
open(sys.argv[1] + '/result.json', 'w').write('{"finished": true}')
'''
_FAIL = 'raise SystemExit("error: no room")'


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs scripts in place of training scripts."""
    def run(**scripts):
        monkeypatch.setattr(reproduce, 'rows', lambda args: [
            (str(tmp_path / name), ['-c', script, str(tmp_path / name)])
            for name, script in scripts.items()])
        reproduce.main(['--data', 'ptb=sample'])
    return run


def test_finished_rows_are_skipped(run, capfd):
    run(a=_FINISH, b=_FINISH)
    assert capfd.readouterr().out.count(': not started\n') == 2
    run(a=_FAIL, b=_FAIL)
    assert capfd.readouterr().out.count(': finished\n') == 2


def test_continues_after_a_failure(run, tmp_path, capfd):
    with pytest.raises(cli.UserError, match='a, .*b failed; to try'):
        run(a=_FAIL, b='', c=_FINISH)
    assert reproduce.state(str(tmp_path / 'c')) == 'finished'
    assert capfd.readouterr().err.splitlines() == [
        'error: no room', f'{tmp_path / "a"} failed',
        f'{tmp_path / "b"} failed']


# A training script that sends SIGTERM to its parent, and continues when the
# parent has forwarded the signal
_INTERRUPT = '''
import os, signal, sys, time
from experiments.common import cli
from experiments.ptb import train
from tests.experiments_tests.common_tests import processes

def interrupt():
    received = []
    handler = signal.signal(signal.SIGTERM, lambda *_: received.append(1))
    os.kill(os.getppid(), signal.SIGTERM)
    while not received:
        time.sleep(.01)
    handler(signal.SIGTERM, None)

with processes.at_iteration(7, interrupt):
    cli.run(lambda: train.main(sys.argv[1:]))
'''


def test_interrupted_and_resumed(tmp_path, monkeypatch, capfd):
    """Repeating an interrupted command resumes from the snapshot."""
    folder, rows = str(tmp_path / 'ptb' / 'qrnn-zoneout'), reproduce.rows
    command = ['--data', 'ptb=sample', '--out', str(tmp_path), '--test']

    monkeypatch.setattr(reproduce, 'rows', lambda args: [
        (folder, ['-c', _INTERRUPT, *rows(args)[0][1][2:]])])
    with pytest.raises(cli.Interrupted) as info:
        reproduce.main(command)
    assert 'to resume, repeat the command' in info.value.message
    assert reproduce.state(folder).startswith('started, ')
    assert 'interrupted by SIGTERM; ' in capfd.readouterr().err

    monkeypatch.setattr(reproduce, 'rows', lambda args: rows(args)[:1])
    reproduce.main(command)
    assert 'Resumed from' in capfd.readouterr().out
    assert reproduce.state(folder) == 'finished'


def test_dry_run(tmp_path, capsys):
    reproduce.main([
        '--data', 'imdb=reviews', 'glove=vectors', '--out', 'out', '--seed',
        '1', '--dry-run', '--device', '0'])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 3
    assert lines[:2] == [
        'out/imdb/qrnn: not started',
        '    python -m experiments.imdb.train --config qrnn --data reviews '
        '--glove vectors --out out/imdb/qrnn --resume --seed 1 --device 0']


@pytest.mark.parametrize('source, message', [
    ('mnist=x', 'imdb, ptb, iwslt or glove'),
    ('ptb=', "'ptb=' is not NAME=SOURCE"),
    ('imdb=x', '--data requires imdb=SOURCE and glove=FILE, or neither'),
])
def test_invalid_arguments(error_of, source, message):
    assert message in error_of(reproduce.main, '--data', source)
