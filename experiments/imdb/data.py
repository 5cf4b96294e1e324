"""Reviews as arrays of word indices, tokenized once and cached."""
import hashlib
import os
import sys

import chainer
import numpy

from experiments.common.cli import explained
from experiments.common.cli import UserError
from experiments.common.files import read_arrays


UNK = '<unk>'  # replaces words that are not in the vocabulary
PAD = -1  # pads reviews at the end
PARTS = 'train', 'dev', 'test'

_DEV_SHARE = .1  # share of the training reviews; not in the paper
_DEV_SEED = 0  # fixed, so all runs use the same development part
_ARRAYS = 'words', 'lengths', 'labels'  # attributes of Reviews


def load(source, min_count=1, number=None):
    """Return the reviews of a source as a :class:`Corpus`.

    The sources ``'sample'`` and None are reviews that the project generates.
    For others, see :func:`experiments.imdb.reviews.find_files`. Tokenized
    reviews are stored in Chainer's dataset cache.
    """
    if source in (None, 'sample'):
        return sample(min_count=min_count, number=number)
    from experiments.imdb import reviews
    from experiments.imdb import tokenizer
    names = reviews.find_files(source)

    def create(path):
        arrays = tokenizer.tokenize_all(reviews.read(names))
        with open(path, 'wb') as f:
            numpy.savez(f, **arrays)
        return arrays

    with explained('cannot cache the tokenized reviews: {}; set '
                   'CHAINER_DATASET_ROOT to another folder',
                   PermissionError, NotADirectoryError, FileExistsError):
        folder = chainer.dataset.get_dataset_directory('qrnn/imdb')
        tokenized = chainer.dataset.cache_or_load_file(
            os.path.join(folder, _cache_key(names, tokenizer.VERSION)
                         + '.npz'), create, read_arrays)
    if number is None and all(numpy.array_equal(
            *(tokenized[f'{part}_{name}'] for part in reviews.PARTS))
            for name in _ARRAYS):
        message = f'the train and test parts of {source} are the same reviews'
        if len(names) == 2:
            raise UserError(message + '; use other reviews for the test')
        _warn(message)
    corpus = Corpus(source, tokenized, min_count, number)
    uniform = [part for part in PARTS
               if numpy.ptp(getattr(corpus, part).labels) == 0]
    if uniform:
        _warn(f"{' and '.join(uniform)} of {source} contain reviews of one "
              'class only, so their accuracy has little meaning')
    return corpus


def _warn(message):
    print('warning: ' + message, file=sys.stderr)


def _cache_key(names, version):
    """Return a digest that changes with the files and the tokenizer."""
    facts = [version]
    for name in names:
        status = os.stat(name)
        facts += os.path.abspath(name), status.st_size, status.st_mtime_ns
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def sample(n_train=4000, n_test=1000, min_count=1, number=None):
    """Return a :class:`Corpus` of reviews that the project generates."""
    from experiments.imdb.sample import sample
    from experiments.imdb.tokenizer import tokenize_all
    return Corpus('sample', tokenize_all(sample(n_train, n_test)), min_count,
                  number)


