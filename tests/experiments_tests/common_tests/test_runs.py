"""Test how training runs handle signals, full disks and divergence."""
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import types

import chainer
import numpy
import pytest

from experiments.common import checkpoint
from experiments.common import cli
from experiments.common import extensions
from experiments.common import files
from experiments.common import result
from experiments.common.cli import UserError
from experiments.ptb import stream
from experiments.ptb import train


N_ITERATIONS = 32  # iterations of an epoch; a run has two epochs


@pytest.fixture
def run(tmp_path):
    """Return a function that trains, and calls ``act`` after an iteration."""
    def start(*arguments, at=None, act=None, out=tmp_path / 'out'):
        update = stream.StreamUpdater.update_core

        def update_and_act(self):
            update(self)
            # The iteration number is incremented only after update_core.
            if self.iteration + 1 == at:
                act(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stream.StreamUpdater, 'update_core', update_and_act)
            train.main(['--test', '--snapshot-every', '10', '--out', str(out),
                        *map(str, arguments)])
        return json.loads((out / 'result.json').read_text())
    return start


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    """Return the folder of an uninterrupted run."""
    out = tmp_path_factory.mktemp('reference') / 'out'
    train.main(['--test', '--snapshot-every', '10', '--out', str(out)])
    return out


@pytest.fixture
def is_as_reference(reference, assert_same_run):
    return lambda out: assert_same_run(reference, out, 'snapshot_iter_64')


def send(number):
    return lambda updater: os.kill(os.getpid(), number)


class TestSignals:

    @pytest.mark.parametrize('number, name, iteration', [
        (signal.SIGTERM, 'SIGTERM', 1), (signal.SIGINT, 'Ctrl-C', 32),
        (signal.SIGHUP, 'SIGHUP', 37), (signal.SIGTERM, 'SIGTERM', 64)])
    def test_end_after_a_snapshot(
            self, run, tmp_path, is_as_reference, number, name, iteration):
        handler = signal.getsignal(number)
        with pytest.raises(cli.Interrupted) as info:
            run(at=iteration, act=send(number))
        assert info.value.message == (
            f"interrupted by {name}; to resume from {tmp_path / 'out'}/"
            f'snapshot_iter_{iteration}, add --resume to the command')
        assert info.value.number == number
        assert signal.getsignal(number) == handler
        run('--resume')
        is_as_reference(tmp_path / 'out')

    def test_while_a_snapshot_is_written(
            self, run, tmp_path, monkeypatch, is_as_reference):
        savez = numpy.savez

        def slow(f, **arrays):
            monkeypatch.undo()
            os.kill(os.getpid(), signal.SIGTERM)
            savez(f, **arrays)

        monkeypatch.setattr(numpy, 'savez', slow)
        with pytest.raises(cli.Interrupted, match='snapshot_iter_10'):
            run()
        run('--resume')
        is_as_reference(tmp_path / 'out')

    def test_while_the_last_result_is_written(
            self, run, monkeypatch, is_as_reference, tmp_path):
        write = result.WriteResult.__call__

        def slow(self, trainer):
            if trainer.updater.epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            write(self, trainer)

        monkeypatch.setattr(result.WriteResult, '__call__', slow)
        with pytest.raises(cli.Interrupted, match='snapshot_iter_64'):
            run()
        monkeypatch.undo()
        run('--resume')
        is_as_reference(tmp_path / 'out')

    def test_a_second_signal_kills(self, run, monkeypatch, capfd):
        clock = iter([0., .5, 2.])
        monkeypatch.setattr(
            extensions, 'time', types.SimpleNamespace(
                monotonic=lambda: next(clock), time=lambda: 0.))
        monkeypatch.setattr(cli, 'die', lambda number: sys.exit(number))

        def three_times(updater):
            # The second signal follows within a second, so it is ignored.
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(SystemExit):
            run(at=3, act=three_times)
        assert next(clock, None) is None
        assert 'a second signal ends the run at' in capfd.readouterr().err

    def test_ignored_signals_stay_ignored(self, run):
        previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            assert run(at=3, act=send(signal.SIGHUP))['finished']
        finally:
            signal.signal(signal.SIGHUP, previous)


