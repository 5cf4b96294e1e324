"""Reviews as word numbers, tokenized once and cached."""
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import ctypes
import hashlib
import itertools
import multiprocessing
import os
import re
import signal
import sys

import chainer
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters
from nltk.tokenize.punkt import PunktSentenceTokenizer
import numpy

from experiments.common import files
from experiments.common.cli import explained
from experiments.common.cli import UserError
from experiments.imdb import reviews


UNK = '<unk>'  # any word that is not in the vocabulary
PAD = -1  # number of the padding after the end of a review
PARTS = 'train', 'dev', 'test'

_DEV_SHARE = .1  # share of the training part; not in the paper
_DEV_SEED = 0  # the same development part in every run
_ARRAYS = 'words', 'lengths', 'labels'  # of Reviews


def load(source, min_count=1, number=None):
    """Return the reviews of a source as a :class:`Corpus`.

    The source is ``'sample'`` or None for reviews that the project generates
    itself, or a source of :func:`experiments.imdb.reviews.find_files`.
    Tokenized reviews are kept in Chainer's dataset cache.
    """
    if source in (None, 'sample'):
        return sample(min_count=min_count, number=number)
    names = reviews.find_files(source)

    def create(path):
        arrays = _tokenize(reviews.read(names))
        with open(path, 'wb') as f:
            numpy.savez(f, **arrays)
        return arrays

    with explained('cannot cache the tokenized reviews: {}; set '
                   'CHAINER_DATASET_ROOT to another folder',
                   PermissionError, NotADirectoryError, FileExistsError):
        folder = chainer.dataset.get_dataset_directory('qrnn/imdb')
        tokenized = chainer.dataset.cache_or_load_file(
            os.path.join(folder, _cache_key(names) + '.npz'), create,
            files.read_arrays)
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


def sample(n_train=4000, n_test=1000, min_count=1, number=None):
    """Return reviews that the project generates itself."""
    from experiments.imdb.sample import sample
    return Corpus('sample', _tokenize(sample(n_train, n_test)), min_count,
                  number)