class Corpus:
    """Reviews in three parts, as word indices, and their vocabulary.

    Args:
        source (str): Source of the reviews.
        tokenized (dict): Arrays for :class:`Reviews`, with keys such as
            ``'train_words'``. The array ``'types'`` contains the distinct
            words as UTF-8 text, with one word per line.
        min_count (int): Words that occur fewer times than this in the
            training part are not in the vocabulary.
        number (callable): Function that maps a word to its index, for example
            ``number`` of a trained model. By default, the vocabulary is
            created from the training part, without the development part.

    Attributes:
        vocabulary (list of str): Words in the order of their indices:
            ``'<unk>'``, then words by decreasing frequency. None if ``number``
            is given.
        train (Reviews): Reviews to train on.
        dev (Reviews): Reviews for choosing the best epoch, a fixed tenth of
            the source's training part.
        test (Reviews): Reviews for the final score.

    """

    def __init__(self, source, tokenized, min_count=1, number=None):
        self._source = source
        types = tokenized['types'].tobytes().decode().split('\n')
        train, self.test = (Reviews(*(
            tokenized[f'{part}_{name}'] for name in _ARRAYS))
            for part in ('train', 'test'))
        order = numpy.random.RandomState(_DEV_SEED).permutation(len(train))
        n_dev = int(_DEV_SHARE * len(order))
        if not n_dev:
            raise UserError(f'{source} has {len(order)} reviews to train on, '
                            'too few for a development part; use at least 10')
        self.dev = train.subset(order[:n_dev])
        self.train = train.subset(order[n_dev:])
        self.vocabulary = None
        if number is None:
            counts = numpy.bincount(self.train.words, minlength=len(types))
            self.vocabulary = [UNK] + [
                types[i] for i in numpy.argsort(-counts, kind='stable')
                if counts[i] >= min_count]
            number = number_of(self.vocabulary)
        numbers = numpy.array([number(word) for word in types], 'i')
        for part in self.train, self.dev, self.test:
            part.words = numbers[part.words]

    @property
    def facts(self):
        """The source, sizes and fingerprint of the data, as a dict."""
        digest = hashlib.sha256('\n'.join(self.vocabulary).encode())
        for part in self.train, self.dev, self.test:
            for name in _ARRAYS:
                digest.update(getattr(part, name).astype('<i4').tobytes())
        return {
            'source': self._source, 'vocabulary': len(self.vocabulary),
            'reviews': {part: len(getattr(self, part)) for part in PARTS},
            'fingerprint': digest.hexdigest()}

    def __str__(self):
        parts = ((name, getattr(self, name)) for name in PARTS)
        return '\n'.join([self._source + (
            '' if self.vocabulary is None else
            f': vocabulary of {len(self.vocabulary):,} words')] + [
            f'  {name:5}  {len(part):>6,} reviews '
            f'({100 * part.labels.mean():.0f} % positive)  '
            f'{len(part.words):>9,} words, '
            f'{100 * (part.words == 0).mean():.1f} % unknown'
            for name, part in parts])


class Reviews(chainer.dataset.DatasetMixin):
    """Data set of reviews. An example consists of word indices and a label.

    Args:
        words (numpy.ndarray): Concatenated word indices of all reviews,
            ``(n,)``.
        lengths (numpy.ndarray): Length of each review, ``(N,)``.
        labels (numpy.ndarray): 1 for a positive and 0 for a negative review,
            ``(N,)``.

    """

    def __init__(self, words, lengths, labels):
        self.words, self.lengths, self.labels = (
            numpy.asarray(array, 'i') for array in (words, lengths, labels))
        self._ends = numpy.cumsum(self.lengths)

    def __len__(self):
        return len(self.labels)

    def get_example(self, i):
        end = self._ends[i]
        return self.words[end - self.lengths[i]:end], self.labels[i]

    def subset(self, indices):
        """Return the reviews with the given indices (at least one)."""
        return Reviews(numpy.concatenate([self[i][0] for i in indices]),
                       self.lengths[indices], self.labels[indices])


def number_of(vocabulary):
    """Return a function that maps words to indices, and unknown words to 0."""
    numbers = {word: i for i, word in enumerate(vocabulary)}
    return lambda word: numbers.get(word, 0)


@chainer.dataset.converter()
def pad(examples, device):
    """Convert examples of :class:`Reviews` to a batch.

    This Chainer converter returns three arrays: int32 words, ``(B, T)`` with
    T >= 1, padded with -1; lengths, ``(B,)``, which stay on the CPU; and
    labels, ``(B,)``.
    """
    reviews, labels = zip(*examples)
    lengths = numpy.array([len(review) for review in reviews], 'i')
    words = numpy.full((len(reviews), max(1, lengths.max())), PAD, 'i')
    for row, review in zip(words, reviews):
        row[:len(review)] = review
    return device.send(words), lengths, device.send(numpy.array(labels, 'i'))
