"""What the words of a review alone tell: a bag-of-words regression."""
import numpy


def accuracies(corpus, l2=1e-4, n_steps=150, lr=.1):
    """Trains a logistic regression on which words occur, and scores it.

    It minimises the mean cross entropy plus ``l2 / 2`` times the squared
    weights, with Adam on all reviews at once.

    Args:
        corpus (Corpus): The reviews.
        l2 (float): Weight decay.
        n_steps (int): Number of steps.
        lr (float): Length of a step.

    Returns:
        dict: Accuracy on ``'dev'`` and ``'test'``.

    """
    train = _Bags(corpus.train)
    w = numpy.zeros(len(corpus.vocabulary) + 1)  # the last is the bias
    m, v = numpy.zeros_like(w), numpy.zeros_like(w)
    for t in range(1, n_steps + 1):
        p = 1 / (1 + numpy.exp(-train.scores(w)))
        g = train.gradient(p - train.labels, w) / len(p) + l2 * w
        m += .1 * (g - m)
        v += .001 * (g * g - v)
        w -= lr * m / (1 - .9 ** t) / (
            numpy.sqrt(v / (1 - .999 ** t)) + 1e-8)
    return {part: _Bags(getattr(corpus, part)).accuracy(w)
            for part in ('dev', 'test')}


class _Bags(object):

    """The different words of every review, in a row."""

    def __init__(self, reviews):
        n_words = int(reviews.words.max(initial=0)) + 1
        self.labels = reviews.labels
        row = numpy.repeat(
            numpy.arange(len(reviews), dtype='i8'), reviews.lengths)
        self._row, self._word = numpy.divmod(
            numpy.unique(row * n_words + reviews.words), n_words)

    def scores(self, w):
        return w[-1] + numpy.bincount(
            self._row, w[self._word], len(self.labels))

    def gradient(self, g, w):
        gw = numpy.bincount(self._word, g[self._row], len(w))
        gw[-1] = g.sum()
        return gw

    def accuracy(self, w):
        return float(((self.scores(w) >= 0) == self.labels).mean())
