"""Beam search over sentences and hypotheses side by side."""
import collections
import dataclasses
import itertools

import chainer
from chainer.backends import cuda
import numpy

from experiments.common.buckets import by_length


class Hypothesis(collections.namedtuple(
        'Hypothesis', ('text', 'score', 'log_probability'))):
    """A translation, its score by the criterion, and its log-probability."""


@dataclasses.dataclass(frozen=True)
class Search(object):

    """Settings of a beam search."""

    width: int = 8  # hypotheses of a sentence that are followed at a time
    criterion: str = 'paper'  # what ranks them, a name in CRITERIA
    alpha: float = 0.6  # how much their length counts, from 0 to 1
    n_best: int = 1  # translations to return, at most as many as the width

    def score(self, log_p, length, n_source):
        """Scores by the criterion; see :data:`CRITERIA`."""
        return CRITERIA[self.criterion](log_p, length, n_source, self.alpha)


def translate(model, characters, lines, search=Search(), batch_size=32):
    """Translates lines, many at a time, in their order.

    At no time are there more than a few batches in memory, however many lines
    there are. Lines of similar length are translated together; the outcome
    does not depend on which.

    Args:
        model (Translator): The model.
        characters (Characters): Its characters.
        lines (iterable of str): What to translate.
        search (Search): Settings of the search.
        batch_size (int): Number of lines to translate at a time, fewer if
            they are long.

    Yields:
        list of Hypothesis: The best translations of a line, the best first.
        An empty line has only one, which is empty.

    """
    lines = iter(lines)
    while True:
        block = list(itertools.islice(lines, _BATCHES * batch_size))
        if not block:
            return
        found = {i: [Hypothesis('', 0., 0.)]
                 for i, line in enumerate(block) if not line}
        for batch in _batches([len(line) for line in block], batch_size):
            found.update(zip(batch, beam_search(
                model, characters, [block[i] for i in batch], search)))
        yield from (found[i] for i in range(len(block)))


_BATCHES = 16  # batches that are sorted by length together
_LENGTH = 200  # characters above which a batch has fewer lines


