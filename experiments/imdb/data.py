"""Reviews as numbers: tokenized once, cached, split and numbered."""
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import hashlib
import json
import os
import re

import chainer
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters
from nltk.tokenize.punkt import PunktSentenceTokenizer
import numpy

from experiments.common.arrays import read_arrays
from experiments.common.errors import explained
from experiments.common.errors import Problem
from experiments.imdb import reviews
from experiments.imdb.sample import sample


UNK = '<unk>'  # any word that the vocabulary does not have
PAD = -1  # number that stands past the end of a review
PARTS = 'train', 'dev', 'test'

_DEV_SHARE = .1  # of the training part; the paper does not say
_DEV_SEED = 0  # the same development part in every run
_TOKENIZER_VERSION = 1  # to be raised when tokenize changes: the cache's key
_ARRAYS = 'words', 'lengths', 'labels'


def load(source, min_count=1, number=None):
    """Load, split and number reviews.

    Tokenized reviews are kept in Chainer's dataset cache.

    Args:
        source (str): ``'sample'`` for generated reviews, or as in
            :func:`experiments.imdb.reviews.find_files`.
        min_count (int): As in :class:`Corpus`.
        number: As in :class:`Corpus`.

    Returns:
        Corpus: The numbered reviews.

    Raises:
        Problem: If the reviews cannot be read or cached.

    """
    if source == 'sample':
        return sample_corpus(min_count=min_count, number=number)
    names = reviews.find_files(source)
    with explained('cannot cache the tokenized reviews: {}; set '
                   'CHAINER_DATASET_ROOT to another folder',
                   PermissionError, NotADirectoryError, FileExistsError):
        folder = chainer.dataset.get_dataset_directory('qrnn/imdb')
        tokenized = chainer.dataset.cache_or_load_file(
            os.path.join(folder, _cache_key(names) + '.npz'),
            lambda path: _save(path, _tokenize(reviews.read(names))), _load)
    return Corpus(source, tokenized, min_count, number)


def sample_corpus(n_train=4000, n_test=1000, min_count=1, number=None):
    """Return generated reviews; see :mod:`experiments.imdb.sample`."""
    tokenized = _tokenize(sample(n_train, n_test))
    return Corpus('sample', tokenized, min_count, number)


class Reviews(chainer.dataset.DatasetMixin):

    """Data set of reviews.

    Each example is a pair of int32 word numbers, ``(T,)``, and the label, an
    int32 scalar, 0 for a negative and 1 for a positive review.

    Args:
        words (numpy.ndarray): Concatenated words of all reviews, ``(n,)``.
        lengths (numpy.ndarray): Number of words of each, ``(N,)``.
        labels (numpy.ndarray): Label of each, ``(N,)``.

    """

    def __init__(self, words, lengths, labels):
        self.words = numpy.asarray(words, 'i')
        self.lengths = numpy.asarray(lengths, 'i')
        self.labels = numpy.asarray(labels, 'i')
        self._ends = numpy.cumsum(self.lengths)

    def __len__(self):
        return len(self.labels)

    def get_example(self, i):
        end = self._ends[i]
        return self.words[end - self.lengths[i]:end], self.labels[i]

    def subset(self, indices):
        """Return the reviews at an array of indices, which is not empty."""
        return Reviews(numpy.concatenate([self[i][0] for i in indices]),
                       self.lengths[indices], self.labels[indices])


