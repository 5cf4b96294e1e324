"""BLEU, as NLTK computes it, and as sacreBLEU does where it is installed."""
import warnings

from nltk.tokenize import TreebankWordTokenizer
from nltk.translate.bleu_score import corpus_bleu


DEFINITION = (
    "NLTK's corpus_bleu: 1- to 4-grams, one reference, not smoothed, cased, "
    "tokens of NLTK's TreebankWordTokenizer")


def bleu(hypotheses, references):
    """BLEU of a corpus, from 0 to 100, by the :data:`DEFINITION` above.

    Args:
        hypotheses (list of str): Translations.
        references (list of str): What they should be, one for each.

    """
    tokenize = TreebankWordTokenizer().tokenize
    with warnings.catch_warnings():
        # Without a single common 4-gram it is 0, and NLTK says so at length.
        warnings.simplefilter('ignore')
        return 100 * float(corpus_bleu(
            [[tokenize(reference)] for reference in references],
            [tokenize(hypothesis) for hypothesis in hypotheses]))


def sacrebleu(hypotheses, references):
    """sacreBLEU's score and its signature, where it is installed.

    Returns:
        dict: ``'sacrebleu'`` and ``'sacrebleu_signature'``, or nothing.

    """
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        return {}
    metric = BLEU(tokenize='13a')
    score = metric.corpus_score(hypotheses, [references])
    return {'sacrebleu': float(score.score),
            'sacrebleu_signature': str(metric.get_signature())}
