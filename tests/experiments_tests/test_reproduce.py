import os
import signal
import threading
import time

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


def test_interrupted_and_resumed(tmp_path, monkeypatch, capfd):
    """The training takes a snapshot, and the same command goes on from it."""
    rows, folder = reproduce.rows, tmp_path / 'ptb' / 'qrnn-zoneout'
    monkeypatch.setattr(reproduce, 'rows', lambda args: rows(args)[:1])
    command = ['--data', 'ptb=sample', '--out', str(tmp_path),
               '--test', '--snapshot-every', '1']

    def interrupt():
        while not list(folder.glob('snapshot*')):
            time.sleep(.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(cli.Interrupted) as info:
        reproduce.main(command)
    assert 'the same arguments goes on' in info.value.message
    assert reproduce.state(str(folder)).startswith('begun, ')
    assert 'interrupted by SIGTERM; ' in capfd.readouterr().err
    reproduce.main(command)
    assert 'Resumed from' in capfd.readouterr().out
    assert reproduce.state(str(folder)) == 'finished'


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


def test_bad_result(tmp_path, error_of):
    folder = tmp_path / 'ptb' / 'qrnn'
    folder.mkdir(parents=True)
    for contents in '{', '[]':
        (folder / 'result.json').write_text(contents)
        assert 'result.json' in error_of(
            reproduce.main, '--data', 'ptb=x', '--out', tmp_path, '--dry-run')


@pytest.mark.parametrize('source, says', [
    ('mnist=x', 'imdb, ptb, iwslt or glove'),
    ('ptb=', "not 'ptb='"),
    ('imdb=x', 'imdb=SOURCE and glove=FILE belong together'),
])
def test_complaints(error_of, source, says):
    assert says in error_of(reproduce.main, '--data', source)
