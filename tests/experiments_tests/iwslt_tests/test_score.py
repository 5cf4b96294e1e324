import pytest

from experiments.iwslt.score import bleu
from experiments.iwslt.score import sacrebleu


REFERENCES = ['The old dog sees the small red house.', 'A cat sleeps there.']


def test_by_hand(recwarn):
    # The first pair differs in one token; the second pair is equal.
    value = bleu(['a b c d e f.', 'k l m n o.'],
                 ['a b c x e f.', 'k l m n o.'])
    expected = 100
    for precision in 12 / 13, 9 / 11, 6 / 9, 3 / 7:
        expected *= precision ** .25
    assert value == pytest.approx(expected)
    # A short translation has a brevity penalty.
    assert bleu(['a b c d e'], ['a b c d e f']) == pytest.approx(
        100 * 2.718281828 ** (1 - 6 / 5))
    assert bleu(['a b c x y'], ['a b c d e']) == pytest.approx(0)
    assert not recwarn.list


def test_case_and_punctuation_matter():
    assert bleu(REFERENCES, REFERENCES) == pytest.approx(100)
    assert bleu([r.lower() for r in REFERENCES], REFERENCES) < 95
    assert bleu([r.strip('.') for r in REFERENCES], REFERENCES) < 95


def test_sacrebleu(monkeypatch):
    metrics = pytest.importorskip('sacrebleu.metrics')
    ours, theirs = ['A dog sleeps there now.'], ['A cat sleeps there now.']
    outcome = sacrebleu(ours, theirs)
    assert outcome['sacrebleu'] == pytest.approx(
        metrics.BLEU().corpus_score(ours, [theirs]).score)
    assert 'tok:13a' in outcome['sacrebleu_signature']
    monkeypatch.setitem(
        __import__('sys').modules, 'sacrebleu.metrics', None)
    assert sacrebleu(ours, theirs) == {}