class TestFullDisk:

    @pytest.mark.parametrize('name', [
        'snapshot_iter_20', 'snapshot_iter_64', 'model.npz', 'result.json',
        'model.json'])
    def test_ends_and_loses_nothing(
            self, run, tmp_path, monkeypatch, is_as_reference, name):
        out = tmp_path / 'out'
        replacing = checkpoint.replacing

        @contextlib.contextmanager
        def failing(path):
            with replacing(path) as f:
                if os.path.basename(path) == name:
                    f.write(b'half')
                    raise OSError(28, 'No space left on device')
                yield f

        monkeypatch.setattr(checkpoint, 'replacing', failing)
        with pytest.raises((UserError, OSError)) as info:
            run()
        assert f'{name}: No space left on device' in (
            cli.describe(info.value))
        if name.startswith('snapshot'):
            note, = info.value.__notes__
            assert note.startswith(f'to resume from {out}/snapshot_iter_')
        monkeypatch.undo()
        run('--resume')
        is_as_reference(out)

    def test_real(self, run, tmp_path, is_as_reference):
        """A run fails when the file system is full, and can be resumed."""
        disk = tmp_path / 'disk'
        disk.mkdir()
        mount = ['mount', '-t', 'tmpfs', '-o', 'size=900k', 'tmpfs', disk]
        if os.getuid() or subprocess.call(mount, stderr=subprocess.DEVNULL):
            pytest.skip('cannot mount a file system')
        out = disk / 'out'
        try:
            def fill(updater):
                with contextlib.suppress(OSError):
                    with open(disk / 'filler', 'wb', 0) as f:
                        while True:
                            f.write(bytes(100))

            with pytest.raises(OSError, match='No space left on device'):
                run(at=25, act=fill, out=out)
            os.remove(disk / 'filler')
            run('--resume', out=out)
            is_as_reference(out)
        finally:
            subprocess.check_call(['umount', disk])


class TestDivergence:

    @pytest.mark.parametrize('value', [numpy.nan, numpy.inf])
    def test_parameters(self, run, tmp_path, value):
        def spoil(updater):
            model = updater.get_optimizer('main').target
            model.output.b.array[1] = value

        with pytest.raises(UserError) as info:
            run(at=45, act=spoil)
        text = str(info.value)
        assert text.startswith('/output/b is ')
        assert text.endswith(
            ' in iteration 45 (epoch 2); try a smaller learning rate')
        assert info.value.__notes__ == [
            f"to resume from {tmp_path / 'out'}/snapshot_iter_40, add "
            '--resume to the command']

    def test_loss(self, run):
        with pytest.raises(UserError, match='main/loss is nan in iterat'):
            run(at=5, act=lambda updater: chainer.report(
                {'main/loss': numpy.float32('nan')}))

    def test_evaluation(self, run, monkeypatch):
        monkeypatch.setattr(
            stream.StreamEvaluator, 'evaluate',
            lambda self: {'validation/main/loss': numpy.inf})
        with pytest.raises(UserError, match='validation/main/loss is inf'):
            run()

    def test_from_the_command_line(self, error_of, tmp_path, monkeypatch):
        monkeypatch.setattr(train, 'TINY', dataclasses.replace(
            train.TINY, lr=1e30, max_norm=1e30))
        with numpy.errstate(all='ignore'):
            error = error_of(train.main, '--test', '--out', tmp_path)
        assert 'there is no snapshot yet' in error


class TestResults:

    def test_starts(self, run, tmp_path):
        """The result lists each start and the minutes of training after it."""
        for iteration in 5, 37:
            with pytest.raises(cli.Interrupted):
                run('--resume', at=iteration, act=send(signal.SIGTERM))
        unfinished = json.loads((tmp_path / 'out/result.json').read_text())
        assert not unfinished['finished'] and unfinished['epochs'] == 1
        assert 'test_perplexity' not in unfinished
        result = run('--resume')
        assert result['finished'] and result['epochs'] == 2
        starts = result['starts']
        assert len(starts) == 3
        assert all(start['git'] == starts[0]['git'] for start in starts)
        assert all(start['blas'] and start['minutes'] > 0 for start in starts)
        assert starts[0]['minutes'] * 60 == pytest.approx(
            starts[1]['began'], abs=.1)

    def test_best_model_comes_from_the_snapshot(
            self, run, tmp_path, reference):
        """A missing model.npz is written again from the snapshot."""
        run()
        os.remove(tmp_path / 'out/model.npz')
        result = run('--resume', '--epoch', '4')
        assert result['best_epoch'] == 2
        a, b = (files.read_arrays(out / 'model.npz')
                for out in (tmp_path / 'out', reference))
        assert all(numpy.array_equal(a[name], b[name]) for name in b)


