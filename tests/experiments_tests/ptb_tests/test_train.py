import dataclasses
import json
import os
import shutil

import pytest

from experiments.ptb import grammar
from experiments.ptb import train


def test_reaches_a_score(trained):
    out, result = trained
    assert result['test_perplexity'] < 60
    assert result['unigram_test_perplexity'] > 160
    curve = [entry['validation/perplexity'] for entry in result['curve']]
    assert sorted(curve, reverse=True) == curve


def test_output_files(trained):
    out, result = trained
    assert {'log', 'model.json', 'model.npz', 'result.json'} < set(
        os.listdir(out))
    assert len([name for name in os.listdir(out) if 'snapshot' in name]) == 2
    assert {
        'experiment', 'config', 'settings', 'data', 'seed', 'dtype',
        'parameters', 'epochs', 'best_epoch', 'validation_perplexity',
        'test_perplexity', 'seconds_per_epoch', 'starts', 'finished',
        'scored', 'curve'} < set(result)


def run(out, *arguments):
    train.main(['--test', '--out', str(out), *arguments])
    return json.loads((out / 'result.json').read_text())['curve']


def test_seed(tmp_path):
    losses = [run(tmp_path / str(i), '--seed', seed, '--epoch', '1')[0][
        'main/loss'] for i, seed in enumerate('001')]
    assert losses[0] == losses[1] != losses[2]


def test_learning_rate(tmp_path, monkeypatch):
    monkeypatch.setattr(train, 'TINY', dataclasses.replace(
        train.TINY, n_full_lr_epochs=2, lr_decay=.5))
    run(tmp_path, '--epoch', '3')
    curve = run(tmp_path, '--epoch', '4', '--resume')
    assert [entry['lr'] for entry in curve] == [1, 1, .5, .25]


def test_both_evaluations_of_zoneout(tmp_path, monkeypatch):
    curves = []
    for expectation in False, True:
        monkeypatch.setattr(train, 'TINY', dataclasses.replace(
            train.TINY, zoneout=.5, zoneout_expectation=expectation))
        curves.append(run(tmp_path / str(expectation)))
    names = ['validation/perplexity', 'validation_expectation/perplexity',
             'validation_identity/perplexity']
    for identity, expected in zip(*curves):
        assert identity['main/loss'] == expected['main/loss']
        assert identity[names[0]] == expected[names[2]]
        assert identity[names[1]] == expected[names[0]] != identity[names[0]]
    result = json.loads((tmp_path / 'True' / 'result.json').read_text())
    assert result['validation_perplexity'] == pytest.approx(
        min(entry[names[0]] for entry in curves[1]))


def test_as_a_command(python):
    process = python('-m', 'experiments.ptb.train', '--data', 'nowhere')
    assert process.returncode == 1 and not process.stdout
    assert process.stderr.startswith('error: there is no folder')
    assert process.stderr.count('\n') == 1


class TestEvalOnly:

    @pytest.fixture
    def model(self, trained, tmp_path):
        """Return a folder that contains only the model."""
        for name in 'model.json', 'model.npz':
            shutil.copy(os.path.join(trained[0], name), str(tmp_path))
        return tmp_path

    def test_same_score_as_training(self, trained, model, capsys):
        train.main(['--eval-only', str(model)])
        out = capsys.readouterr().out
        for name, part in ('Validation', 'validation'), ('Test', 'test'):
            score = trained[1][f'{part}_perplexity']
            assert f'{name} perplexity: {score:.2f}\n' in out

    def test_other_text(self, model, tmp_path, capsys, error_of):
        for part, sentences in grammar.sample(20, 20, 20, seed=1).items():
            (tmp_path / f'ptb.{part}.txt').write_text(
                '\n'.join(map(' '.join, sentences)))
        train.main(['--eval-only', str(model), '--data', str(tmp_path)])
        assert 'Test perplexity' in capsys.readouterr().out
        (tmp_path / 'ptb.test.txt').write_text('quite unheard of')
        assert 'the model has no <unk>' in error_of(
            train.main, '--eval-only', model, '--data', tmp_path)

    def test_parameters_of_another_model(self, model, error_of):
        description = json.loads((model / 'model.json').read_text())
        description['settings']['n_units'] = 8
        (model / 'model.json').write_text(json.dumps(description))
        assert 'does not contain a model of experiments.ptb' in error_of(
            train.main, '--eval-only', model)
