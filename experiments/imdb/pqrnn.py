"""pQRNN: a classifier on hashes of words instead of an embedding."""
import hashlib

import chainer
import chainer.functions as F
import chainer.links as L
import numpy

from experiments.common.precision import linear
from experiments.imdb.classifier import Classifier
from qrnn import attention_sum
from qrnn import BiQRNNLayer
from qrnn.functions import dropout


# Maps a byte to four ternary features, ``(256, 4)``, half of which are 0
_FEATURES = numpy.array([0, 1, -1, 0], 'f')[
    numpy.arange(256)[:, None] >> numpy.arange(0, 8, 2) & 3]


class PQRNN(Classifier):
    """Classifier without an embedding and without unknown words.

    Ternary features of words pass through a bottleneck with batch
    normalisation, then bidirectional QRNN layers, then attention over all
    words. Zoneout decreases with the depth of the layer.
    """

    def __init__(self, config, words):
        super().__init__()
        size = config.n_units
        self._dropout = config.dropout
        with self.init_scope():
            self.project = Projection(
                words, config.n_features, config.distortion)
            self.bottleneck = L.Linear(
                config.n_features, config.embed_size, nobias=True)
            self.norm = L.BatchNormalization(config.embed_size)
            self.rnn = chainer.ChainList(*(
                BiQRNNLayer(2 * size if i else config.embed_size, size,
                            config.kernel_size,
                            zoneout=config.zoneout ** (i + 1))
                for i in range(config.n_layers)))
            self.query = chainer.Parameter(
                chainer.initializers.LeCunNormal(), (1, 2 * size))
            self.output = L.Linear(2 * size, 1)

    def number(self, word):
        """Return the index of a word."""
        return self.project.number(word)

    def logits(self, words, lengths):
        """Return a logit for each review, ``(B,)``."""
        words = chainer.backends.cuda.to_cpu(words)
        B, T = words.shape
        # The padding is excluded from batch normalisation.
        x = linear(self.bottleneck, self.project(words[words >= 0]))
        x = F.cast(F.relu(self.norm(x)), self.bottleneck.W.dtype)
        ends = numpy.cumsum(lengths)[:-1]
        h = F.pad_sequence(F.split_axis(x, ends, axis=0), length=T)
        for layer in self.rnn:
            h = layer(dropout(h, self._dropout), lengths)
        query = F.broadcast_to(self.query, (B, 1, h.shape[2]))
        context = attention_sum(h, query, lengths)[:, 0]
        return linear(self.output, context)[:, 0]


class Projection(chainer.Link):
    """Link that maps words to fixed features, each -1, 0 or 1.

    Each feature is computed from two bits of a hash of the lower-case word.
    The link has no parameters, and no word is unknown.

    Args:
        words (list of str): Words in the order of their indices.
        n_features (int): Number of features, a multiple of 4.
        distortion (float): Probability that a word is misspelled in training.

    """

    def __init__(self, words, n_features, distortion=0.):
        super().__init__()
        self._words = list(words)
        self._distortion = distortion
        self._n_bytes = n_features // 4
        self._numbers = {word: i for i, word in enumerate(self._words)}
        self._bits = numpy.empty((0, self._n_bytes), 'u1')

    def number(self, word):
        """Return the index of a word. If the word is new, add it."""
        if word not in self._numbers:
            self._numbers[word] = len(self._words)
            self._words.append(word)
        return self._numbers[word]

    def forward(self, numbers):
        """Return the features of words, float32: (n,) -> (n, n_features)."""
        n_hashed = len(self._bits)
        if n_hashed < len(self._words):
            self._bits = numpy.concatenate([self._bits] + [
                self._hash(word)[None] for word in self._words[n_hashed:]])
        bits = self._bits[numbers]
        if chainer.config.train and self._distortion:
            misspelled = numpy.random.rand(len(numbers)) < self._distortion
            for i in numpy.flatnonzero(misspelled):
                bits[i] = self._hash(misspell(self._words[numbers[i]]))
        features = self.device.send(_FEATURES)[self.device.send(bits)]
        return features.reshape(len(numbers), 4 * self._n_bytes)

    def _hash(self, word):
        digest = hashlib.shake_128(word.lower().encode('utf-8', 'replace'))
        return numpy.frombuffer(digest.digest(self._n_bytes), 'u1')


def misspell(word):
    """Remove or replace a random letter, or swap it with the next letter."""
    i = numpy.random.randint(len(word))
    kind = numpy.random.randint(3)
    if kind == 0 and len(word) > 1:
        return word[:i] + word[i + 1:]
    if kind == 1 and i + 1 < len(word):
        return word[:i] + word[i + 1] + word[i] + word[i + 2:]
    return word[:i] + chr(ord('a') + numpy.random.randint(26)) + word[i + 1:]
