import json
import os
import re
import shutil

import chainer
import numpy
import pytest

from experiments.imdb import data
from experiments.imdb import evaluate
from experiments.imdb import sample
from experiments.imdb.model import load


@pytest.fixture
def model(trained, tmp_path):
    """A folder with nothing but the model."""
    for name in 'model.json', 'model.npz':
        shutil.copy(os.path.join(trained[0], name), str(tmp_path))
    return tmp_path


def test_same_score_as_training(trained, model, capsys):
    evaluate.main(['--model', str(model)])
    out = capsys.readouterr().out
    for name in 'Development', 'Test':
        assert '{} accuracy: {:.2f} %\n'.format(
            name, trained[1][name.lower() + '_accuracy']) in out


@pytest.mark.parametrize('batch_size', [1, 7, 64])
def test_every_review_counts_once(trained, batch_size):
    model, description = load(trained[0])
    corpus = data.load(description['data']['source'], number=model.number)
    # 51 reviews, of which a batch of another size is left
    reviews = corpus.test.subset(numpy.arange(51))
    reviews.labels[:20] = 0
    hits = []
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for words, label in reviews:
            logits = model.logits(words[None], numpy.array([len(words)]))
            hits.append((logits.array[0] >= 0) == label)
    assert 0 < numpy.mean(hits) < 1
    assert evaluate.score(model, reviews, batch_size) == pytest.approx(
        numpy.mean(hits))


def test_other_reviews(model, tmp_path, write_lines, capsys):
    """The model's numbers of words count, whatever words the others have."""
    pairs = sample.sample(100, 100, seed=1)
    write_lines(tmp_path, test=pairs['test'], train=[
        (text, 1 - label) for text, label in pairs['train']])
    evaluate.main(['--model', str(model), '--data', str(tmp_path)])
    development, test = map(float, re.findall(
        r'accuracy: ([0-9.]+) %', capsys.readouterr().out))
    assert test > 90 and development < 10
    write_lines(tmp_path, test=[('Quite unheard of', 1), ('', 0)])
    evaluate.main(['--model', str(model), '--data', str(tmp_path)])
    assert '66.7 % unknown' in capsys.readouterr().out


def test_no_model(tmp_path, complaint):
    assert 'there is no trained model in' in complaint(
        evaluate.main, '--model', tmp_path)
    assert 'required' in complaint(evaluate.main)


@pytest.mark.parametrize('name, contents, says', [
    ('model.json', '{"experiment": "imdb"', 'is not JSON'),
    ('model.json', '{"experiment": "ptb"}', 'does not describe a model of'),
    ('model.json', '{"experiment": "imdb"}', 'model.json is damaged'),
    ('model.npz', 'PK', 'model.npz is damaged'),
    ('model.npz', None, 'model.npz is missing'),
])
def test_bad_model(model, complaint, name, contents, says):
    (model / name).unlink()
    if contents is not None:
        (model / name).write_text(contents)
    assert says in complaint(evaluate.main, '--model', model)


@pytest.mark.parametrize('change, says', [
    (lambda facts: facts['words'].pop(), 'do not fit'),
    (lambda facts: facts['settings'].update(n_units=8), 'do not fit'),
    (lambda facts: facts['settings'].update(color=8), 'is damaged'),
    (lambda facts: facts.pop('words'), 'is damaged'),
])
def test_parameters_of_another_model(model, complaint, change, says):
    facts = json.loads((model / 'model.json').read_text())
    change(facts)
    (model / 'model.json').write_text(json.dumps(facts))
    assert says in complaint(evaluate.main, '--model', model)


def test_reviews_are_gone(model, complaint):
    facts = json.loads((model / 'model.json').read_text())
    facts['data']['source'] = 'nowhere'
    (model / 'model.json').write_text(json.dumps(facts))
    assert 'there is no nowhere' in complaint(
        evaluate.main, '--model', model)
