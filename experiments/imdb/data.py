"""Reviews as numbers: tokenised once, kept, split and numbered."""
import concurrent.futures
from concurrent.futures.process import BrokenProcessPool
import contextlib
import hashlib
import itertools
import json
import os
import sys

import chainer
import numpy

from experiments.common.arrays import read_arrays
from experiments.common.errors import explained
from experiments.common.errors import Problem
from experiments.imdb import reviews
from experiments.imdb import sample
from experiments.imdb import tokens


UNK = '<unk>'  # any word that the vocabulary does not have
PARTS = 'train', 'dev', 'test'

_DEV_SHARE = .1  # of the training part; the paper does not say
_DEV_SEED = 0  # the same development part in every run


def load(source, min_count=1, number=None):
    """Loads, splits and numbers reviews.

    What the tokeniser makes of a source is kept in Chainer's dataset cache.

    Args:
        source (str): ``'sample'`` for reviews that the project makes itself,
            or as in :func:`experiments.imdb.reviews.files`.
        min_count (int): As in :class:`Corpus`.
        number: As in :class:`Corpus`.

    Returns:
        Corpus: The numbered reviews.

    """
    if source == 'sample':
        return sample_corpus(min_count=min_count, number=number)
    names = reviews.files(source)
    folder = chainer.dataset.get_dataset_directory('qrnn/imdb', False)
    path = os.path.join(folder, _digest(names) + '.npz')

    def create(path):
        return _save(path, _tokenised(reviews.read(names)))

    with explained('cannot keep the tokenised reviews in {}: {{}}; set '
                   'CHAINER_DATASET_ROOT to another folder'.format(folder),
                   PermissionError, NotADirectoryError, FileExistsError):
        os.makedirs(folder, exist_ok=True)
        try:
            parts = chainer.dataset.cache_or_load_file(path, create, _load)
        except _Damaged:
            os.remove(path)
            parts = chainer.dataset.cache_or_load_file(path, create, _load)
    return Corpus(source, parts, min_count, number)


def sample_corpus(n_train=4000, n_test=1000, min_count=1, number=None):
    """Reviews that the project makes. See :func:`~experiments.imdb.sample`."""
    texts = sample.sample(n_train, n_test)
    return Corpus('sample', _tokenised(texts), min_count, number)


class Reviews(chainer.dataset.DatasetMixin):

    """Reviews one after the other.

    Each example is a pair of int32 word numbers, ``(T,)``, and the label, an
    int32 scalar, 0 for a negative and 1 for a positive review.

    Args:
        words (numpy.ndarray): Words of all reviews in a row, ``(n,)``.
        lengths (numpy.ndarray): Number of words of each, ``(N,)``.
        labels (numpy.ndarray): Label of each, ``(N,)``.

    """

    def __init__(self, words, lengths, labels):
        self.words = words
        self.lengths = lengths
        self.labels = labels.astype('i')
        self._ends = numpy.cumsum(lengths)

    def __len__(self):
        return len(self.labels)

    def get_example(self, i):
        end = self._ends[i]
        return self.words[end - self.lengths[i]:end], self.labels[i]

    def take(self, which):
        """The reviews with the given indices."""
        words = [self[i][0] for i in which]
        return Reviews(
            numpy.concatenate(words) if words else self.words[:0],
            self.lengths[which], self.labels[which])


class Corpus(object):

    """Numbered reviews in three parts, and the words behind the numbers.

    Args:
        source (str): Where they come from.
        parts (tuple): The types, a list of str, and for ``'train'`` and
            ``'test'`` the :class:`Reviews`, numbered by these types.
        min_count (int): How often a word must occur in the training part to
            be in the vocabulary.
        number: Function from a word to its number, that of a trained model
            for instance. By default words are numbered by the vocabulary of
            the training part, without the development part; number 0 is
            ``<unk>``, all other words.

    Attributes:
        vocabulary (list of str): Word of each number, ``V`` of them, or
            ``None`` if ``number`` is given.
        train (Reviews): To train on.
        dev (Reviews): A fixed tenth of the training reviews, to choose the
            best epoch by.
        test (Reviews): To score.

    """

    def __init__(self, source, parts, min_count=1, number=None):
        self.source = source
        types, whole = parts
        order = numpy.random.RandomState(_DEV_SEED).permutation(
            len(whole['train']))
        n_dev = int(_DEV_SHARE * len(order))
        if not n_dev:
            raise Problem('{} has {} reviews to train on, too few to hold '
                          'some out'.format(source, len(order)))
        self.dev, self.train = [
            whole['train'].take(which)
            for which in (order[:n_dev], order[n_dev:])]
        self.test = whole['test']
        self.vocabulary = None
        if number is None:
            self.vocabulary = _frequent(types, self.train.words, min_count)
            number = number_of(self.vocabulary)
        renumber = numpy.array([number(word) for word in types], 'i')
        for part in PARTS:
            numbered = getattr(self, part)
            numbered.words = renumber[numbered.words]

    @property
    def fingerprint(self):
        """Hexadecimal digest of all that training depends on."""
        digest = hashlib.sha256('\n'.join(self.vocabulary).encode())
        for part in PARTS:
            each = getattr(self, part)
            for array in each.words, each.lengths, each.labels:
                digest.update(array.astype('<i4').tobytes())
        return digest.hexdigest()

    def __str__(self):
        lines = [self.source]
        if self.vocabulary is not None:
            lines[0] += ': vocabulary of {:,} words'.format(
                len(self.vocabulary))
        for part in PARTS:
            each = getattr(self, part)
            lines.append(
                '  {:5}  {:>6,} reviews ({:.0f} % positive)  {:>9,} words, '
                '{:.1f} % unknown'.format(
                    part, len(each), 100 * each.labels.mean(),
                    len(each.words), 100 * (each.words == 0).mean()))
        return '\n'.join(lines)


