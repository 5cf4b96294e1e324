"""Words as ternary features of their hashes, in place of an embedding."""
import hashlib

import chainer
import numpy


# What two bits of a hash become: half of all features are 0.
_TERNARY = numpy.array([0, 1, -1, 0], 'f')

# The four features in every byte, ``(256, 4)``
_OF_BYTE = _TERNARY[numpy.arange(256)[:, None] >> numpy.arange(0, 8, 2) & 3]

_LETTERS = 'abcdefghijklmnopqrstuvwxyz'


class Projection(chainer.Link):

    """Turns words into ``n`` features of -1, 0 and 1 that stay as they are.

    A word's features are the bits of a hash of its lower-cased letters, two
    bits each. So there is nothing to learn, nothing to store, and no unknown
    word.

    Args:
        words (list of str): Words that are asked for by their number.
        n_features (int): Number of features, a multiple of 4.
        distortion (float): Probability with which, in training, a word
            is misspelled: a letter is left out, replaced or swapped with the
            next one, so that its features become others.

    """

    def __init__(self, words, n_features, distortion=0.):
        super(Projection, self).__init__()
        self.words = list(words)
        self.n_features = n_features
        self.distortion = distortion
        self._n_bytes = n_features // 4
        self._numbers = {word: i for i, word in enumerate(self.words)}
        self._bits = numpy.empty((0, self._n_bytes), 'u1')

    def number(self, word):
        """Number of a word, also of one that was not there before."""
        if word not in self._numbers:
            self._numbers[word] = len(self.words)
            self.words.append(word)
        return self._numbers[word]

    def forward(self, numbers):
        """Features of words.

        Args:
            numbers (numpy.ndarray): Numbers of words, ``(...)``, on the CPU.
                Negative ones stand for no word, whose features are 0.

        Returns:
            :ref:`ndarray`: float32 features, ``(..., n_features)``.

        """
        n_known = len(self._bits)
        if n_known < len(self.words):
            self._bits = numpy.concatenate([self._bits] + [
                self._hashed(word)[None] for word in self.words[n_known:]])
        bits = self._bits[numpy.maximum(numbers, 0)]
        if chainer.config.train and self.distortion:
            misspelled = numpy.random.rand(*numbers.shape) < self.distortion
            for at in zip(*numpy.nonzero(misspelled & (numbers >= 0))):
                bits[at] = self._hashed(misspell(self.words[numbers[at]]))
        bits[numbers < 0] = 0
        bits = self.device.send(bits)
        features = self.device.send(_OF_BYTE)[bits]
        return features.reshape(numbers.shape + (self.n_features,))

    def _hashed(self, word):
        digest = hashlib.shake_128(word.lower().encode('utf-8', 'replace'))
        return numpy.frombuffer(digest.digest(self._n_bytes), 'u1')


def misspell(word):
    """Leaves out, replaces or swaps one letter of a word."""
    i = numpy.random.randint(len(word))
    kind = numpy.random.randint(3)
    if kind == 0 and len(word) > 1:
        return word[:i] + word[i + 1:]
    if kind == 1 and i + 1 < len(word):
        return word[:i] + word[i + 1] + word[i] + word[i + 2:]
    return word[:i] + _LETTERS[numpy.random.randint(26)] + word[i + 1:]