def test_set_and_patience(run):
    """With a learning rate of 0, no epoch is better than the first."""
    for resume in [], ['--resume']:
        result = run('--set', 'lr=0', '--epoch', '9', '--patience', '1',
                     *resume)
        assert (result['best_epoch'], result['epochs']) == (1, 2)
        assert result['finished'] and result['patience'] == 1
        assert result['settings']['lr'] == 0
        # n_epochs is stored as configured; --epoch does not change it.
        assert result['settings']['n_epochs'] == 2


def test_warns_that_data_are_ignored(run, capsys):
    run('--data', 'folder', '--epoch', '1')
    assert 'warning: --test ignores --data' in capsys.readouterr().err


class TestResume:

    @pytest.fixture
    def out(self, reference, tmp_path):
        shutil.copytree(reference, tmp_path / 'out')
        return tmp_path / 'out'

    @pytest.fixture
    def error(self, out, error_of):
        return lambda *arguments: error_of(
            train.main, '--test', '--out', out, '--resume', *arguments)

    def test_finished(self, out, run, is_as_reference):
        assert run('--resume')['scored'][0]['epochs'] == 2
        is_as_reference(out)

    def test_snapshot_after_the_last_epoch(self, out, error):
        assert error('--epoch', '1') == (
            f'error: {out}/snapshot_iter_64 is from epoch 2.00, after the '
            'last epoch, 1; choose a larger --epoch, or start over with '
            '--overwrite')

    def test_no_snapshot(self, run, capsys):
        run('--resume')
        assert 'starting from the beginning' in capsys.readouterr().out

    @pytest.mark.parametrize('damage', [
        lambda contents: b'',
        lambda contents: contents[:len(contents) // 2],
        lambda contents: contents[:4000] + b'\0' * 99 + contents[4099:],
        lambda contents: b'PK\3\4' + b'random' * 999])
    def test_damaged(self, out, error, damage):
        path = out / 'snapshot_iter_64'
        path.write_bytes(damage(path.read_bytes()))
        assert 'snapshot_iter_64 is damaged' in error()

    def test_another_file(self, out, error):
        shutil.copy(out / 'model.npz', out / 'snapshot_iter_65')
        assert 'is not a snapshot' in error()
        assert 'not allowed with' in error('--overwrite')

    @pytest.mark.parametrize('arguments, message', [
        (['--seed', '1'], 'its seed is 0, not 1'),
        (['--dtype', 'mixed16'], 'its dtype is float32, not mixed16'),
        (['--batch-size', '2'], 'its batch_size is 4, not 2')])
    def test_another_run(self, out, error, arguments, message):
        assert message in error(*arguments)

    @pytest.mark.parametrize('name, value', [
        ('updater/model:main/embed/W', None),
        ('extensions/Snapshot/random', numpy.array('[[]]'))])
    def test_other_contents(self, out, error, name, value):
        path = out / 'snapshot_iter_64'
        arrays = files.read_arrays(path)
        assert name in arrays
        if value is None:
            del arrays[name]
        else:
            arrays[name] = value
        with open(path, 'wb') as f:
            numpy.savez(f, **arrays)
        assert 'cannot be loaded' in error()

    def test_earlier_run_is_kept(self, out, error_of, run):
        contents = (out / 'result.json').read_bytes()
        assert 'contains an earlier run' in error_of(
            train.main, '--test', '--out', out)
        assert (out / 'result.json').read_bytes() == contents
        assert run('--overwrite', '--epoch', '1')['epochs'] == 1

    def test_model_without_snapshots_is_kept(self, out, error_of):
        for path in out.glob('snapshot_iter_*'):
            path.unlink()
        paths = sorted(out.iterdir())
        assert 'contains a model, but no snapshot' in error_of(
            train.main, '--test', '--out', out, '--resume')
        assert sorted(out.iterdir()) == paths


@pytest.mark.parametrize('arguments, message', [
    (['--config', 'huge'], 'invalid choice'),
    (['--data', 'nowhere'], 'there is no folder nowhere'),
    (['--device', '99'], 'device 99 cannot be used'),
    # An unset shell variable results in an empty argument.
    (['--eval-only', ''], 'there is no trained model in'),
    (['--bogus'], 'unrecognized arguments')])
def test_invalid_arguments(error_of, tmp_path, arguments, message):
    assert message in error_of(
        train.main, '--out', tmp_path / 'out', *arguments)
    assert not list(tmp_path.glob('out/*'))


def test_folder_cannot_be_written(error_of, tmp_path):
    (tmp_path / 'file').write_text('')
    assert 'Not a directory' in error_of(
        train.main, '--test', '--out', tmp_path / 'file' / 'out')
