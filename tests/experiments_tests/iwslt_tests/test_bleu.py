import sys
import types

import pytest

from experiments.iwslt import bleu


REFERENCES = ['The old dog sees the small red house.', 'A cat sleeps there.']


def test_limits():
    assert bleu.bleu(REFERENCES, REFERENCES) == pytest.approx(100)
    assert bleu.bleu(['', ''], REFERENCES) == 0
    assert bleu.bleu(['nothing', 'alike'], REFERENCES) == pytest.approx(0)


def test_by_hand(recwarn):
    # Tokens: a b c d e f . against a b c x e f . and one pair alike
    value = bleu.bleu(['a b c d e f.', 'k l m n o.'],
                      ['a b c x e f.', 'k l m n o.'])
    precisions = 12 / 13, 9 / 11, 6 / 9, 3 / 7  # a b c, e f . and k to .
    expected = 100
    for precision in precisions:
        expected *= precision ** .25
    assert value == pytest.approx(expected)
    # The brevity penalty
    short = bleu.bleu(['a b c d e'], ['a b c d e f'])
    assert short == pytest.approx(100 * 2.718281828 ** (1 - 6 / 5))
    assert not recwarn.list


def test_corpus_not_mean_of_sentences():
    hypotheses = ['The old dog sees the small red house.', 'A dog.']
    assert 30 < bleu.bleu(hypotheses, REFERENCES) < 90


def test_case_and_punctuation_count():
    whole = bleu.bleu(REFERENCES, REFERENCES)
    assert bleu.bleu([r.lower() for r in REFERENCES], REFERENCES) < whole - 5
    assert bleu.bleu([r.strip('.') for r in REFERENCES],
                     REFERENCES) < whole - 5
    # Tokens are split from punctuation before they are compared.
    assert bleu.bleu(['The dog, the cat.'],
                     ['The dog , the cat .']) == pytest.approx(100)


def test_no_common_four_words(recwarn):
    assert bleu.bleu(['a b c x y'], ['a b c d e']) == pytest.approx(0)
    assert not recwarn.list


def test_sacrebleu():
    metrics = pytest.importorskip('sacrebleu.metrics')
    outcome = bleu.sacrebleu(REFERENCES, REFERENCES)
    assert outcome['sacrebleu'] == pytest.approx(100)
    assert 'tok:13a' in outcome['sacrebleu_signature']
    assert metrics.BLEU().corpus_score(
        ['A dog sleeps there now.'], [['A cat sleeps there now.']]
    ).score == pytest.approx(bleu.sacrebleu(
        ['A dog sleeps there now.'], ['A cat sleeps there now.']
    )['sacrebleu'])


def test_without_sacrebleu(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sacrebleu', types.ModuleType('empty'))
    monkeypatch.setitem(sys.modules, 'sacrebleu.metrics', None)
    assert bleu.sacrebleu(REFERENCES, REFERENCES) == {}
