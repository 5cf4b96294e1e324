import dataclasses
import json
import sys

import chainer
import numpy
import pytest

from experiments.common import best_model
from experiments.imdb import export
from experiments.imdb import model as model_module
from experiments.imdb.batches import PAD
from experiments.imdb.model import TINY


WORDS = ['<unk>', 'good', 'bad', 'film']


@pytest.fixture
def save(tmp_path):
    """Saves a model as a training does; gives the folder and the model."""
    def make(**settings):
        config = dataclasses.replace(TINY, **settings)
        model = model_module.build(config, list(WORDS))
        for param in model.params():
            param.array[...] = numpy.random.RandomState(0).uniform(
                -1, 1, param.shape)
        best_model.save_description(str(tmp_path), {
            'experiment': 'imdb', 'settings': dataclasses.asdict(config),
            'data': {'source': 'sample'}, 'words': WORDS})
        best_model.save_parameters(str(tmp_path), model)
        return str(tmp_path), model
    return make


@pytest.mark.parametrize('kernel_size', [2, 4])
def test_same_scores(save, tmp_path, capsys, kernel_size):
    pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    folder, model = save(kernel_size=kernel_size)
    out = str(tmp_path / 'model.onnx')
    export.main(['--model', folder, '--out', out])
    assert out in capsys.readouterr().out
    session = onnxruntime.InferenceSession(
        out, providers=['CPUExecutionProvider'])
    for B, T in (1, 1), (5, 17), (5, 300):
        lengths = numpy.random.randint(0, T + 1, B)
        lengths[0] = T
        words = numpy.random.randint(0, len(WORDS), (B, T))
        words[numpy.arange(T) >= lengths[:, None]] = PAD
        score, probability = session.run(
            ['score', 'probability'], {'words': words, 'lengths': lengths})
        with chainer.using_config('train', False):
            expected = model.score(words.astype('i'), lengths).array
        assert score.shape == (B,)
        assert numpy.abs(score - expected).max() < 1e-5
        assert numpy.abs(
            probability - 1 / (1 + numpy.exp(-expected))).max() < 1e-5
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata['words']) == WORDS


@pytest.mark.parametrize('settings', [
    {'layer': 'lstm'}, {'layer': 'pqrnn', 'n_features': 16}])
def test_other_layers(save, complaint, settings):
    folder, _ = save(**settings)
    assert 'only a classifier with QRNN layers' in complaint(
        export.main, '--model', folder)


def test_without_onnx(save, complaint, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    folder, _ = save()
    assert 'pip install onnx' in complaint(export.main, '--model', folder)
