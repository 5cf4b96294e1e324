import json
import os
import shutil
import subprocess

import chainer
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import export
from experiments.imdb.data import PAD
from experiments.imdb.model import build
from experiments.imdb.model import Config
from experiments.imdb.model import load
from experiments.imdb.model import PRETRAINED
from experiments.imdb.predict import probability


ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), *3 * ['..']))


def test_same_logits(trained, tmp_path, capsys):
    pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    out = str(tmp_path / 'model.onnx')
    export.main(['--model', trained[0], '--out', out])
    assert out in capsys.readouterr().out
    model, description = load(trained[0])
    session = onnxruntime.InferenceSession(
        out, providers=['CPUExecutionProvider'])
    for B, T in (0, 5), (1, 1), (5, 17), (5, 300):
        lengths = numpy.random.randint(0, T + 1, B)
        lengths[:1] = T
        words = numpy.random.randint(0, len(description['words']), (B, T))
        words[numpy.arange(T) >= lengths[:, None]] = PAD
        logit, probability = session.run(
            ['logit', 'probability'], {'words': words, 'lengths': lengths})
        with chainer.using_config('train', False):
            expected = model.logits(words.astype('i'), lengths).array
        assert logit.shape == (B,)
        numpy.testing.assert_allclose(logit, expected, atol=2e-5)
        numpy.testing.assert_allclose(
            probability, 1 / (1 + numpy.exp(-expected)), atol=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata['words']) == description['words']


@pytest.mark.parametrize('options', [[], ['--int8']])
def test_model_of_the_project(tmp_path, options):
    """Without --model, the trained model of the repository is exported."""
    onnxruntime = pytest.importorskip('onnxruntime')
    out = str(tmp_path / 'model.onnx')
    export.main(['--out', out, *options])
    session = onnxruntime.InferenceSession(
        out, providers=['CPUExecutionProvider'])
    model, _ = load(PRETRAINED)
    words = [model.number(word) for word in 'It is simply gorgeous'.split()]
    p, = session.run(['probability'], {'words': [words], 'lengths': [4]})
    assert abs(p[0] - probability(model, words)) < (.05 if options else 1e-5)


@pytest.mark.parametrize('settings', [
    {'layer': 'lstm'}, {'layer': 'pqrnn', 'n_features': 16}])
def test_other_layers(settings):
    model = build(Config(n_units=4, **settings), ['a', 'b'])
    with pytest.raises(UserError, match='layers other than QRNN layers'):
        export.export(model, ['a', 'b'])


def test_int8(trained, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    logits = []
    for i, options in enumerate(([], ['--int8'])):
        out = str(tmp_path / f'{i}.onnx')
        export.main(['--model', trained[0], '--out', out, *options])
        session = onnxruntime.InferenceSession(
            out, providers=['CPUExecutionProvider'])
        words = numpy.arange(60).reshape(4, 15) % 40
        logits += session.run(['logit'], {
            'words': words, 'lengths': numpy.full(4, 15)})
    assert 0 < numpy.abs(logits[0] - logits[1]).max() < .2
    assert (tmp_path / '1.onnx').stat().st_size < .5 * (
        tmp_path / '0.onnx').stat().st_size
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata['words']) == load(trained[0])[1]['words']


@pytest.fixture(scope='session')
def node():
    """Return a function that runs JavaScript with onnxruntime-web.

    The package must be installed in ROOT or in a folder of NODE_PATH.
    """
    def run(program, *arguments):
        return subprocess.run(
            ['node', '-', *arguments], input=program, text=True, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if shutil.which('node') is None:
        pytest.skip('node is not installed')
    if run("require.resolve('onnxruntime-web')").returncode:
        pytest.skip('onnxruntime-web is not installed: npm install --no-save '
                    'onnxruntime-web')
    return run


@pytest.mark.parametrize('options, atol', [([], 1e-5), (['--int8'], 5e-3)])
def test_example_of_the_documentation(
        trained, tmp_path, node, code_block, options, atol):
    """JavaScript computes the same probability as Python."""
    onnxruntime = pytest.importorskip('onnxruntime')
    out, folder = str(tmp_path / 'model.onnx'), trained[0]
    export.main(['--model', folder, '--out', out, *options])
    process = node(code_block('onnx.rst', 'javascript'), out,
                   os.path.join(folder, 'model.json'), 'The film is unseen .')
    assert process.returncode == 0, process.stderr
    words = load(folder)[1]['words']
    numbers = [words.index(word) if word in words else 0
               for word in 'The film is unseen .'.split()]
    expected, = onnxruntime.InferenceSession(
        out, providers=['CPUExecutionProvider']).run(['probability'], {
            'words': [numbers], 'lengths': [5]})
    assert abs(float(process.stdout) - expected[0]) < atol
