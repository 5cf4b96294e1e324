"""Scores of a model on a part of a corpus: perplexity and BLEU."""
import dataclasses
import itertools
import time
import warnings

import chainer
from nltk.tokenize import TreebankWordTokenizer
from nltk.translate.bleu_score import corpus_bleu
import numpy

from experiments.common import communication
from experiments.common import sharing
from experiments.common.buckets import by_length
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate
from experiments.iwslt.data import IGNORE_LABEL


BLEU_DEFINITION = (
    "NLTK's corpus_bleu: 1- to 4-grams, one reference, not smoothed, cased, "
    "tokens of NLTK's TreebankWordTokenizer")


def bleu(hypotheses, references):
    """Return the BLEU of a corpus, from 0 to 100; see ``BLEU_DEFINITION``.

    Args:
        hypotheses (list of str): Translations.
        references (list of str): One for each.

    """
    tokenize = TreebankWordTokenizer().tokenize
    with warnings.catch_warnings():
        # Without a single common 4-gram it is 0, and NLTK says so at length.
        warnings.simplefilter('ignore')
        return 100 * float(corpus_bleu(
            [[tokenize(reference)] for reference in references],
            [tokenize(hypothesis) for hypothesis in hypotheses]))


def sacrebleu(hypotheses, references):
    """Return sacreBLEU's score and signature, where it is installed."""
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        return {}
    metric = BLEU(tokenize='13a')
    score = metric.corpus_score(hypotheses, [references])
    return {'sacrebleu': float(score.score),
            'sacrebleu_signature': str(metric.get_signature())}


def batch(examples, device=None):
    """Return the arguments of ``Translator.forward`` for some examples.

    The numbers of characters stay on the CPU: to add them up would wait for a
    GPU.
    """
    *arrays, counts = chainer.dataset.concat_examples(
        examples, padding=IGNORE_LABEL)
    if device is not None:
        arrays = device.send(arrays)
    return (*arrays, counts)


def n_targets(examples):
    """Return the number of characters that a loss is the mean over."""
    return sum(int(n) for _, _, _, n in examples)


def evaluator(model, corpus, part, batch_size=64,
              processes=communication.Alone()):
    """Return an extension that reports the loss of a part per character."""
    examples = corpus.examples(part)
    order = by_length([len(target) for _, target, _, _ in examples])
    return sharing.Evaluator(
        chainer.iterators.SerialIterator(
            [examples[i] for i in order], batch_size, repeat=False,
            shuffle=False),
        model, batch, processes)


def scores(model, corpus, part, search=Search(), batch_size=32,
           processes=communication.Alone()):
    """Score a model on a part of a corpus.

    Args:
        model (Translator): The model.
        corpus (Corpus): The pairs.
        part (str): Name of the part.
        search (Search): How to translate.
        batch_size (int): Number of sentences to translate at a time.
        processes (~experiments.common.communication.Alone): What takes part.

    Returns:
        tuple: The scores, a dict, and the translations, a list of str.

    """
    loss = evaluator(
        model, corpus, part, processes=processes)()['main/loss']
    german, english = zip(*getattr(corpus, part))
    start = time.time()
    ours = [best[0].text for best in translate(
        model, corpus.characters, processes.share(german), search, batch_size)]
    translations = list(itertools.chain(*processes.gather(ours)))
    seconds = time.time() - start
    return {
        'perplexity': float(numpy.exp(loss)),
        'bleu': bleu(translations, english),
        'bleu_definition': BLEU_DEFINITION,
        'search': dataclasses.asdict(search),
        'sentences_per_second': len(german) / seconds,
        **sacrebleu(translations, english),
    }, translations


def describe(part, scores):
    """Return the scores of a part in a few lines."""
    lines = [
        f'{part} perplexity: {scores["perplexity"]:.3f} per character',
        '{} BLEU: {:.2f} ({}; beam {width}, criterion {criterion}, alpha '
        '{alpha})'.format(part, scores['bleu'], scores['bleu_definition'],
                          **scores['search'])]
    if 'sacrebleu' in scores:
        lines.append('{} sacreBLEU: {sacrebleu:.2f} ({sacrebleu_signature})'
                     .format(part, **scores))
    lines.append(f'{part} sentences per second: '
                 f'{scores["sentences_per_second"]:.2f}')
    return '\n'.join(lines)
