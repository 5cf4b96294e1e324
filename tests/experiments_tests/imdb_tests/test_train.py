import dataclasses
import json
import os
import re

import chainer
import numpy
import pytest

from experiments.imdb import data
from experiments.imdb import predict
from experiments.imdb import train
from experiments.imdb import visualize
from experiments.imdb.model import CONFIGS
from experiments.imdb.model import load
from experiments.imdb.sample import sample


def run_test(out, *arguments):
    train.main(['--test', '--out', str(out), *map(str, arguments)])
    return json.loads((out / 'result.json').read_text())


def test_result(trained):
    """The model beats a bag of words, since labels depend on word order."""
    out, result = trained
    assert result['test_accuracy'] > 95
    assert result['bag_of_words_test_accuracy'] < 75
    curve = [entry['validation/main/accuracy'] for entry in result['curve']]
    assert result['development_accuracy'] == 100 * max(curve)
    assert result['best_epoch'] == 1 + curve.index(max(curve))
    assert len(curve) == result['epochs'] == 3
    assert result['data']['reviews'] == {
        'train': 1350, 'dev': 150, 'test': 200}
    assert {'log', 'model.json', 'model.npz'} < set(
        os.listdir(out))


def test_best_model_is_scored_on_test_once(tmp_path, monkeypatch):
    """The model of the best epoch is scored instead of the last model."""
    values, weights, scored = iter([.7, .8, .6]), [], []

    def evaluator(model, reviews, batch_size):
        @chainer.training.make_extension(
            trigger=(1, 'epoch'), priority=chainer.training.PRIORITY_WRITER)
        def evaluate(trainer):
            weights.append(model.embed.W.array.copy())
            chainer.report({'validation/main/loss': 1.,
                            'validation/main/accuracy': next(values)})
        return evaluate

    monkeypatch.setattr(train, 'evaluator', evaluator)
    monkeypatch.setattr(train, 'score', lambda model, reviews: scored.append(
        (model.embed.W.array.copy(), len(reviews))) or 0.)
    assert run_test(tmp_path, '--epoch', 3)['best_epoch'] == 2
    (best, n_reviews), = scored
    assert (best == weights[1]).all() and n_reviews == 20
    assert (best != weights[2]).any()


def test_min_count_of_the_configuration(tmp_path, write_lines):
    write_lines(tmp_path, train=[(f'all review{i}', 1) for i in range(20)],
                test=[('all', 1)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, 'lstm', dataclasses.replace(
            CONFIGS['lstm'], n_units=2, embed_size=2))
        train.main(['--config', 'lstm', '--data', str(tmp_path), '--out',
                    str(tmp_path / 'out'), '--epoch', '1'])
    assert load(tmp_path / 'out')[1]['words'] == ['<unk>', 'all']


class TestGlove:

    @pytest.fixture
    def vectors(self, tmp_path):
        (tmp_path / 'vectors.txt').write_text('it 1 2 3 4 5\n')
        return tmp_path / 'vectors.txt'

    def test_model_starts_from_them(self, vectors, tmp_path, monkeypatch):
        seen = []

        def build(config, words, vectors, build=train.build):
            model = build(config, words, vectors)
            seen.append(model.embed.W.array[words.index('it')].tolist())
            return model

        monkeypatch.setattr(train, 'build', build)
        result = run_test(tmp_path / 'out', '--glove', vectors, '--epoch', 1)
        assert seen == [[1, 2, 3, 4, 5]]
        assert result['settings']['embed_size'] == 5
        # "It" and "it" both have the vector of "it".
        assert result['glove']['vectors'] == 2

    def test_pqrnn(self, vectors, tmp_path, error_of, monkeypatch):
        monkeypatch.setattr(data, 'load', lambda *_: data.sample(100, 20))
        assert 'remove --glove' in error_of(
            train.main, '--config', 'pqrnn', '--glove', vectors, '--out',
            tmp_path / 'out')


class TestEvaluation:

    @pytest.mark.parametrize('batch_size', [1, 7, 64])
    def test_every_review_counts_once(self, trained, batch_size):
        model, description = load(trained[0])
        corpus = data.load(
            description['data']['source'], number=model.number)
        # 51 is not a multiple of the batch sizes 7 and 64.
        reviews = corpus.test.subset(numpy.arange(51))
        reviews.labels[:20] = 0
        hits = []
        with chainer.using_config('train', False):
            for words, label in reviews:
                logits = model.logits(words[None], numpy.array([len(words)]))
                hits.append((logits.array[0] >= 0) == label)
        assert train.evaluator(model, reviews, batch_size)()[
            'main/accuracy'] == pytest.approx(numpy.mean(hits))

    def test_same_score_as_training(self, trained, capsys):
        out, result = trained
        train.main(['--eval-only', out])
        out = capsys.readouterr().out
        for name in 'Development', 'Test':
            assert '{} accuracy: {:.2f} %\n'.format(
                name, result[name.lower() + '_accuracy']) in out

    def test_other_reviews(self, trained, tmp_path, write_lines, capsys):
        """Other reviews are encoded with the vocabulary of the model."""
        pairs = sample(100, 100, seed=1)
        write_lines(tmp_path, test=pairs['test'], train=[
            (text, 1 - label) for text, label in pairs['train']])
        train.main(['--eval-only', trained[0], '--data', str(tmp_path)])
        development, test = map(float, re.findall(
            r'accuracy: ([0-9.]+) %', capsys.readouterr().out))
        assert test > 90 and development < 10


def test_pqrnn(tmp_path, monkeypatch, write_lines, capsys, error_of):
    out = tmp_path / 'out'
    monkeypatch.setitem(CONFIGS, 'pqrnn', dataclasses.replace(
        CONFIGS['pqrnn'], n_layers=2, n_units=6, embed_size=5, n_features=16))
    train.main(['--config', 'pqrnn', '--epoch', '1', '--out', str(out),
                '--data', str(write_lines(tmp_path, **sample(200, 40)))])
    result = json.loads((out / 'result.json').read_text())
    capsys.readouterr()
    train.main(['--eval-only', str(out)])
    assert 'Test accuracy: {:.2f} %'.format(
        result['test_accuracy']) in capsys.readouterr().out
    # pQRNN has no unknown words: it gives each new word a new index.
    predict.main(['--model', str(out), 'Zxyq', 'Dull zxyq.', 'Brilliant'])
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3 and captured.err == ''
    assert 'is a bidirectional model' in error_of(
        visualize.main, '--model', out, 'Dull')


@pytest.mark.parametrize('arguments, message', [
    (['--data', 'nowhere'], 'there are no reviews in nowhere; --data accepts'),
    (['--test', '--glove', 'nowhere'], 'nowhere'),
    # An unset shell variable results in an empty argument.
    (['--test', '--glove', ''], 'No such file')])
def test_invalid_arguments(error_of, tmp_path, arguments, message):
    assert message in error_of(train.main, '--out', tmp_path, *arguments)
