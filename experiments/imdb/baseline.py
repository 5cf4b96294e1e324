"""A linear classifier on bags of words, as a baseline."""
import numpy


def bag_of_words_accuracies(corpus, bigrams=False):
    """Return a dict of a baseline's accuracies on the dev and test parts.

    The baseline is a logistic regression with L2, trained with 150 steps of
    Adam on the whole training part. Its features are the words that occur in a
    review and, if ``bigrams`` is true, the pairs of adjacent words.
    """
    def logits(n_reviews):
        return w[-1] + numpy.bincount(rows, w[features], n_reviews)

    size = len(corpus.vocabulary)
    rows, n_grams = _occurrences(corpus.train, size, bigrams)
    known, features = numpy.unique(n_grams, return_inverse=True)
    w = numpy.zeros(len(known) + 1)  # the last weight is the bias
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
    """Return the distinct n-grams of each review, as two arrays.

    The first array contains the index of the review, and the second array
    contains the id of the n-gram. Ids of words are less than ``size``. Ids of
    pairs are ``size`` or greater.
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