def _batches(lengths, batch_size):
    """Numbers of lines that are not empty, batch by batch."""
    order = [int(i) for i in by_length(lengths) if lengths[i]]
    while order:
        n = max(1, min(batch_size, _LENGTH * batch_size // lengths[order[0]]))
        yield order[:n]
        order = order[n:]


def length_limit(n_source):
    """Most characters of a translation, its end included.

    A translation that has not ended before is ended there.
    """
    return 3 * n_source // 2 + 50


def beam_search(model, characters, lines, search):
    """Translates a batch of lines, none of them empty.

    All hypotheses of all lines go through the model as one batch, one
    character at a time; those of a line share what the encoder made of it. A
    hypothesis that has ended stays in its line's beam as long as its score is
    among the best; the search for a line is over when no hypothesis can get
    into its ``n_best`` any more. Hypotheses of the same score stay in the
    order of their predecessors, then of their characters' numbers. The choices
    are made on the host, in float64, the same on every device.

    Args:
        model (Translator): The model.
        characters (Characters): Its characters.
        lines (list of str): What to translate.
        search (Search): Settings of the search.

    Returns:
        list: Of each line a list of :class:`Hypothesis`, the best first.

    """
    sources = [characters.source(line) for line in lines]
    beams = _Beams([len(source) for source in sources], characters.eos, search)
    found = len(lines) * [None]
    xp = model.xp
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        model.read(*chainer.dataset.concat_examples(
            [(source, len(source)) for source in sources], model.device,
            padding=-1))
        while len(beams.lines):
            log_p = model.step(xp.asarray(beams.last.ravel()))
            parents = beams.extend(cuda.to_cpu(log_p.array))
            is_over = beams.is_over()
            for row in numpy.flatnonzero(is_over):
                found[beams.lines[row]] = beams.hypotheses(row, characters)
            beams.keep(~is_over)
            model.reorder(xp.asarray(parents[~is_over].ravel()),
                          sentences=is_over.any())
    return found


class _Beams(object):

    """The hypotheses of R lines, K of each, best first.

    ============  =============  ========================================
    array         shape          meaning
    ============  =============  ========================================
    ``lines``     ``(R,)``       number of the line in the batch
    ``n_source``  ``(R, 1, 1)``  its length
    ``texts``     ``(R, K, T)``  characters so far
    ``ended``     ``(R, K)``     whether the last one is the end
    ``log_p``     ``(R, K)``     log-probability of all characters
    ``score``     ``(R, K)``     score by the criterion
    ============  =============  ========================================
    """

    def __init__(self, n_source, eos, search):
        shape = len(n_source), search.width
        self._search = search
        self._eos = eos
        self.lines = numpy.arange(len(n_source))
        self.n_source = numpy.array(n_source)[:, None, None]
        self.texts = numpy.empty(shape + (0,), numpy.int32)
        self.ended = numpy.zeros(shape, bool)
        # At first all are the same, so only one of them counts.
        self.log_p = numpy.full(shape, -numpy.inf)
        self.log_p[:, 0] = 0
        self.score = self.log_p

    @property
    def last(self):
        """The last character of each, ``(R, K)``."""
        if not self.texts.shape[2]:
            return numpy.full(self.ended.shape, self._eos, numpy.int32)
        return self.texts[:, :, -1]

    def extend(self, log_p):
        """Takes the best of all continuations by one character.

        Args:
            log_p (numpy.ndarray): Log-probabilities of the next character
                after each hypothesis, ``(R * K, V)``.

        Returns:
            numpy.ndarray: Place in the old batch of the hypothesis that each
            of the new one continues, ``(R, K)``.

        """
        (R, K, T), V = self.texts.shape, log_p.shape[1]
        log_p = self.log_p[:, :, None] + log_p.reshape(R, K, V)
        only_end = numpy.arange(V) != self._eos
        numpy.copyto(log_p, -numpy.inf, where=only_end & (
            T + 1 >= length_limit(self.n_source)))
        score = self._search.score(log_p, T + 1, self.n_source)
        # One that has ended goes on as itself alone.
        score[self.ended] = log_p[self.ended] = -numpy.inf
        score[self.ended, self._eos] = self.score[self.ended]
        log_p[self.ended, self._eos] = self.log_p[self.ended]

        best = numpy.argsort(
            -score.reshape(R, K * V), axis=1, kind='stable')[:, :K]
        parent, character = numpy.divmod(best, V)
        self.score = numpy.take_along_axis(
            score.reshape(R, K * V), best, axis=1)
        self.log_p = numpy.take_along_axis(
            log_p.reshape(R, K * V), best, axis=1)
        self.texts = numpy.concatenate((
            numpy.take_along_axis(self.texts, parent[:, :, None], axis=1),
            character[:, :, None].astype(numpy.int32)), axis=2)
        self.ended = character == self._eos
        return numpy.arange(R)[:, None] * K + parent

    def is_over(self):
        """Of which lines the best hypotheses are settled, ``(R,)``."""
        # A longer one is less probable; at best it scores like one of the
        # same probability at the limit, for length never counts against it.
        bound = self._search.score(
            self.log_p[:, :, None], length_limit(self.n_source),
            self.n_source)[:, :, 0]
        bound = numpy.where(self.ended, -numpy.inf, bound)
        ended = numpy.where(self.ended, self.score, -numpy.inf)
        settled = -numpy.sort(-ended, axis=1)[:, self._search.n_best - 1]
        return settled >= bound.max(axis=1)

    def hypotheses(self, row, characters):
        """The best of a line, without those that no text belongs to."""
        kept = numpy.flatnonzero(
            self.ended[row] & (self.log_p[row] > -numpy.inf))
        return [Hypothesis(characters.text(self.texts[row, k]),
                           float(self.score[row, k]),
                           float(self.log_p[row, k]))
                for k in kept[:self._search.n_best]]

    def keep(self, rows):
        """Goes on with some of the lines only."""
        for name in ('lines', 'n_source', 'texts', 'ended', 'log_p', 'score'):
            setattr(self, name, getattr(self, name)[rows])


def _paper(log_p, length, n_source, alpha):
    target_length = n_source + 5  # what the paper expects
    return (length + alpha * (target_length - length)) / length * log_p


def _log_probability(log_p, length, n_source, alpha):
    return log_p


def _gnmt(log_p, length, n_source, alpha):
    return log_p / ((5 + length) / 6) ** alpha


# How hypotheses are ranked, by their log-probability, their number of
# characters (the end is one), that of the source, and alpha
CRITERIA = {
    'paper': _paper,  # equation 9
    'logprob': _log_probability,  # the more probable, the better
    'gnmt': _gnmt,  # the length penalty of Wu et al. (2016)
}
