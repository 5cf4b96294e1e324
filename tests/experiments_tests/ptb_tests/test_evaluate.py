import json
import os
import shutil

import pytest

from experiments.ptb import evaluate
from experiments.ptb import grammar


@pytest.fixture
def model(trained, tmp_path):
    """A folder with nothing but the model."""
    for name in 'model.json', 'model.npz':
        shutil.copy(os.path.join(trained[0], name), str(tmp_path))
    return tmp_path


def test_same_score_as_training(trained, model, capsys):
    evaluate.main(['--model', str(model)])
    out = capsys.readouterr().out
    assert 'Validation perplexity: {:.2f}\n'.format(
        trained[1]['validation_perplexity']) in out
    assert 'Test perplexity: {:.2f}\n'.format(
        trained[1]['test_perplexity']) in out


def test_other_text(model, tmp_path, capsys, complaint):
    for part, sentences in grammar.sample(20, 20, 20, seed=1).items():
        (tmp_path / 'ptb.{}.txt'.format(part)).write_text(
            '\n'.join(map(' '.join, sentences)))
    evaluate.main(['--model', str(model), '--data', str(tmp_path)])
    assert 'Test perplexity' in capsys.readouterr().out
    (tmp_path / 'ptb.test.txt').write_text('quite unheard of')
    assert 'the model has no <unk>' in complaint(
        evaluate.main, '--model', model, '--data', tmp_path)


def test_no_model(tmp_path, complaint):
    assert 'there is no trained model in' in complaint(
        evaluate.main, '--model', tmp_path)
    assert 'required' in complaint(evaluate.main)


@pytest.mark.parametrize('name, contents, says', [
    ('model.json', '{"experiment": "ptb"', 'is not JSON'),
    ('model.json', '{"experiment": "imdb"}', 'does not describe a model of'),
    ('model.json', '{"experiment": "ptb"}', 'model.json is damaged'),
    ('model.npz', 'PK', 'model.npz is damaged'),
    ('model.npz', None, 'model.npz is missing'),
])
def test_bad_model(model, complaint, name, contents, says):
    (model / name).unlink()
    if contents is not None:
        (model / name).write_text(contents)
    assert says in complaint(evaluate.main, '--model', model)


def test_parameters_of_another_model(model, complaint):
    description = json.loads((model / 'model.json').read_text())
    description['settings']['n_units'] = 8
    (model / 'model.json').write_text(json.dumps(description))
    assert 'do not fit' in complaint(evaluate.main, '--model', model)
