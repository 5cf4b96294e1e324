import dataclasses
import json
import sys

import chainer
import numpy
import pytest

from experiments.ptb import export
from experiments.ptb.model import LanguageModel
from experiments.ptb.model import TINY


WORDS = ['<eos>', '<unk>', 'the', 'sailor', 'sings']


@pytest.fixture
def save(tmp_path):
    """Return a function that saves a model and returns (folder, model)."""
    def make(**settings):
        config = dataclasses.replace(TINY, **settings)
        model = LanguageModel(config, len(WORDS))
        (tmp_path / 'model.json').write_text(json.dumps({
            'experiment': 'ptb', 'settings': dataclasses.asdict(config),
            'dtype': 'float32', 'words': WORDS}))
        chainer.serializers.save_npz(tmp_path / 'model.npz', model)
        return str(tmp_path), model
    return make


@pytest.mark.parametrize('kernel_size', [1, 2, 3])
def test_same_logits(save, tmp_path, kernel_size):
    """ONNX logits equal Chainer's even if the text is split into chunks."""
    pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    folder, model = save(kernel_size=kernel_size, zoneout=.1, init_scale=1.)
    out = str(tmp_path / 'model.onnx')
    export.main(['--model', folder, '--out', out])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        out, options, providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    for B in 0, 1, 5:
        model.reset_state()
        state = {}
        for T in 1, 17, 1, 2:
            words = numpy.random.randint(0, len(WORDS), (B, T))
            outputs = dict(zip(names, session.run(
                names, dict(state, words=words))))
            logits = outputs.pop('logits')
            assert logits.shape == (B, T, len(WORDS))
            with chainer.using_config('train', False):
                for t in range(T):
                    expected = model.step(words[:, t].astype('i')).array
                    numpy.testing.assert_allclose(
                        logits[:, t], expected, atol=1e-5)
            state = {name.replace('next_', ''): array
                     for name, array in outputs.items()}
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata['words']) == WORDS


def test_other_layers(save, error_of):
    pytest.importorskip('onnx')
    folder, _ = save(layer='lstm')
    assert 'layers other than QRNN layers' in error_of(
        export.main, '--model', folder)


@pytest.mark.parametrize('package, options', [
    ('onnx', []), ('onnxruntime', ['--int8'])])
def test_missing_package(error_of, monkeypatch, package, options):
    if package != 'onnx':
        pytest.importorskip('onnx')
    for name in package, f'{package}.quantization':
        monkeypatch.setitem(sys.modules, name, None)
    assert f'pip install {package}' in error_of(
        export.main, '--model', 'folder', *options)


def test_int8(save, tmp_path):
    """Logits are close to Chainer's when the model runs step by step."""
    pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    folder, model = save(n_units=64, init_scale=.3)
    out = str(tmp_path / 'model.onnx')
    export.main(['--model', folder, '--out', out, '--int8'])
    session = onnxruntime.InferenceSession(
        out, providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    state = {}
    for t in range(9):
        words = numpy.random.randint(0, len(WORDS), (3, 1))
        outputs = dict(zip(names, session.run(
            names, dict(state, words=words))))
        logits = outputs.pop('logits')[:, 0]
        with chainer.using_config('train', False):
            expected = model.step(words[:, 0].astype('i')).array
        assert 0 < numpy.abs(logits - expected).max() < .2 * expected.std()
        state = {name.replace('next_', ''): array
                 for name, array in outputs.items()}
