"""Scores of a model: perplexity and BLEU."""
import dataclasses
import time
import warnings

import chainer
from chainer.training import extensions
from nltk.tokenize import TreebankWordTokenizer
from nltk.translate.bleu_score import corpus_bleu
import numpy

from experiments.common.batches import longest_first
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate
from experiments.iwslt.data import IGNORE_LABEL


BLEU_DEFINITION = (
    "NLTK's corpus_bleu: 1- to 4-grams, one reference, not smoothed, cased, "
    "tokens of NLTK's TreebankWordTokenizer")


def convert(examples, device):
    """Return the arguments of ``Translator.forward`` for a list of examples.

    The numbers of target characters stay on the CPU, because computing their
    sum on a GPU would require a synchronization.
    """
    *arrays, n_targets = chainer.dataset.concat_examples(
        examples, padding=IGNORE_LABEL)
    return (*device.send(arrays), n_targets)


def evaluator(model, corpus, part, batch_size=64):
    """Return an extension that reports a part's mean loss per character."""
    examples = corpus.examples(part)
    order = longest_first([len(target) for _, target, _, _ in examples])
    return extensions.Evaluator(
        chainer.iterators.SerialIterator(
            [examples[i] for i in order], batch_size, repeat=False,
            shuffle=False),
        model, lambda batch, _: convert(batch, model.device))


def scores(model, corpus):
    """Return a dict of a model's scores on the test part of a corpus."""
    loss = evaluator(model, corpus, 'test')()['main/loss']
    german, english = zip(*corpus.pairs['test'])
    search, start = Search(), time.time()
    hypotheses = [best.text for best, in translate(
        model, corpus.characters, german, search)]
    return {
        'perplexity': float(numpy.exp(loss)),
        'bleu': bleu(hypotheses, english),
        'bleu_definition': BLEU_DEFINITION,
        'search': dataclasses.asdict(search),
        'sentences_per_second': len(german) / (time.time() - start),
        **sacrebleu(hypotheses, english)}


def describe(scores):
    """Return the scores of :func:`scores` as text."""
    lines = [
        'Test perplexity: {perplexity:.3f} per character',
        'Test BLEU: {bleu:.2f} ({bleu_definition}; beam {search[width]}, '
        'criterion {search[criterion]}, alpha {search[alpha]})',
        'Test sentences per second: {sentences_per_second:.2f}']
    if 'sacrebleu' in scores:
        lines.append('Test sacreBLEU: {sacrebleu:.2f} ({sacrebleu_signature})')
    return '\n'.join(lines).format(**scores)


def bleu(hypotheses, references):
    """Return the BLEU of a corpus, from 0 to 100; see ``BLEU_DEFINITION``."""
    tokenize = TreebankWordTokenizer().tokenize
    with warnings.catch_warnings():
        # NLTK warns if there is no common 4-gram. Then BLEU is 0.
        warnings.simplefilter('ignore')
        return 100 * float(corpus_bleu(
            [[tokenize(reference)] for reference in references],
            [tokenize(hypothesis) for hypothesis in hypotheses]))


def sacrebleu(hypotheses, references):
    """Return a dict of sacreBLEU's score and signature.

    If sacreBLEU is not installed, the dict is empty.
    """
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        return {}
    metric = BLEU(tokenize='13a')
    score = metric.corpus_score(hypotheses, [references])
    return {'sacrebleu': float(score.score),
            'sacrebleu_signature': str(metric.get_signature())}
