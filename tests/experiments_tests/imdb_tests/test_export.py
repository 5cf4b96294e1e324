import json

import chainer
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import export
from experiments.imdb.data import PAD
from experiments.imdb.model import build
from experiments.imdb.model import Config
from experiments.imdb.model import load


def test_same_logits(trained, tmp_path, capsys):
    pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    out = str(tmp_path / 'model.onnx')
    export.main(['--model', trained[0], '--out', out])
    assert out in capsys.readouterr().out
    model, description = load(trained[0])
    session = onnxruntime.InferenceSession(
        out, providers=['CPUExecutionProvider'])
    for B, T in (1, 1), (5, 17), (5, 300):
        lengths = numpy.random.randint(0, T + 1, B)
        lengths[0] = T
        words = numpy.random.randint(0, len(description['words']), (B, T))
        words[numpy.arange(T) >= lengths[:, None]] = PAD
        logit, probability = session.run(
            ['logit', 'probability'], {'words': words, 'lengths': lengths})
        with chainer.using_config('train', False):
            expected = model.logits(words.astype('i'), lengths).array
        assert logit.shape == (B,)
        assert numpy.abs(logit - expected).max() < 2e-5
        assert numpy.abs(
            probability - 1 / (1 + numpy.exp(-expected))).max() < 1e-5
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata['words']) == description['words']


@pytest.mark.parametrize('settings', [
    {'layer': 'lstm'}, {'layer': 'pqrnn', 'n_features': 16}])
def test_other_layers(settings):
    model = build(Config(n_units=4, **settings), ['a', 'b'])
    with pytest.raises(UserError, match='only a classifier with QRNN layers'):
        export.export(model, ['a', 'b'])
