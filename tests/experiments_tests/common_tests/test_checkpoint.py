import os
import types

import chainer.links as L
import numpy
import pytest

from experiments.common import checkpoint
from experiments.common import files
from experiments.common.commands import load_model


def test_replacing(tmp_path):
    path = tmp_path / 'file'
    for contents in b'old', b'new':
        with checkpoint.replacing(str(path)) as f:
            f.write(contents)
            # Until the new file is complete, the previous file remains.
            assert path.exists() == (contents == b'new')
    with pytest.raises(OSError) as info:
        with checkpoint.replacing(str(path)) as f:
            f.write(b'half')
            raise OSError(28, 'No space left on device')
    assert info.value.filename == str(path)
    for invalid in tmp_path, tmp_path / 'missing' / 'file':
        with pytest.raises(OSError) as info:
            with checkpoint.replacing(str(invalid)):
                pass
        assert info.value.filename == str(invalid)
    assert path.read_text() == 'new' and os.listdir(tmp_path) == ['file']


class TestSnapshot:

    @pytest.fixture
    def save(self, tmp_path):
        snapshot = checkpoint.Snapshot({})

        def write(iteration):
            snapshot(types.SimpleNamespace(
                out=str(tmp_path),
                updater=types.SimpleNamespace(iteration=iteration),
                serialize=lambda serializer: serializer('value', iteration)))
        return write

    def test_keeps_two(self, save, tmp_path):
        for iteration in 8, 9, 10, 11:
            save(iteration)
        assert sorted(os.listdir(tmp_path)) == [
            'snapshot_iter_10', 'snapshot_iter_11']
        assert files.read_arrays(
            tmp_path / 'snapshot_iter_11')['value'] == 11
        assert checkpoint.snapshots(str(tmp_path))[0].endswith('_11')

    def test_removes_newer_snapshots_after_resuming_from_an_older_one(
            self, save, tmp_path):
        for iteration in 10, 20, 15:
            save(iteration)
        assert sorted(os.listdir(tmp_path)) == [
            'snapshot_iter_10', 'snapshot_iter_15']

    def test_failed_write_keeps_all(self, save, tmp_path, monkeypatch):
        def savez(f, **arrays):
            f.write(b'half')
            raise OSError(28, 'No space left on device')

        save(1)
        save(2)
        monkeypatch.setattr(numpy, 'savez', savez)
        with pytest.raises(OSError):
            save(3)
        assert sorted(os.listdir(tmp_path)) == [
            'snapshot_iter_1', 'snapshot_iter_2']

    def test_trigger(self):
        snapshot = checkpoint.Snapshot({}, every=10)
        for iteration, is_new_epoch, expected in (
                (10, False, True), (11, False, False), (12, True, True)):
            updater = types.SimpleNamespace(
                iteration=iteration, is_new_epoch=is_new_epoch)
            trainer = types.SimpleNamespace(updater=updater)
            assert snapshot.trigger(trainer) == expected


def test_prepare_folder_removes_half_written_files(tmp_path):
    folder = tmp_path / '[a]*'
    (folder / 'log0123abcd').mkdir(parents=True)
    for name in 'snapshot_iter_1', 'model.npz.tmp123':
        (folder / name).write_text('')
    checkpoint.prepare_folder(str(folder), resume=True, overwrite=False)
    assert os.listdir(folder) == ['snapshot_iter_1']


class TestBestModel:

    @pytest.fixture(params=[False, True])
    def best(self, request, tmp_path):
        """Return a BestModel after four epochs; the second is the best."""
        model = L.BatchNormalization(3)  # a link with persistent values
        best = checkpoint.BestModel(
            model, {}, 'score', highest=request.param)
        trainer = types.SimpleNamespace(
            observation={}, updater=types.SimpleNamespace(),
            out=str(tmp_path))
        for epoch, score in enumerate([3., 2., 2., 2.5], 1):
            model.gamma.array[...] = model.avg_mean[...] = epoch
            trainer.observation['score'] = -score if request.param else score
            trainer.updater.epoch = epoch
            best(trainer)
        return best

    def test_is_kept(self, best):
        assert (best.epoch, abs(best.value)) == (2, 2.)
        best.restore()
        for array in best._model.gamma.array, best._model.avg_mean:
            assert (array == 2).all()

    def test_goes_through_a_snapshot_into_a_model(self, best, tmp_path):
        checkpoint.serializers.save_npz(tmp_path / 'snapshot.npz', best)
        model = L.BatchNormalization(3)
        other = checkpoint.BestModel(
            model, {'experiment': 'toy', 'dtype': 'float32'})
        with numpy.load(tmp_path / 'snapshot.npz') as arrays:
            checkpoint.serializers.NpzDeserializer(arrays).load(other)
        assert (other.epoch, other.value) == (best.epoch, best.value)
        (tmp_path / 'model.npz').unlink()
        other.initialize(types.SimpleNamespace(out=str(tmp_path)))
        loaded, _ = load_model(
            str(tmp_path), 'toy', lambda description: L.BatchNormalization(3))
        assert (loaded.gamma.array == 2).all() and (loaded.avg_mean == 2).all()

    def test_is_not_written_before_the_first_epoch(self, tmp_path):
        checkpoint.BestModel(L.Linear(3, 2), {}).initialize(
            types.SimpleNamespace(out=str(tmp_path)))
        assert os.listdir(tmp_path) == ['model.json']