class Corpus:
    """Numbered reviews in three parts, with their vocabulary.

    Args:
        source (str): Source of the reviews.
        tokenized (dict): Arrays of :class:`Reviews`, for example
            ``'train_words'``, and ``'types'``, the numbered words, UTF-8 with
            a word per line.
        min_count (int): Number of occurrences in the training part that a
            word requires to be in the vocabulary.
        number (callable): Function from a word to its number, for example of
            a trained model. By default words are numbered by the vocabulary
            of the training part, without the development part.

    Attributes:
        vocabulary (list of str): Word of each number, ``'<unk>'`` first and
            then by frequency, or None if ``number`` is given.
        train (Reviews): To train on.
        dev (Reviews): A fixed tenth of the training reviews, to choose the
            best epoch by.
        test (Reviews): To score.

    """

    def __init__(self, source, tokenized, min_count=1, number=None):
        self._source = source
        types = tokenized['types'].tobytes().decode().split('\n')
        train, self.test = (Reviews(*(
            tokenized[f'{part}_{name}'] for name in _ARRAYS))
            for part in reviews.PARTS)
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
        """Source, sizes and fingerprint of the data, as plain values."""
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
    """Data set of pairs of int32 word numbers, ``(T,)``, and a label.

    Args:
        words (numpy.ndarray): Concatenated words of all reviews, ``(n,)``.
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
        """Return the reviews at an array of one or more indices."""
        return Reviews(numpy.concatenate([self[i][0] for i in indices]),
                       self.lengths[indices], self.labels[indices])


def number_of(vocabulary):
    """Return the function from a word to its number, 0 if it is unknown."""
    numbers = {word: i for i, word in enumerate(vocabulary)}
    return lambda word: numbers.get(word, 0)


@chainer.dataset.converter()
def pad(examples, device):
    """Converter of Chainer that makes a batch of examples of :class:`Reviews`.

    It returns int32 words, ``(B, T)`` with T >= 1, padded with -1; lengths,
    ``(B,)``, which stay on the CPU; and labels, ``(B,)``.
    """
    reviews, labels = zip(*examples)
    lengths = numpy.array([len(review) for review in reviews], 'i')
    words = numpy.full((len(reviews), max(1, lengths.max())), PAD, 'i')
    for row, review in zip(words, reviews):
        row[:len(review)] = review
    return device.send(words), lengths, device.send(numpy.array(labels, 'i'))


# A short list of abbreviations, because NLTK's list must be downloaded
_parameters = PunktParameters()
_parameters.abbrev_types = set(
    'mr mrs ms dr jr sr st prof vs etc e.g i.e lt col gen sgt capt'.split())
_sentence_tokenizer = PunktSentenceTokenizer(_parameters)
_word_tokenizer = NLTKWordTokenizer()
_TOKENIZER_VERSION = 1  # part of the cache key; increase it with each change


def tokenize(text):
    """Split a text into words and punctuation, cased, without HTML breaks.

    Sentences are split first, because the tokenizer of the Penn Treebank
    splits off a full stop only at the end of its input.

    .. admonition:: Example

        >>> from experiments.imdb.data import tokenize
        >>> tokenize('It is good.<br /><br />Mr. X "acts", I can\\'t.')
        ['It', 'is', 'good', '.', 'Mr.', 'X', '"', 'acts', '"', ',', 'I', \
'ca', "n't", '.']

    """
    text = re.sub(r'<br\s*/?>', ' ', text, flags=re.IGNORECASE)
    text = re.sub(r'(?<=[a-z][.!?])(?=[A-Z])', ' ', text)
    return ['"' if word in ('``', "''") else word
            for sentence in _sentence_tokenizer.tokenize(text)
            for word in _word_tokenizer.tokenize(sentence)]


def _tokenize(texts):
    """Return the arrays of labelled texts; see :class:`Corpus`."""
    numbers, arrays = {}, {}
    tokenized = _map(tokenize, [
        text for pairs in texts.values() for text, _ in pairs])
    for part, pairs in texts.items():
        words, lengths = [], []
        for tokens in itertools.islice(tokenized, len(pairs)):
            lengths.append(len(tokens))
            words += [numbers.setdefault(word, len(numbers))
                      for word in tokens]
        for name, array in zip(_ARRAYS, (
                words, lengths, [label for _, label in pairs])):
            arrays[f'{part}_{name}'] = numpy.array(array, 'i')
    arrays['types'] = numpy.frombuffer('\n'.join(numbers).encode(), 'u1')
    return arrays


# Starting processes takes as long as tokenizing this many characters.
_MANY = 10 ** 6


def _map(function, texts):
    """Apply a function to texts, in several processes if there are many."""
    n_processes = min(8, len(os.sched_getaffinity(0)))
    if n_processes == 1 or sum(map(len, texts)) < _MANY:
        yield from map(function, texts)
        return
    # Spawned, not forked, because this process may have threads
    with explained('a process that tokenized reviews was killed; free some '
                   'memory and try again', BrokenProcessPool), \
            ProcessPoolExecutor(
                n_processes, multiprocessing.get_context('spawn'),
                _set_up_worker) as pool:
        yield from pool.map(function, texts, chunksize=100)


def _set_up_worker():
    """End this process with its parent, and let the parent handle Ctrl-C."""
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cache_key(names):
    """Return a digest that changes with the files and the tokenizer."""
    facts = [_TOKENIZER_VERSION]
    for name in names:
        status = os.stat(name)
        facts += os.path.abspath(name), status.st_size, status.st_mtime_ns
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def bag_of_words_accuracies(corpus, bigrams=False):
    """Return a dict of the accuracies of a baseline on dev and test reviews.

    The baseline is a logistic regression with L2, trained by 150 steps of
    Adam on the whole training part. Its features are the words that occur in a
    review and, with ``bigrams``, the pairs of adjacent words.
    """
    def logits(n_reviews):
        return w[-1] + numpy.bincount(rows, w[features], n_reviews)

    size = len(corpus.vocabulary)
    rows, n_grams = _occurrences(corpus.train, size, bigrams)
    known, features = numpy.unique(n_grams, return_inverse=True)
    w = numpy.zeros(len(known) + 1)  # the last is the bias
    m, v = numpy.zeros_like(w), numpy.zeros_like(w)
    for t in range(1, 151):
        p = 1 / (1 + numpy.exp(-logits(len(corpus.train))))
        error = p - corpus.train.labels
        g = numpy.bincount(features, error[rows], len(w))
        g[-1] = error.sum()
        g = g / len(p) + 1e-4 * w
        m += .1 * (g - m)
        v += .001 * (g * g - v)
        w -= .1 * m / (1 - .9 ** t) / (
            numpy.sqrt(v / (1 - .999 ** t)) + 1e-8)
    accuracies = {}
    for name, part in ('dev', corpus.dev), ('test', corpus.test):
        rows, n_grams = _occurrences(part, size, bigrams)
        is_known = numpy.isin(n_grams, known)
        rows = rows[is_known]
        features = numpy.searchsorted(known, n_grams[is_known])
        accuracies[name] = float(
            ((logits(len(part)) >= 0) == part.labels).mean())
    return accuracies


def _occurrences(reviews, size, bigrams):
    """Return the row and number of each distinct n-gram of each review.

    Numbers of words are below ``size``; numbers of pairs are larger.
    """
    rows = numpy.repeat(numpy.arange(len(reviews)), reviews.lengths)
    n_grams = words = reviews.words.astype('i8')
    if bigrams:
        same = rows[1:] == rows[:-1]
        pairs = size * (1 + words[:-1]) + words[1:]
        n_grams = numpy.concatenate((words, pairs[same]))
        rows = numpy.concatenate((rows, rows[1:][same]))
    end = size * (1 + size)
    return numpy.divmod(numpy.unique(rows * end + n_grams), end)
