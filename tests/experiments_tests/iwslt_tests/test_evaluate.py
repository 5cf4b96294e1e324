import os
import shutil

import pytest

from experiments.iwslt import evaluate


@pytest.fixture
def model(trained, tmp_path):
    """A folder with nothing but the model."""
    for name in 'model.json', 'model.npz':
        shutil.copy(os.path.join(trained[0], name), str(tmp_path))
    return tmp_path


@pytest.fixture
def folder(tmp_path):
    """Pairs of the sample's kind."""
    pairs = [('Der Hund sieht die Katze.', 'The dog sees the cat.'),
             ('Eine Frau malt ein Glas.', 'A woman paints a glass.')]
    for part in 'train', 'dev', 'test':
        for language, lines in zip(('de', 'en'), zip(*pairs)):
            (tmp_path / '{}.{}'.format(part, language)).write_text(
                '\n'.join(lines))
    return tmp_path


def test_other_pairs(model, folder, capsys):
    evaluate.main(['-m', str(model), '--data', str(folder), '--out',
                   str(folder / 'translations')])
    out = capsys.readouterr().out
    assert 'Test perplexity: ' in out
    assert "BLEU: " in out and "NLTK's corpus_bleu: 1- to 4-grams" in out
    assert 'beam 8, criterion paper, alpha 0.6)' in out
    assert 'sentences per second' in out
    lines = (folder / 'translations').read_text().splitlines()
    assert len(lines) == 2 and all(lines)


def test_same_score_as_training(trained, model, folder, capsys, monkeypatch):
    from experiments.iwslt import grammar
    sample = grammar.sample
    monkeypatch.setattr(grammar, 'sample', lambda: sample(1500, 10, 10))
    evaluate.main(['--model', str(model)])
    out = capsys.readouterr().out
    assert 'Test perplexity: {:.3f} per'.format(
        trained[1]['test_perplexity']) in out
    assert 'Test BLEU: {:.2f} ('.format(trained[1]['test_bleu']) in out


def test_search(model, folder, capsys, complaint):
    arguments = ['-m', str(model), '--data', str(folder)]
    evaluate.main(arguments + ['--part', 'dev', '--beam', '2', '--criterion',
                               'gnmt', '--alpha', '1'])
    assert 'beam 2, criterion gnmt, alpha 1.0)' in capsys.readouterr().out
    assert 'a number from 0 to 1' in complaint(
        evaluate.main, *arguments, '--alpha', '1.5')
    assert 'invalid choice' in complaint(
        evaluate.main, *arguments, '--criterion', 'best')


def test_no_model(tmp_path, complaint):
    assert 'there is no trained model in' in complaint(
        evaluate.main, '--model', tmp_path)
