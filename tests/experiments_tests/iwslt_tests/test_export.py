import json
import subprocess
import sys

import chainer
import numpy
import pytest

from experiments.common import exporting
from experiments.common.cli import UserError
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate
from experiments.iwslt import export
from experiments.iwslt.model import load
from experiments.iwslt.pairs import clean


pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')


def run(session, **inputs):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def sessions(models):
    return [onnxruntime.InferenceSession(
        models[part].SerializeToString(),
        providers=['CPUExecutionProvider'])
        for part in ('-encoder', '-decoder')]


@pytest.mark.parametrize('kernel_sizes', [(3, 2), (1, 1, 1)])
def test_same_probabilities(random_model, kernel_sizes):
    """ONNX and Chainer agree, even if several targets share one source."""
    model, characters = random_model('abcd', kernel_sizes=kernel_sizes)
    encoder, decoder = sessions(export.export(model, characters, {}))
    for n_rows in 3, 1, 0:
        lengths = numpy.array([4, 6, 1])[:n_rows]
        source = numpy.random.randint(0, len(characters), (n_rows, 6))
        source[:1, 1] = -1  # an unknown character
        source[numpy.arange(6) >= lengths[:, None]] = -1
        target = numpy.random.randint(
            0, len(characters), (3 if n_rows else 0, 5))
        encoded = run(encoder, source=source, lengths=lengths)
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            model.encode(source.astype('i'), lengths)
            state = {}
            for t in range(5):
                outputs = run(decoder, target=target[:, t],
                              lengths=lengths, **encoded, **state)
                log_p = outputs.pop('log_probability')
                expected = model.step(target[:, t].astype('i')).array
                numpy.testing.assert_allclose(log_p, expected, atol=1e-5)
                state = {name.removeprefix('next_'): array
                         for name, array in outputs.items()}


@pytest.fixture
def exported(trained, tmp_path, capsys):
    """Return a function that exports a translator and returns the folder."""
    def make(*options):
        out = tmp_path / 'translator.onnx'
        export.main(['--model', trained[0], '--out', str(out), *options])
        printed = capsys.readouterr().out
        for part in 'encoder', 'decoder':
            assert str(tmp_path / f'translator-{part}.onnx') in printed
        return tmp_path
    return make


def test_metadata(exported, trained):
    _, characters, description = load(trained[0])
    for path in exported().iterdir():
        metadata = onnxruntime.InferenceSession(
            path, providers=['CPUExecutionProvider']
        ).get_modelmeta().custom_metadata_map
        assert json.loads(metadata['characters']) == list(characters)
        assert json.loads(metadata['settings']) == description['settings']


def test_example_of_the_documentation(exported, trained, code_block):
    """Without Chainer, the example prints the results of greedy search."""
    model, characters, _ = load(trained[0])
    lines = ['Die Sonne scheint .', '', 'zwei  alte Hunde', 'x']
    process = subprocess.run(
        [sys.executable, '-c', "import sys; sys.modules['chainer'] = None\n"
         + code_block('onnx.rst', 'python')],
        input='\n'.join(lines).encode(), cwd=exported(),
        stdout=subprocess.PIPE, check=True)
    expected = [best.text for best, in translate(
        model, characters, map(clean, lines), Search(width=1))]
    assert process.stdout.decode().splitlines() == expected
    assert max(map(len, expected)) > 5


def test_int8(random_model):
    model, characters = random_model('abcd', n_units=64, n_embedding=32)
    models = export.export(model, characters, {'n_units': 64})
    quantized = {part: exporting.quantize(each)
                 for part, each in models.items()}
    source = numpy.random.randint(0, len(characters), (3, 6))
    lengths = {'lengths': numpy.array([6, 2, 4])}
    log_p = []
    for each in models, quantized:
        encoder, decoder = sessions(each)
        encoded = run(encoder, source=source, **lengths)
        log_p.append(run(
            decoder, target=source[:, 0], **lengths, **encoded)[
                'log_probability'])
    assert 0 < numpy.abs(log_p[0] - log_p[1]).mean() < .2 * log_p[0].std()


def test_other_layers(random_model):
    model, characters = random_model('abcd', layer='lstm')
    with pytest.raises(UserError, match='layers other than QRNN layers'):
        export.export(model, characters, {})
