"""Beam search over a batch of sentences and their hypotheses."""
import dataclasses
import itertools
from typing import NamedTuple

import chainer
from chainer.backends import cuda
import numpy

from experiments.common.batches import longest_first


# Maps names to functions that return the score of a hypothesis. Arguments are
# its log-probability, its length including EOS, the source length S and alpha.
CRITERIA = {
    # Equation 9 of the paper, with the target length S + 5
    'paper': lambda log_p, length, n_source, alpha: (
        length + alpha * (n_source + 5 - length)) / length * log_p,
    'logprob': lambda log_p, length, n_source, alpha: log_p,
    # The length penalty of Wu et al. (2016)
    'gnmt': lambda log_p, length, n_source, alpha: (
        log_p / ((5 + length) / 6) ** alpha),
}


class Hypothesis(NamedTuple):
    """A translation, its score and its log-probability."""

    text: str
    score: float
    log_probability: float


@dataclasses.dataclass(frozen=True)
class Search:
    """Settings of a beam search."""

    width: int = 8  # hypotheses per sentence
    criterion: str = 'paper'  # key of CRITERIA
    alpha: float = 0.6  # weight of the length, from 0 to 1
    n_best: int = 1  # translations to return, at most the width

    def score(self, log_p, length, n_source):
        """Return scores; see :data:`CRITERIA` for the arguments."""
        return CRITERIA[self.criterion](log_p, length, n_source, self.alpha)


def translate(model, characters, lines, search=None, batch_size=32):
    """Translate lines in batches; yield translations in the order of lines.

    A batch contains lines of similar length. A batch of long lines contains
    fewer than ``batch_size`` lines. Batching does not affect translations.
    Hypotheses with the same score are sorted by the rank of their
    predecessors, and then by the indices of their last characters.

    Args:
        model (Translator), characters (Characters): Return values of
            :func:`experiments.iwslt.model.load`.
        lines (iterable of str): Lines to translate, read only when needed.
        search (Search): Settings of the search. By default, the settings of
            the paper are used.
        batch_size (int): Largest number of lines in a batch.

    Yields:
        list of Hypothesis: The best translations of a line, the best first.
        An empty line has a single empty translation.

    """
    lines = iter(lines)
    while block := list(itertools.islice(lines, _BATCHES * batch_size)):
        results = {i: [Hypothesis('', 0., 0.)]
                   for i, line in enumerate(block) if not line}
        for batch in _batches([len(line) for line in block], batch_size):
            results.update(zip(batch, _translate_batch(
                model, characters, [block[i] for i in batch],
                search or Search())))
        yield from (results[i] for i in range(len(block)))


_BATCHES = 16  # number of batches whose lines are sorted together
_LENGTH = 200  # length of a source above which a batch has fewer lines


