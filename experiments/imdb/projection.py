"""Words as ternary features of their hashes, in place of an embedding."""
import hashlib

import chainer
import numpy


# The value of two bits of a hash: half of all features are 0.
_TERNARY = numpy.array([0, 1, -1, 0], 'f')

# The four features in every byte, ``(256, 4)``
_FEATURES = _TERNARY[numpy.arange(256)[:, None] >> numpy.arange(0, 8, 2) & 3]

_LETTERS = 'abcdefghijklmnopqrstuvwxyz'


class Projection(chainer.Link):

    """Fixed features of words, each -1, 0 or 1.

    A word's features are the bits of a hash of its lower-cased letters, two
    bits each. So there is nothing to learn, nothing to store, and no unknown
    word.

    Args:
        words (list of str): Words by number.
        n_features (int): Number of features, a multiple of 4.
        distortion (float): Probability with which, in training, a word
            is misspelled: a letter is left out, replaced or swapped with the
            next one, so that its features become others.

    """

    def __init__(self, words, n_features, distortion=0.):
        super().__init__()
        self.words = list(words)
        self.n_features = n_features
        self.distortion = distortion
        self._n_bytes = n_features // 4
        self._numbers = {word: i for i, word in enumerate(self.words)}
        self._bits = numpy.empty((0, self._n_bytes), 'u1')

    def number(self, word):
        """Return the number of a word, which is added if it is new."""
        if word not in self._numbers:
            self._numbers[word] = len(self.words)
            self.words.append(word)
        return self._numbers[word]

    def forward(self, numbers):
        """Return the features of words.

        Args:
            numbers (numpy.ndarray): Numbers of words, ``(n,)``, on the CPU.

        Returns:
            :ref:`ndarray`: float32 features, ``(n, n_features)``.

        """
        n_hashed = len(self._bits)
        if n_hashed < len(self.words):
            self._bits = numpy.concatenate([self._bits] + [
                self._hash(word)[None] for word in self.words[n_hashed:]])
        bits = self._bits[numbers]
        if chainer.config.train and self.distortion:
            misspelled = numpy.random.rand(len(numbers)) < self.distortion
            for i in numpy.flatnonzero(misspelled):
                bits[i] = self._hash(misspell(self.words[numbers[i]]))
        features = self.device.send(_FEATURES)[self.device.send(bits)]
        return features.reshape(len(numbers), self.n_features)

    def _hash(self, word):
        digest = hashlib.shake_128(word.lower().encode('utf-8', 'replace'))
        return numpy.frombuffer(digest.digest(self._n_bytes), 'u1')


def misspell(word):
    """Leave out, replace or swap a random letter of a word."""
    i = numpy.random.randint(len(word))
    kind = numpy.random.randint(3)
    if kind == 0 and len(word) > 1:
        return word[:i] + word[i + 1:]
    if kind == 1 and i + 1 < len(word):
        return word[:i] + word[i + 1] + word[i] + word[i + 2:]
    return word[:i] + _LETTERS[numpy.random.randint(26)] + word[i + 1:]
