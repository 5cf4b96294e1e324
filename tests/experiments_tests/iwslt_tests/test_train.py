import json
import os

import numpy
import pytest

from experiments.iwslt import score
from experiments.iwslt import train


def run_test(out, *arguments):
    train.main(['--test', '--out', str(out), '--snapshot-every', '5']
               + list(arguments))


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Folder of a tiny run that nothing interrupted."""
    out = tmp_path_factory.mktemp('finished')
    run_test(out)
    return out


def log_of(out):
    with open(os.path.join(str(out), 'log')) as f:
        log = json.load(f)
    for entry in log:
        del entry['elapsed_time']
    return log


def test_reaches_a_score(trained):
    out, result = trained
    assert result['test_bleu'] > 3
    assert result['test_perplexity'] < 2
    curve = [entry['validation/perplexity'] for entry in result['curve']]
    assert sorted(curve, reverse=True) == curve


def test_leaves_everything_behind(trained):
    out, result = trained
    assert {'log', 'model.json', 'model.npz', 'result.json'} < set(
        os.listdir(out))
    with open(os.path.join(out, 'result.json')) as f:
        assert json.load(f) == json.loads(json.dumps(result))
    assert {
        'experiment', 'config', 'settings', 'data', 'seed', 'parameters',
        'epochs', 'best_epoch', 'training_pairs', 'validation_perplexity',
        'test_perplexity', 'test_bleu', 'test_bleu_definition',
        'test_search', 'test_sentences_per_second', 'seconds_per_epoch',
        'starts', 'finished', 'scored', 'curve'} <= set(result)
    assert result['test_search'] == {
        'width': 8, 'criterion': 'paper', 'alpha': .6, 'n_best': 1}


def test_seed(finished, tmp_path):
    run_test(tmp_path, '--seed', '1', '--epoch', '1')
    assert log_of(tmp_path) != log_of(finished)[:1]


def test_another_run(finished, tmp_path, complaint, monkeypatch):
    for path in finished.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(train, 'TINY', train.dataclasses.replace(
        train.TINY, kernel_sizes=(2, 2)))
    assert 'its kernel_sizes is [3, 2], not [2, 2]' in complaint(
        train.main, '--test', '--out', tmp_path, '--resume')


def test_pairs_are_bucketed(trained, monkeypatch):
    """Every batch of one epoch holds pairs of about the same length."""
    batches = []
    monkeypatch.setattr(score, 'batch', lambda examples, device, batch=(
        score.batch): (batches.append(examples), batch(examples, device))[1])
    train.main(['--test', '--epoch', '1'])
    spread = [max(a + b for _, _, a, b in batch) - min(
        a + b for _, _, a, b in batch) for batch in batches[:16]]
    lengths = [a + b for batch in batches[:16] for _, _, a, b in batch]
    assert len(lengths) == 64
    assert numpy.mean(spread) < (max(lengths) - min(lengths)) / 5


@pytest.mark.gpu
@pytest.mark.parametrize('layer', ['qrnn', 'lstm'])
def test_on_a_gpu(tmp_path, monkeypatch, layer):
    monkeypatch.setattr(train, 'TINY', train.dataclasses.replace(
        train.TINY, layer=layer))
    for device in '-1', '0':
        run_test(tmp_path / device, '--device', device)
    losses = [[entry['validation/main/loss'] for entry in log_of(
        tmp_path / device)] for device in ('-1', '0')]
    numpy.testing.assert_allclose(*losses, rtol=1e-3)


@pytest.mark.parametrize('arguments, says', [
    (['--config', 'huge'], 'invalid choice'),
    (['--data', 'nowhere'], 'there is no folder nowhere'),
    (['--extra', 'TED'], 'not of the sample'),
])
def test_arguments(complaint, tmp_path, arguments, says):
    assert says in complaint(
        train.main, '--out', tmp_path / 'out', *arguments)
    assert not (tmp_path / 'out').exists()
