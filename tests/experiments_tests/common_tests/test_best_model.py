import types

import chainer.links as L
import numpy
import pytest

from experiments.common import best_model
from experiments.common.errors import Problem


@pytest.fixture
def trainer(tmp_path):
    return types.SimpleNamespace(
        out=str(tmp_path), observation={},
        updater=types.SimpleNamespace(epoch=0))


@pytest.mark.parametrize('highest', [False, True])
def test_best_is_kept(trainer, tmp_path, highest):
    model = L.Linear(3, 2)
    extension = best_model.BestModel(model, 'score', highest)
    for epoch, score in enumerate([3., 2., 2., 2.5], 1):
        model.W.array[...] = epoch
        trainer.observation['score'] = -score if highest else score
        trainer.updater.epoch = epoch
        extension(trainer)
        extension.save(trainer)
    assert (extension.epoch, abs(extension.value)) == (2, 2.)
    loaded = L.Linear(3, 2)
    best_model.load_parameters(str(tmp_path), loaded)
    assert (loaded.W.array == 2).all()


def test_load(tmp_path):
    folder = str(tmp_path)
    with pytest.raises(Problem, match='model.npz is missing'):
        best_model.load_parameters(folder, L.Linear(3, 2))
    best_model.save_parameters(folder, L.Linear(3, 2))
    with pytest.raises(Problem, match='do not fit the model'):
        best_model.load_parameters(folder, L.Linear(2, 2))
    with pytest.raises(Problem, match='do not fit the model'):
        best_model.load_parameters(folder, L.Linear(3, 2, nobias=True))


def test_no_pickle(tmp_path):
    numpy.savez(str(tmp_path / 'model.npz'), W=numpy.array([None]))
    with pytest.raises(Problem, match='is damaged'):
        best_model.load_parameters(str(tmp_path), L.Linear(3, 2))


def test_persistent_values(tmp_path):
    folder = str(tmp_path)
    saved, loaded = L.BatchNormalization(3), L.BatchNormalization(3)
    saved(numpy.random.randn(5, 3).astype('f'))
    best_model.save_parameters(folder, saved)
    best_model.load_parameters(folder, loaded)
    assert saved.avg_mean.all()
    numpy.testing.assert_array_equal(loaded.avg_mean, saved.avg_mean)