class Corpus:

    """Numbered reviews in three parts, and the words behind the numbers.

    Args:
        source (str): Where they come from.
        tokenized (tuple): The types, a list of str, and a dict of the
            :class:`Reviews`, ``'train'`` and ``'test'``, numbered by them.
        min_count (int): How often a word must occur in the training part to
            be in the vocabulary.
        number: Function from a word to its number, that of a trained model
            for instance. By default words are numbered by the vocabulary of
            the training part, without the development part.

    Attributes:
        vocabulary (list of str): Word of each number, ``'<unk>'`` first and
            then by frequency, or ``None`` if ``number`` is given.
        train (Reviews): To train on.
        dev (Reviews): A fixed tenth of the training reviews, to choose the
            best epoch by.
        test (Reviews): To score.

    Raises:
        Problem: If there are too few reviews to hold some out.

    """

    def __init__(self, source, tokenized, min_count=1, number=None):
        self.source = source
        types, parts = tokenized
        order = numpy.random.RandomState(_DEV_SEED).permutation(
            len(parts['train']))
        n_dev = int(_DEV_SHARE * len(order))
        if not n_dev:
            raise Problem(f'{source} has {len(order)} reviews to train on, '
                          'too few to hold some out')
        self.dev = parts['train'].subset(order[:n_dev])
        self.train = parts['train'].subset(order[n_dev:])
        self.test = parts['test']
        self.vocabulary = None
        if number is None:
            counts = numpy.bincount(self.train.words, minlength=len(types))
            self.vocabulary = [UNK] + [
                types[i] for i in numpy.argsort(-counts, kind='stable')
                if counts[i] >= min_count]
            number = number_of(self.vocabulary)
        numbers = numpy.array([number(word) for word in types], 'i')
        for part in self.dev, self.train, self.test:
            part.words = numbers[part.words]

    @property
    def fingerprint(self):
        """Hexadecimal digest of all that training depends on."""
        digest = hashlib.sha256('\n'.join(self.vocabulary).encode())
        for part in self.train, self.dev, self.test:
            for name in _ARRAYS:
                digest.update(getattr(part, name).astype('<i4').tobytes())
        return digest.hexdigest()

    def __str__(self):
        lines = [self.source]
        if self.vocabulary is not None:
            lines[0] += f': vocabulary of {len(self.vocabulary):,} words'
        for name in PARTS:
            part = getattr(self, name)
            lines.append(
                f'  {name:5}  {len(part):>6,} reviews '
                f'({100 * part.labels.mean():.0f} % positive)  '
                f'{len(part.words):>9,} words, '
                f'{100 * (part.words == 0).mean():.1f} % unknown')
        return '\n'.join(lines)


def number_of(vocabulary):
    """Return the function from a word to its number, 0 if it is unknown."""
    numbers = {word: i for i, word in enumerate(vocabulary)}
    return lambda word: numbers.get(word, 0)


@chainer.dataset.converter()
def pad(examples, device):
    """Make a batch of reviews; a ``converter`` of Chainer's updaters.

    Args:
        examples (list of tuple): Pairs of a review's words, ``(T,)``, and its
            label.
        device (chainer.backend.Device): Where words and labels go. Lengths
            stay on the CPU, where they are checked.

    Returns:
        tuple: int32 words, ``(B, T)`` with one step at least, padded with -1,
        lengths, ``(B,)``, and labels, ``(B,)``.

    """
    reviews, labels = zip(*examples)
    lengths = numpy.array([len(review) for review in reviews], 'i')
    words = numpy.full((len(reviews), max(1, lengths.max())), PAD, 'i')
    for row, review in zip(words, reviews):
        row[:len(review)] = review
    labels = numpy.array(labels, 'i')
    return device.send(words), lengths, device.send(labels)


# Words whose full stop ends no sentence; NLTK's trained list is a download.
_parameters = PunktParameters()
_parameters.abbrev_types = set(
    'mr mrs ms dr jr sr st prof vs etc e.g i.e lt col gen sgt capt'.split())
_sentence_tokenizer = PunktSentenceTokenizer(_parameters)
_word_tokenizer = NLTKWordTokenizer()

_LINE_BREAK = re.compile(r'<br\s*/?>', re.IGNORECASE)
_MISSING_SPACE = re.compile(r'(?<=[a-z][.!?])(?=[A-Z])')
_QUOTES = {'``': '"', "''": '"'}


