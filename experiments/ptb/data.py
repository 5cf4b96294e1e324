"""Text for language models, from a folder, the web or the sample."""
import collections
import functools
import hashlib
import itertools

import numpy

from experiments.common.cli import UserError


EOS = '<eos>'  # word that marks the end of a line
UNK = '<unk>'  # replaces words that are not in the vocabulary

PARTS = 'train', 'valid', 'test'


def load(source, vocabulary=None):
    """Load the :class:`Corpus` of a source.

    The source is ``'sample'`` or None for the text that the project generates
    itself, ``'download'`` for the Penn Treebank from the web (stored in
    Chainer's dataset cache), or a folder with ``ptb.{train,valid,test}.txt``.
    The files contain one sentence per line and may be gzipped. Every line,
    even a blank line, ends with one ``<eos>``.
    """
    if source in (None, 'sample'):
        return sample(vocabulary=vocabulary)
    from experiments.ptb import sentences
    corpus = Corpus(source, sentences.read(source), vocabulary)
    for part in PARTS[1:]:
        if vocabulary is None and numpy.array_equal(
                getattr(corpus, part), corpus.train):
            raise UserError(f'ptb.{part}.txt of {source} has the same text as '
                            'ptb.train.txt; use another file')
    return corpus


def sample(n_train=5000, n_other=500, vocabulary=None):
    """Return a :class:`Corpus` of text that the project generates."""
    from experiments.ptb import grammar
    return Corpus('sample', grammar.sample(n_train, n_other, n_other),
                  vocabulary)


class Corpus:
    """Text in three parts, as int32 word indices, and its vocabulary.

    The vocabulary contains the words of the training part, unless the
    vocabulary of a trained model is given. Other words are read as ``<unk>``,
    which is added to the vocabulary of the training part if necessary.
    """

    def __init__(self, source, sentences, vocabulary=None):
        numbers = collections.defaultdict(None, zip(
            dict.fromkeys(vocabulary or [EOS]), itertools.count()))
        # A new word gets the next index.
        numbers.default_factory = numbers.__len__
        streams = {}
        for part in PARTS:
            streams[part] = _stream(sentences[part], (
                functools.partial(map, numbers.__getitem__)
                if part == 'train' and vocabulary is None else
                lambda words: map(numbers.get, words, itertools.repeat(-1))))
        n_unknown = {part: numpy.count_nonzero(stream < 0)
                     for part, stream in streams.items()}
        if any(n_unknown.values()):
            if vocabulary is not None and UNK not in numbers:
                raise UserError(
                    f'the model has no {UNK} for unknown words of {source}; '
                    'score it on text like its training part')
            for stream in streams.values():
                stream[stream < 0] = numbers[UNK]
        self.vocabulary = list(numbers)
        self.train, self.valid, self.test = streams.values()
        self._source = source
        self._lines = [f'{source}: vocabulary of {len(numbers):,} types'] + [
            f'  {part:5}  '
            f'{numpy.count_nonzero(stream == numbers[EOS]):>7,} lines  '
            f'{len(stream):>9,} tokens' + (
                f'  {n_unknown[part]:,} of them unknown, read as {UNK}'
                if n_unknown[part] else '')
            for part, stream in streams.items()]

    @property
    def eos(self):
        """Index of ``<eos>``, the end of a line."""
        return self.vocabulary.index(EOS)

    @property
    def facts(self):
        """The source, sizes and fingerprint of the data, as a dict."""
        digest = hashlib.sha256('\n'.join(self.vocabulary).encode())
        for part in PARTS:
            digest.update(numpy.ascontiguousarray(getattr(self, part), '<i4'))
        return {'source': self._source, 'vocabulary': len(self.vocabulary),
                'tokens': {part: len(getattr(self, part)) for part in PARTS},
                'fingerprint': digest.hexdigest()}

    def unigram_perplexity(self, part):
        """Return a part's perplexity under unigrams of the training part."""
        # bincount converts its argument to int64; splitting saves memory.
        counts = sum(
            numpy.bincount(chunk, minlength=len(self.vocabulary))
            for chunk in numpy.array_split(self.train, 100)).astype('f8')
        if not counts.all():
            counts += 1  # the training part may lack <unk>
        surprise = numpy.log(counts.sum()) - numpy.log(counts)
        return float(numpy.exp(surprise[getattr(self, part)].mean()))

    def __str__(self):
        return '\n'.join(self._lines)


def _stream(sentences, numbers):
    """Return the indices of all words and ends of lines, int32, ``(n,)``.

    ``numbers`` is a function that maps an iterable of words to their indices.
    If a sentence already ends with ``<eos>``, no other ``<eos>`` is added.
    """
    words = itertools.chain.from_iterable(
        words if words[-1:] == [EOS] else [*words, EOS] for words in sentences)
    return numpy.fromiter(numbers(words), 'i')
