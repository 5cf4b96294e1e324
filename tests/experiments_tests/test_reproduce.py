import os
import signal
import threading
import time

import pytest

from experiments import reproduce
from experiments import schedule
from experiments.ptb import train


# Adds a line a step to a file, until there are enough.
_STEPS = '''
import sys, time
path, n, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
while len(open(path, 'a+').readlines() or open(path).readlines()) < n:
    time.sleep(pause)
    with open(path, 'a') as f:
        f.write('step' + chr(10))
'''


class Row(object):

    """Stands in for a row of the paper: as many steps as it is told."""

    names = 'table1',
    log = None

    def __init__(self, folder, name, n_steps=1, pause=0., script=_STEPS,
                 waits_for=None):
        self.name = name
        self.waits_for = waits_for
        self.path = folder / name
        self._n_steps = n_steps
        self._pause = pause
        self._script = script

    def command(self):
        return ['-I', '-S', '-c', self._script, str(self.path),
                str(self._n_steps), str(self._pause)]

    def progress(self):
        reached = (len(self.path.read_text().splitlines())
                   if self.path.exists() else 0)
        if reached == self._n_steps:
            return schedule.Progress('finished', 'finished')
        if reached:
            return schedule.Progress('begun', 'begun', reached, 90.)
        return schedule.Progress('not begun', 'not begun', 0)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the program with rows of our own, and returns its exit status."""
    def run(rows, *arguments):
        monkeypatch.setattr(schedule, 'rows', lambda *_: rows)
        with pytest.raises(SystemExit) as info:
            reproduce.main(['--out', str(tmp_path / 'results'), '--report',
                            str(tmp_path / 'all.md'), *arguments])
        return info.value.code
    return run


def test_all(run, tmp_path, capsys):
    rows = [Row(tmp_path, name, n_steps=3) for name in 'ab']
    assert run(rows) == 0
    assert all(row.progress().state == 'finished' for row in rows)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[-2:]] == [
        ['a', 'finished'], ['b', 'finished']]
    assert (tmp_path / 'all.md').read_text().startswith('# Reproduction')
    # What is finished is left.
    assert run(rows) == 0
    assert '$ python' not in capsys.readouterr().out


def test_budget(run, tmp_path, capsys):
    """The time is over: what is begun is gone on with, and then the rest."""
    rows = [Row(tmp_path, 'a', 50, .1), Row(tmp_path, 'b')]
    start = time.monotonic()
    assert run(rows, '--budget', '.03') == reproduce.MORE == 75
    assert time.monotonic() - start < 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4].split()[:2] == ['a', 'begun,']
    assert 'about 2 minutes left' in lines[-4]
    assert lines[-3].split() == ['b', 'not', 'begun']
    assert lines[-2] == 'There is more to do; this goes on:'
    assert lines[-1].endswith('--budget .03')
    assert 0 < rows[0].progress().mark < 50

    assert run(rows, '--budget', '0') == 75
    assert '$ python' not in capsys.readouterr().out
    rows[0]._pause = 0
    assert run(rows) == 0
    assert 'There is more to do' not in capsys.readouterr().out


def test_pieces(run, tmp_path, capsys):
    rows = [Row(tmp_path, 'a', 30, .1)]
    assert run(rows, '--piece', '.02') == 0
    assert capsys.readouterr().out.count('$ python') > 1


def test_piece_too_short(run, tmp_path, capsys):
    """What does not get on would be begun for ever."""
    rows = [Row(tmp_path, 'a', 2, 60), Row(tmp_path, 'b')]
    assert run(rows, '--piece', '.01') == 1
    captured = capsys.readouterr()
    assert captured.out.count('$ python') == 2
    assert captured.err == ('a failed: it did not get on in 0.01 minutes, '
                            'give --piece more\n')
    # The budget is no reason to give it up.
    assert run(rows, '--piece', '1', '--budget', '.01') == 75


def test_failure(run, tmp_path, capsys):
    """It is told in one line, and the others are run."""
    rows = [Row(tmp_path, 'a', script="raise SystemExit('error: no room')"),
            Row(tmp_path, 'b', script=''), Row(tmp_path, 'c')]
    rows.append(Row(tmp_path, 'd', waits_for=rows[0]))
    assert run(rows) == 1
    captured = capsys.readouterr()
    assert 'a failed: no room' in captured.err.splitlines()
    assert 'b failed: it ended without a result' in captured.err.splitlines()
    assert rows[2].progress().state == 'finished'
    lines = [line.split(maxsplit=1)
             for line in captured.out.splitlines()[-4:]]
    assert lines == [
        ['a', 'failed: no room'], ['b', 'failed: it ended without a result'],
        ['c', 'finished'], ['d', 'not begun']]


def test_taken(run, tmp_path, capsys):
    rows = [Row(tmp_path, 'a')]
    rows[0].progress = lambda: schedule.Progress('taken', 'another run')
    assert run(rows) == 1
    out = capsys.readouterr().out
    assert 'another run' in out and '$ python' not in out


def test_waits(run, tmp_path, capsys):
    first = Row(tmp_path, 'first')
    assert run([Row(tmp_path, 'second', waits_for=first), first]) == 75
    assert run([first, Row(tmp_path, 'second', waits_for=first)]) == 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted(run, tmp_path, capsys, number):
    rows = [Row(tmp_path, 'a', 99, .1), Row(tmp_path, 'b')]
    timer = threading.Timer(2, os.kill, (os.getpid(), number))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(rows)
    timer.join()
    n_steps = len(rows[0].path.read_text())
    assert capsys.readouterr().out.splitlines()[-3].split() == [
        'b', 'not', 'begun']
    time.sleep(.5)
    assert len(rows[0].path.read_text()) == n_steps  # it has ended


def test_training_goes_on_with_the_same_bits(
        run, tmp_path, assert_same_run, capsys):
    out = tmp_path / 'results'
    row = schedule.rows(schedule.Setting(str(out), '-1', {}, test=True),
                        ['table2'])[0]
    row.n_epochs = 3  # so long that it is interrupted before the end
    snapshots = threading.Thread(target=interrupt_after_a_snapshot,
                                 args=(row.folder,))
    snapshots.start()
    with pytest.raises(KeyboardInterrupt):
        run([row])
    snapshots.join()
    assert ' of 3 epochs' in capsys.readouterr().out.splitlines()[-3]
    assert row.progress().state == 'begun'
    assert run([row]) == 0
    assert row.progress().state == 'finished'
    log = (out / 'ptb' / 'qrnn-zoneout' / 'train.log').read_text()
    assert log.count('$ python') == 2 and 'Resumed from' in log
    document = (tmp_path / 'all.md').read_text()
    assert '`ptb/qrnn-zoneout`' in document
    assert '`' + reproduce.command_line(row.command()) + '`' in document

    train.main(['--test', '--config', 'qrnn-zoneout', '--epoch', '3', '--out',
                str(tmp_path / 'whole')])
    assert_same_run(row.folder, tmp_path / 'whole', 'snapshot_iter_96')


def interrupt_after_a_snapshot(folder):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if os.path.isdir(folder) and any(
                name.startswith('snapshot_iter_')
                for name in os.listdir(folder)):
            break
        time.sleep(.005)
    os.kill(os.getpid(), signal.SIGTERM)


def test_dry_run(tmp_path, capsys, complaint):
    arguments = ['table2', '--dry-run', '--out', str(tmp_path / 'results')]
    reproduce.main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 3
    assert lines[0].split() == ['table2', 'qrnn-zoneout', 'not', 'begun']
    assert lines[1].startswith(
        '    python -m experiments.ptb.train --config qrnn-zoneout ')
    assert not list(tmp_path.iterdir())
    assert 'no folder nowhere' in complaint(
        reproduce.main, *arguments, '--data', 'ptb=nowhere')


@pytest.mark.parametrize('arguments, says', [
    (['table4'], 'there is no table4, but table1, table2'),
    (['--budget', 'x'], 'a number from 0 on'),
    (['--piece', '0'], '--piece takes more than 0 minutes'),
    (['--data', 'mnist=x'], 'ptb, imdb, iwslt, glove'),
    (['--data', 'ptb='], "not 'ptb='"),
    (['--data', 'ptb'], "not 'ptb'"),
    (['--seeds', '0'], 'whole number from 1'),
    (['table2', '--data', 'ptb=nowhere'], 'there is no folder nowhere'),
    (['table1'], 'it needs word vectors, --data glove=FILE'),
    (['table2', '--device', '99'], 'device 99'),
])
def test_complaints(complaint, tmp_path, arguments, says):
    """Nothing is begun before all is seen to be there."""
    assert says in complaint(
        reproduce.main, '--out', tmp_path / 'results', '--report',
        tmp_path / 'all.md', *arguments)
    assert not list(tmp_path.iterdir())


def test_report_cannot_be_written(complaint, tmp_path):
    (tmp_path / 'file').write_text('')
    assert 'file' in complaint(
        reproduce.main, 'table2', '--test', '--out', tmp_path / 'results',
        '--report', tmp_path / 'file' / 'all.md')
    assert not (tmp_path / 'results').exists()
