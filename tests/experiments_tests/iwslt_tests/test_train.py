import dataclasses
import json
import os
import shutil

import numpy
import pytest

from experiments.iwslt import grammar
from experiments.iwslt import score
from experiments.iwslt import train


def run(out, *arguments):
    train.main(['--test', '--out', str(out), *arguments])
    return json.loads((out / 'result.json').read_text())


def test_reaches_a_score(trained):
    _, result = trained
    assert result['test_bleu'] > 3
    assert result['test_perplexity'] < 2


def test_pairs_are_bucketed(tmp_path, monkeypatch):
    """The pairs of a batch have similar lengths."""
    batches = []
    monkeypatch.setattr(score, 'convert', lambda examples, device, convert=(
        score.convert): (batches.append(examples), convert(
            examples, device))[1])
    run(tmp_path, '--epoch', '1')
    lengths = numpy.array([[n_source + n_target for *_, n_source, n_target
                            in examples] for examples in batches[:16]])
    assert lengths.size == 64
    assert numpy.ptp(lengths, axis=1).mean() < numpy.ptp(lengths) / 5


@pytest.mark.gpu
@pytest.mark.parametrize('layer', ['qrnn', 'lstm'])
def test_on_a_gpu(tmp_path, monkeypatch, layer):
    monkeypatch.setattr(train, 'TINY', dataclasses.replace(
        train.TINY, layer=layer))
    losses = [[entry['validation/main/loss'] for entry in run(
        tmp_path / device, '--device', device)['curve']]
        for device in ('-1', '0')]
    numpy.testing.assert_allclose(*losses, rtol=1e-3)


class TestEvalOnly:

    @pytest.fixture
    def model(self, trained, tmp_path):
        """Return a folder that contains only the model."""
        for name in 'model.json', 'model.npz':
            shutil.copy(os.path.join(trained[0], name), str(tmp_path))
        return tmp_path

    def test_same_score_as_training(self, trained, model, capsys):
        """--eval-only gives the same scores, and accepts equal parts."""
        for part in 'train', 'dev', 'test':
            for language, lines in zip(('de', 'en'), zip(*grammar.sample(
                    400, 10, 10)['test'])):
                (model / f'{part}.{language}').write_text('\n'.join(lines))
        train.main(['--eval-only', str(model), '--data', str(model)])
        out, result = capsys.readouterr().out, trained[1]
        assert f'Test perplexity: {result["test_perplexity"]:.3f} per' in out
        assert f'Test BLEU: {result["test_bleu"]:.2f} (NLTK' in out
        assert 'beam 8, criterion paper, alpha 0.6)' in out

    @pytest.mark.parametrize('characters', [[], ['\n', 'a'], ['a', 'b']])
    def test_damaged_model(self, model, error_of, characters):
        description = json.loads((model / 'model.json').read_text())
        description['characters'] = characters
        (model / 'model.json').write_text(json.dumps(description))
        assert 'does not contain a model of experiments.iwslt' in error_of(
            train.main, '--eval-only', model)