def _batches(lengths, batch_size):
    """Yield batches, which are lists of indices of lines with text."""
    order = [int(i) for i in longest_first(lengths) if lengths[i]]
    while order:
        n = max(1, min(batch_size, _LENGTH * batch_size // lengths[order[0]]))
        yield order[:n]
        order = order[n:]


def length_limit(n_source):
    """Return the maximum length of a translation, including EOS."""
    return 3 * n_source // 2 + 50


def _translate_batch(model, characters, lines, search):
    """Return the best hypotheses of lines that are not empty.

    All hypotheses of all lines form one batch of the model. The model computes
    one character at a time. Hypotheses are selected on the CPU in float64, so
    the selection is the same for all devices.
    """
    K, eos, xp = search.width, characters.eos, model.xp
    sources = [characters.source(line) for line in lines]
    results = len(lines) * [None]

    # Arrays (R,) describe the R unfinished lines: index, length, and the
    # length limit of the translation. Arrays (R, K) describe the K hypotheses
    # of each line, best first: last character, whether the hypothesis is
    # finished, log-probability and score. At first, the hypotheses of a line
    # are equal, so the log-probability of all except one is -inf.
    index = numpy.arange(len(lines))
    n_source = numpy.array([len(line) for line in lines])
    limit = length_limit(n_source)
    character = numpy.full((len(lines), K), eos)
    finished = numpy.zeros((len(lines), K), bool)
    log_p = numpy.tile([0.] + (K - 1) * [-numpy.inf], (len(lines), 1))
    score = log_p
    paths = _Paths(limit.max(), len(lines), K)

    with chainer.using_config('train', False), chainer.no_backprop_mode():
        model.encode(*chainer.dataset.concat_examples(
            [(source, len(source)) for source in sources], model.device,
            padding=-1))
        for T in itertools.count(1):
            step = cuda.to_cpu(model.step(
                xp.asarray(character.ravel().astype('i'))).array)
            R, V = len(index), step.shape[1]

            # Score all continuations. At the length limit, only EOS is
            # allowed. A finished hypothesis has one continuation, whose score
            # is the same.
            next_log_p = log_p[:, :, None] + step.reshape(R, K, V)
            if T >= limit.min():
                numpy.copyto(next_log_p, -numpy.inf, where=(
                    (numpy.arange(V) != eos) & (T >= limit)[:, None, None]))
            next_score = search.score(next_log_p, T, n_source[:, None, None])
            next_score[finished] = next_log_p[finished] = -numpy.inf
            next_score[finished, eos] = score[finished]
            next_log_p[finished, eos] = log_p[finished]

            # Select the K best continuations of each line.
            best = _largest(next_score)
            score, log_p = (
                numpy.take_along_axis(array.reshape(R, K * V), best, axis=1)
                for array in (next_score, next_log_p))
            parent, character = numpy.divmod(best, V)
            paths.extend(index, parent, character)
            finished = character == eos

            # Store the results of finished lines, and remove these lines.
            done = _are_done(
                search, score, log_p, finished, n_source, limit)
            for row in numpy.flatnonzero(done):
                complete = numpy.flatnonzero(
                    finished[row] & (log_p[row] > -numpy.inf))
                results[index[row]] = [Hypothesis(
                    characters.text(paths.read(index[row], k)),
                    float(score[row, k]), float(log_p[row, k]))
                    for k in complete[:search.n_best]]
            if done.all():
                return results
            rows = numpy.arange(R)[~done]
            if done.any():
                (index, n_source, limit, parent, character, finished, log_p,
                 score) = (array[rows] for array in (
                     index, n_source, limit, parent, character, finished,
                     log_p, score))
            model.decoder.reorder_state(
                xp.asarray((rows[:, None] * K + parent).ravel()),
                encoder=done.any())


class _Paths:
    """The characters of all hypotheses, stored as a tree.

    For each step, the tree contains the predecessor and the character of each
    hypothesis. So the cost of a step does not depend on the number of previous
    characters.
    """

    def __init__(self, n_steps, n_lines, width):
        self._n_steps = 0
        self._parents, self._characters = (
            numpy.empty((n_steps, n_lines, width), 'i') for _ in range(2))

    def extend(self, lines, parents, characters):
        """Add a step; ``parents`` and ``characters`` are arrays ``(R, K)``."""
        self._parents[self._n_steps, lines] = parents
        self._characters[self._n_steps, lines] = characters
        self._n_steps += 1

    def read(self, line, k):
        """Return the characters of a line's k-th hypothesis."""
        numbers = []
        for step in reversed(range(self._n_steps)):
            numbers.append(self._characters[step, line, k])
            k = self._parents[step, line, k]
        return numbers[::-1]


def _largest(scores):
    """Return indices of the K largest scores of each line, largest first.

    Equal scores stay in order. The scores are ``(R, K, V)`` for K hypotheses;
    an index is a hypothesis times V plus a character. Only the largest scores
    are sorted, because sorting all scores takes as long as the matrix product
    of a layer.
    """
    R, K, V = scores.shape
    # Select all scores that are not below the K-th largest of some scores: of
    # the largest one of each character, or of each hypothesis. NaN counts as
    # the smallest.
    some = -scores.max(axis=1 if V >= K else 2)
    bound = -numpy.partition(some, K - 1, axis=1)[:, K - 1:K]
    scores = scores.reshape(R, K * V)
    rows, columns = numpy.divmod(
        numpy.flatnonzero(~(scores < bound)), K * V)
    order = numpy.lexsort((-scores[rows, columns], rows))  # a stable sort
    first = numpy.searchsorted(rows, numpy.arange(R))
    return columns[order[first[:, None] + numpy.arange(K)]]


def _are_done(search, score, log_p, finished, n_source, limit):
    """Return bools, ``(R,)``: True if a line's best hypotheses are final."""
    # A continuation is less probable than its hypothesis. If the probability
    # is equal, a longer text never has a lower score. So the hypothesis's
    # probability and the maximum length give a bound for all continuations.
    bound = search.score(log_p, limit[:, None], n_source[:, None])
    bound = numpy.where(finished, -numpy.inf, bound)
    best = -numpy.sort(numpy.where(finished, -score, numpy.inf), axis=1)
    return best[:, search.n_best - 1] >= bound.max(axis=1)
