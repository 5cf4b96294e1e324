"""Scores of a model on a part of a corpus: perplexity and BLEU."""
import dataclasses
import itertools
import time

import chainer
import numpy

from experiments.common import communication
from experiments.common import sharing
from experiments.common.buckets import by_length
from experiments.iwslt import bleu
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate
from experiments.iwslt.characters import NOTHING


def batch(examples, device=None):
    """Converter of :meth:`~experiments.iwslt.data.Corpus.examples`.

    Returns:
        tuple: The arguments of
        :meth:`~experiments.iwslt.model.Translator.forward`. The numbers of
        characters stay on the CPU: to add them up would wait for a GPU.

    """
    *arrays, counts = chainer.dataset.concat_examples(
        examples, padding=NOTHING)
    if device is not None:
        arrays = device.send(arrays)
    return (*arrays, counts)


def n_targets(examples):
    """Number of characters that a loss of examples is the mean over."""
    return sum(int(n) for _, _, _, n in examples)


def evaluator(model, corpus, part, batch_size=64,
              processes=communication.Alone()):
    """Trainer extension that reports the loss of a part per character."""
    examples = corpus.examples(part)
    order = by_length([len(target) for _, target, _, _ in examples])
    return sharing.Evaluator(
        chainer.iterators.SerialIterator(
            [examples[i] for i in order], batch_size, repeat=False,
            shuffle=False),
        model, batch, processes)


def scores(model, corpus, part, search=Search(), batch_size=32,
           processes=communication.Alone()):
    """Scores a model on a part of a corpus.

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
    outcome = {
        'perplexity': float(numpy.exp(loss)),
        'bleu': bleu.bleu(translations, english),
        'bleu_definition': bleu.DEFINITION,
        'search': dataclasses.asdict(search),
        'sentences_per_second': len(german) / seconds,
    }
    outcome.update(bleu.sacrebleu(translations, english))
    return outcome, translations


def describe(part, scores):
    """The scores of a part in a few lines."""
    lines = [
        '{} perplexity: {:.3f} per character'.format(
            part, scores['perplexity']),
        '{} BLEU: {:.2f} ({}; beam {width}, criterion {criterion}, alpha '
        '{alpha})'.format(part, scores['bleu'], scores['bleu_definition'],
                          **scores['search'])]
    if 'sacrebleu' in scores:
        lines.append('{} sacreBLEU: {sacrebleu:.2f} ({sacrebleu_signature})'
                     .format(part, **scores))
    lines.append('{} sentences per second: {:.2f}'.format(
        part, scores['sentences_per_second']))
    return '\n'.join(lines)
