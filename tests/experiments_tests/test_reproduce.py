import pytest

from experiments import reproduce
from experiments.common import cli


# Stands in for a training: it ends as it is told.
_FINISH = '''
import os, sys
os.makedirs(sys.argv[1])
open(sys.argv[1] + '/result.json', 'w').write('{"finished": true}')
'''
_FAIL = 'raise SystemExit("error: no room")'


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run commands of our own in the place of the paper's rows."""
    def run(**scripts):
        monkeypatch.setattr(reproduce, 'rows', lambda args: [
            (str(tmp_path / name), ['-c', script, str(tmp_path / name)])
            for name, script in scripts.items()])
        reproduce.main(['--data', 'ptb=sample'])
    return run


def test_skip_what_is_finished(run, capfd):
    run(a=_FINISH, b=_FINISH)
    assert capfd.readouterr().out.count(': not begun\n') == 2
    run(a=_FAIL, b=_FAIL)
    assert capfd.readouterr().out.count(': finished\n') == 2


def test_go_on_after_a_failure(run, tmp_path, capfd):
    with pytest.raises(cli.UserError, match='a, .*b failed; the same'):
        run(a=_FAIL, b='', c=_FINISH)
    assert reproduce.state(str(tmp_path / 'c')) == 'finished'
    assert capfd.readouterr().err.splitlines() == [
        'error: no room', f'{tmp_path / "a"} failed',
        f'{tmp_path / "b"} failed']


# A training that interrupts the program that started it, and goes on when the
# signal has been handed on.
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
    """The training takes a snapshot, and the same command goes on from it."""
    folder, rows = str(tmp_path / 'ptb' / 'qrnn-zoneout'), reproduce.rows
    command = ['--data', 'ptb=sample', '--out', str(tmp_path), '--test']

    monkeypatch.setattr(reproduce, 'rows', lambda args: [
        (folder, ['-c', _INTERRUPT, *rows(args)[0][1][2:]])])
    with pytest.raises(cli.Interrupted) as info:
        reproduce.main(command)
    assert 'the same arguments goes on' in info.value.message
    assert reproduce.state(folder).startswith('begun, ')
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
        'out/imdb/qrnn: not begun',
        '    python -m experiments.imdb.train --config qrnn --data reviews '
        '--glove vectors --out out/imdb/qrnn --resume --seed 1 --device 0']


@pytest.mark.parametrize('source, says', [
    ('mnist=x', 'imdb, ptb, iwslt or glove'),
    ('ptb=', "not 'ptb='"),
    ('imdb=x', 'imdb=SOURCE and glove=FILE belong together'),
])
def test_complaints(error_of, source, says):
    assert says in error_of(reproduce.main, '--data', source)