def number_of(vocabulary):
    """Function from a word to its number, 0 if it is not in a vocabulary."""
    numbers = dict(zip(vocabulary, itertools.count()))
    return lambda word: numbers.get(word, 0)


def _frequent(types, words, min_count):
    """The vocabulary, the most frequent word first."""
    counts = numpy.bincount(words, minlength=len(types))
    order = numpy.argsort(-counts, kind='stable')
    return [UNK] + [types[i] for i in order if counts[i] >= min_count]


def _tokenised(texts):
    """Types and numbered reviews of texts with their labels."""
    numbers, parts = {}, {}
    n_done, n_all = 0, sum(map(len, texts.values()))
    with _pool() as pool:
        for part, pairs in texts.items():
            words, lengths = [], []
            for each in pool.map(
                    tokens.tokenize, (text for text, _ in pairs),
                    chunksize=100):
                lengths.append(len(each))
                words.append(numpy.array(
                    [numbers.setdefault(word, len(numbers)) for word in each],
                    'i'))
                n_done += 1
                if n_done % 5000 == 0:
                    print('{:,} of {:,} reviews tokenised'.format(
                        n_done, n_all), file=sys.stderr)
            parts[part] = Reviews(
                numpy.concatenate(words), numpy.array(lengths, 'i'),
                numpy.array([label for _, label in pairs], 'i'))
    return list(numbers), parts


@contextlib.contextmanager
def _pool():
    """Processes on every core.

    Those of ``multiprocessing.Pool`` would be waited for in vain when they
    were killed, as Ctrl-C in a terminal kills them.
    """
    pool = concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        with explained('a process that tokenised reviews was killed; is there '
                       'enough memory?', BrokenProcessPool):
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _save(path, tokenised):
    types, parts = tokenised
    arrays = {'types': numpy.frombuffer(json.dumps(types).encode(), 'u1')}
    for part, each in parts.items():
        for name in 'words', 'lengths', 'labels':
            arrays[part + '_' + name] = getattr(each, name)
    with open(path, 'wb') as f:
        numpy.savez(f, **arrays)
    return tokenised


class _Damaged(Exception):
    pass


def _load(path):
    try:
        arrays = read_arrays(path)
        types = json.loads(arrays['types'].tobytes().decode())
        if not all(isinstance(word, str) for word in types):
            raise TypeError
        return types, {part: _checked(len(types), *(
            arrays[part + '_' + name].astype('i', casting='safe')
            for name in ('words', 'lengths', 'labels')))
            for part in reviews.PARTS}
    except (Problem, KeyError, TypeError, ValueError, RecursionError):
        raise _Damaged


def _checked(n_types, words, lengths, labels):
    """Reviews of arrays that fit together."""
    if ((words.ndim, lengths.ndim, labels.ndim) != (1, 1, 1)
            or len(lengths) != len(labels)
            or (lengths < 0).any() or lengths.sum(dtype='i8') != len(words)
            or ((words < 0) | (words >= n_types)).any()
            or ((labels < 0) | (labels > 1)).any()):
        raise ValueError
    return Reviews(words, lengths, labels)


def _digest(names):
    """Changes when a file does, or the tokeniser."""
    facts = [tokens.VERSION]
    # Names within the source, so that it can be moved; they hold the labels.
    root = os.path.commonpath([os.path.dirname(name) for name in names])
    for name in names:
        state = os.stat(name)
        facts.append([os.path.relpath(name, root or os.curdir), state.st_size,
                      state.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
