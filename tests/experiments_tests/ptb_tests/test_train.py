import json
import os

import numpy
import pytest

from experiments.ptb import train


def run_test(out, *arguments):
    train.main(['--test', '--out', str(out), '--snapshot-every', '10']
               + list(arguments))


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Folder of a tiny run that nothing interrupted."""
    out = tmp_path_factory.mktemp('finished')
    run_test(out)
    return out


def test_reaches_a_score(trained):
    out, result = trained
    assert result['test_perplexity'] < 60
    assert result['unigram_test_perplexity'] > 160
    curve = [entry['validation/perplexity'] for entry in result['curve']]
    assert sorted(curve, reverse=True) == curve


def test_leaves_everything_behind(trained):
    out, result = trained
    assert {'log', 'model.json', 'model.npz', 'result.json'} < set(
        os.listdir(out))
    snapshots = [name for name in os.listdir(out) if 'snapshot' in name]
    assert len(snapshots) == 2
    with open(os.path.join(out, 'result.json')) as f:
        assert json.load(f) == result
    assert {
        'experiment', 'config', 'settings', 'data', 'seed', 'parameters',
        'epochs', 'best_epoch', 'validation_perplexity', 'test_perplexity',
        'seconds_per_epoch', 'starts', 'finished', 'scored',
        'curve'} < set(result)


@pytest.mark.parametrize('iteration', [17, 47])
def test_killed_and_resumed(
        python, kill, assert_same_run, finished, tmp_path, iteration):
    """The same bits, whether killed in the first epoch or in the second."""
    arguments = ['--test', '--out', tmp_path, '--snapshot-every', '10']
    kill('ptb', iteration, *arguments)
    process = python('-m', 'experiments.ptb.train', '--resume', *arguments)
    assert 'Resumed from' in process.stdout, process.stderr
    assert_same_run(finished, tmp_path, 'snapshot_iter_64')


def test_seed(finished, tmp_path, log_of):
    for seed in '0', '1':
        run_test(tmp_path / seed, '--seed', seed, '--epoch', '1')
    assert log_of(tmp_path / '0') == log_of(finished)[:1]
    assert log_of(tmp_path / '1') != log_of(finished)[:1]


def test_learning_rate(tmp_path, monkeypatch, log_of):
    monkeypatch.setattr(train, 'TINY', train.dataclasses.replace(
        train.TINY, n_full_lr_epochs=2, lr_decay=.5))
    run_test(tmp_path, '--epoch', '3')
    run_test(tmp_path, '--epoch', '4', '--resume')
    assert [entry['lr'] for entry in log_of(tmp_path)] == [1, 1, .5, .25]


def test_keeps_nothing_without_out(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    train.main(['--test'])
    said = capsys.readouterr()
    assert 'Everything works.' in said.out and 'warning' not in said.err
    assert not os.listdir(str(tmp_path))


class TestResume(object):

    @pytest.fixture
    def out(self, finished, tmp_path):
        """A copy of a finished run."""
        for name in os.listdir(str(finished)):
            (tmp_path / name).write_bytes((finished / name).read_bytes())
            time = os.stat(str(finished / name)).st_mtime
            os.utime(str(tmp_path / name), (time, time))
        return tmp_path

    @pytest.fixture
    def resumed(self, out, error_of):
        """Complaint about resuming a run with the arguments given."""
        return lambda *arguments: error_of(
            train.main, '--test', '--out', out, '--resume', *arguments)

    def test_into_another_folder(self, out, tmp_path, log_of):
        snapshot = str(out / 'snapshot_iter_64')
        other = tmp_path / 'other'
        run_test(other, '--resume', snapshot, '--epoch', '3')
        assert log_of(other)[:2] == log_of(out)
        assert (other / 'model.npz').exists()

    def test_best_model_is_gone(self, out, resumed):
        """It is made anew from a snapshot of its epoch, but of no other."""
        model = out / 'model.npz'
        before = model.read_bytes()
        model.unlink()
        run_test(out, '--resume')
        assert model.read_bytes() == before
        model.unlink()
        (out / 'snapshot_iter_64').unlink()
        assert 'model.npz of epoch 1, is not beside the snap' in resumed()

    def test_into_the_folder_of_another_run(self, out, resumed, tmp_path):
        other = tmp_path / 'snapshot_iter_7'
        other.write_bytes((out / 'snapshot_iter_64').read_bytes())
        out = tmp_path / 'out'
        run_test(out, '--epoch', '1')
        assert 'holds an earlier run' in resumed(other, '--out', out)

    def test_further(self, out, log_of):
        run_test(out, '--resume', '--epoch', '3')
        assert [entry['epoch'] for entry in log_of(out)] == [1, 2, 3]

    def test_longer_than_asked_for(self, out, resumed):
        before = set(os.listdir(str(out)))
        assert resumed('--epoch', '1') == (
            'error: the snapshot has trained for 2.00 epochs, more than the 1 '
            'asked for; give a longer --epoch, or start over with '
            '--overwrite')
        assert set(os.listdir(str(out))) == before

    def test_best_model_stays(self, out):
        """The next iteration's is not taken for that of the epoch's end."""
        with numpy.load(out / 'model.npz') as arrays:
            before = dict(arrays)
        run_test(out, '--resume', '--epoch', '3')
        with open(out / 'result.json') as f:
            assert json.load(f)['best_epoch'] == 2
        with numpy.load(out / 'model.npz') as arrays:
            for name, array in before.items():
                assert numpy.array_equal(arrays[name], array)

    def test_half_written(self, out):
        (out / 'tmpsnapshot_iter_70abc').mkdir()
        (out / 'log0123abcd').mkdir()
        (out / 'model.npz.tmp123').write_text('half')
        before = set(os.listdir(str(out)))
        run_test(out, '--resume')
        assert before - set(os.listdir(str(out))) == {
            'tmpsnapshot_iter_70abc', 'log0123abcd', 'model.npz.tmp123'}

    def test_nothing_there(self, tmp_path, capsys):
        run_test(tmp_path, '--resume')
        assert 'starting from the beginning' in capsys.readouterr().out

    def test_newest_damaged(self, out, capsys):
        newest = out / 'snapshot_iter_64'
        newest.write_bytes(newest.read_bytes()[:5000])
        run_test(out, '--resume')
        captured = capsys.readouterr()
        assert captured.err.startswith(
            'warning: the snapshot {} is damaged; it was left out\n'.format(
                newest))
        assert 'Resumed from' in captured.out and '_60' in captured.out

    def test_all_damaged(self, out, resumed):
        for name in 'snapshot_iter_60', 'snapshot_iter_64':
            (out / name).write_bytes(b'PK\3\4' + b'random' * 99)
        error_of = resumed()
        assert 'snapshot_iter_60 is damaged' in error_of
        assert 'snapshot_iter_64 is damaged' in error_of

    @pytest.mark.parametrize('damage', [
        lambda contents: b'',
        lambda contents: contents[:len(contents) // 2],
        lambda contents: contents[:4000] + b'\0' * 99 + contents[4099:],
        lambda contents: os.urandom(5000),
    ])
    def test_damaged(self, out, resumed, damage):
        path = out / 'snapshot_iter_64'
        path.write_bytes(damage(path.read_bytes()))
        assert 'is damaged' in resumed(path)

    def test_another_file(self, out, resumed):
        assert 'is not a snapshot' in resumed(out / 'model.npz')
        assert 'is damaged' in resumed(out / 'log')
        assert 'there is no snapshot file' in resumed(out / 'nothing')
        assert 'there is no snapshot file' in resumed(out)

    def test_contradiction(self, resumed):
        assert 'choose one' in resumed('--overwrite')

    def test_pickle_is_not_read(self, out, resumed):
        path = out / 'snapshot_iter_64'
        with numpy.load(path) as arrays:
            arrays = dict(arrays)
        arrays['extensions/identity/facts'] = numpy.array([None])
        with open(path, 'wb') as f:
            numpy.savez(f, **arrays)
        assert 'is damaged' in resumed(path)

    def test_another_run(self, resumed):
        assert 'its seed is 0, not 1' in resumed('--seed', '1')

    def test_another_model(self, resumed, monkeypatch):
        monkeypatch.setattr(train, 'TINY', train.dataclasses.replace(
            train.TINY, n_units=9))
        assert 'its n_units is 8, not 9' in resumed()

    def test_other_arrays(self, out, resumed):
        path = out / 'snapshot_iter_64'
        with numpy.load(path) as arrays:
            arrays = dict(arrays)
        del arrays['updater/model:main/embed/W']
        with open(path, 'wb') as f:
            numpy.savez(f, **arrays)
        assert 'does not fit this program' in resumed(path)

    def test_earlier_run_is_kept(self, out, error_of, log_of):
        before = (out / 'result.json').read_bytes()
        assert 'holds an earlier run' in error_of(
            train.main, '--test', '--out', out)
        assert (out / 'result.json').read_bytes() == before
        run_test(out, '--overwrite', '--epoch', '1')
        assert len(log_of(out)) == 1


class TestComplaints(object):

    @pytest.mark.parametrize('arguments, says', [
        (['--config', 'huge'], 'invalid choice'),
        (['--epoch', '0'], 'whole number from 1'),
        (['--seed', '-1'], 'whole number from 0'),
        (['--data', 'nowhere'], 'there is no folder nowhere'),
        (['--device', '99'], 'device 99'),
        (['--device', '@cupy:99'], 'device @cupy:99'),
        (['--device', 'tpu'], 'there is no device tpu'),
        (['--bogus'], 'unrecognized arguments'),
    ])
    def test_arguments(self, error_of, tmp_path, arguments, says):
        assert says in error_of(
            train.main, '--out', tmp_path / 'out', *arguments)
        assert not (tmp_path / 'out').exists()

    def test_folder_cannot_be_written(self, error_of, tmp_path):
        (tmp_path / 'file').write_text('')
        assert 'Not a directory' in error_of(
            train.main, '--test', '--out', tmp_path / 'file' / 'out')

    def test_diverged(self, error_of, tmp_path, monkeypatch):
        monkeypatch.setattr(train, 'TINY', train.dataclasses.replace(
            train.TINY, lr=1e30, max_norm=1e30))
        with numpy.errstate(all='ignore'):
            said = error_of(train.main, '--test', '--out', tmp_path)
        assert 'in iteration 2 (epoch 1), after the batch of words 10 ' in said
        assert 'there is no snapshot yet' in said

    def test_as_a_command(self, python):
        process = python('-m', 'experiments.ptb.train', '--data', 'nowhere')
        assert process.returncode == 1 and not process.stdout
        assert process.stderr.startswith('error: there is no folder')
        assert process.stderr.count('\n') == 1