def tokenize(text):
    """Split a text into words and punctuation, cased, without HTML breaks.

    Sentences are split first: the tokenizer of the Penn Treebank takes the
    full stop off the last word only.

    Args:
        text (str): The text.

    Returns:
        list of str: Its tokens, of the forms that GloVe has.

    .. admonition:: Example

        >>> from experiments.imdb.data import tokenize
        >>> tokenize('It is good.<br /><br />Mr. X "acts", I can\\'t.')
        ['It', 'is', 'good', '.', 'Mr.', 'X', '"', 'acts', '"', ',', 'I', \
'ca', "n't", '.']

    """
    text = _MISSING_SPACE.sub(' ', _LINE_BREAK.sub(' ', text))
    return [_QUOTES.get(word, word)
            for sentence in _sentence_tokenizer.tokenize(text)
            for word in _word_tokenizer.tokenize(sentence)]


def _tokenize(texts):
    """Return types and numbered reviews of labelled texts, on all cores."""
    numbers, parts = {}, {}
    with explained('a process that tokenized reviews was killed; is there '
                   'enough memory?', BrokenProcessPool), \
            ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for part, pairs in texts.items():
            words, lengths = [], []
            for tokens in pool.map(
                    tokenize, [text for text, _ in pairs], chunksize=100):
                lengths.append(len(tokens))
                words += [numbers.setdefault(word, len(numbers))
                          for word in tokens]
            parts[part] = Reviews(
                words, lengths, [label for _, label in pairs])
    return list(numbers), parts


def _save(path, tokenized):
    types, parts = tokenized
    arrays = {f'{name}_{array}': getattr(part, array)
              for name, part in parts.items() for array in _ARRAYS}
    with open(path, 'wb') as f:
        numpy.savez(f, types=numpy.frombuffer(
            json.dumps(types).encode(), 'u1'), **arrays)
    return tokenized


def _load(path):
    arrays = read_arrays(path)
    return json.loads(arrays['types'].tobytes()), {
        name: Reviews(*(arrays[f'{name}_{array}'] for array in _ARRAYS))
        for name in reviews.PARTS}


def _cache_key(names):
    """Return a digest that changes when a file does, or the tokenizer."""
    facts = [_TOKENIZER_VERSION]
    # Names within the source, so that it can be moved; they hold the labels.
    root = os.path.commonpath([os.path.dirname(name) for name in names])
    for name in names:
        status = os.stat(name)
        facts.append([os.path.relpath(name, root or os.curdir),
                      status.st_size, status.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def bag_of_words_accuracies(corpus, l2=1e-4, n_steps=150, lr=.1):
    """Score a logistic regression on which words occur in a review.

    It minimises the mean cross entropy plus ``l2 / 2`` times the squared
    weights, with Adam on all reviews at once.

    Args:
        corpus (Corpus): The reviews.
        l2 (float): Weight decay.
        n_steps (int): Number of steps.
        lr (float): Learning rate.

    Returns:
        dict: Accuracy on ``'dev'`` and ``'test'``.

    """
    rows, words = _occurrences(corpus.train)
    labels = corpus.train.labels
    w = numpy.zeros(len(corpus.vocabulary) + 1)  # the last is the bias
    m, v = numpy.zeros_like(w), numpy.zeros_like(w)
    for t in range(1, n_steps + 1):
        logits = w[-1] + numpy.bincount(rows, w[words], len(labels))
        error = 1 / (1 + numpy.exp(-logits)) - labels
        g = numpy.bincount(words, error[rows], len(w))
        g[-1] = error.sum()
        g = g / len(labels) + l2 * w
        m += .1 * (g - m)
        v += .001 * (g * g - v)
        w -= lr * m / (1 - .9 ** t) / (
            numpy.sqrt(v / (1 - .999 ** t)) + 1e-8)
    accuracies = {}
    for name in 'dev', 'test':
        part = getattr(corpus, name)
        rows, words = _occurrences(part)
        logits = w[-1] + numpy.bincount(rows, w[words], len(part))
        accuracies[name] = float(((logits >= 0) == part.labels).mean())
    return accuracies


def _occurrences(reviews):
    """Return number of the review and word, for all its different words."""
    n_words = int(reviews.words.max(initial=0)) + 1
    rows = numpy.repeat(
        numpy.arange(len(reviews), dtype='i8'), reviews.lengths)
    return numpy.divmod(
        numpy.unique(rows * n_words + reviews.words), n_words)
