import itertools

import chainer
import numpy
import pytest

from experiments.iwslt import beam
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate


LINES = ['ab', 'b', 'babab', 'aaaaaaaa']

layers = pytest.mark.parametrize('layer', ['qrnn', 'lstm'])


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    """Reduce the length limit, so that tests reach the limit."""
    monkeypatch.setattr(beam, 'length_limit', lambda n_source: n_source + 9)


def log_probability(model, characters, line, text):
    """Return the log-probability of a translation, computed from the loss."""
    source, target = characters.source(line), characters.target(text)
    n = numpy.array([len(target)])
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return -float(model(
            source[None], target[None], [len(source)], n).array) * len(target)


def assert_same(actual, expected):
    assert [h.text for h in actual] == [h.text for h in expected]
    for a, e in zip(actual, expected):
        assert a[1:] == pytest.approx(e[1:], rel=1e-5)


@pytest.mark.parametrize('criterion, alpha, layer', [
    ('paper', .6, 'qrnn'), ('paper', 0, 'lstm'), ('logprob', .6, 'lstm'),
    ('gnmt', .6, 'qrnn')])
def test_full_width_is_exhaustive(
        random_model, monkeypatch, criterion, alpha, layer):
    """With a wide beam, all possible texts are returned, the best first."""
    model, characters = random_model('ab', layer)
    monkeypatch.setattr(
        beam, 'length_limit', lambda n_source: 4 + 0 * n_source)
    search = Search(100, criterion, alpha, n_best=15)
    for line, hypotheses in zip(LINES, translate(
            model, characters, LINES, search)):
        scored = []
        for text in (''.join(letters) for n in range(4)
                     for letters in itertools.product('ab', repeat=n)):
            log_p = log_probability(model, characters, line, text)
            T, target_length = len(text) + 1, len(line) + 5
            score = {
                'paper': (T + alpha * (target_length - T)) / T * log_p,
                'logprob': log_p,
                'gnmt': log_p * (6 / (5 + T)) ** alpha}[criterion]
            scored.append(beam.Hypothesis(text, score, log_p))
        scored.sort(key=lambda hypothesis: -hypothesis.score)
        assert_same(hypotheses, scored)


def plain_search(model, characters, line, search):
    """Return hypotheses of a textbook beam search, which never ends early."""
    source, limit = characters.source(line), beam.length_limit(len(line))
    # A hypothesis is a tuple: (score, log-probability, characters).
    hypotheses = [(0., 0., ())]
    for T in range(1, limit + 1):
        candidates = []
        for score, log_p, text in hypotheses:
            if text[-1:] == (characters.eos,):
                candidates.append((score, log_p, text))
                continue
            model.encode(source[None], [len(source)])
            for previous in characters.eos, *text:
                steps = model.step(numpy.array([previous], 'i')).array[0]
            for character, step in enumerate(steps.astype('d')):
                if T < limit or character == characters.eos:
                    candidates.append((
                        search.score(log_p + step, T, len(line)),
                        log_p + step, (*text, character)))
        hypotheses = sorted(
            candidates, key=lambda candidate: -candidate[0])[:search.width]
    return [beam.Hypothesis(characters.text(text), score, log_p)
            for score, log_p, text in hypotheses[:search.n_best]]


@pytest.mark.parametrize('criterion, width, n_best, kind', [
    ('paper', 1, 1, 'random'), ('paper', 4, 2, 'endless'),
    ('gnmt', 4, 2, 'random'), ('logprob', 4, 2, 'tied')])
def test_same_as_a_plain_search(random_model, criterion, width, n_best, kind):
    """Results equal the results of a plain search, even if scores tie."""
    model, characters = random_model('cabx', ['qrnn', 'lstm'][width > 1])
    if kind == 'endless':
        model.output.b.array[0] = -50
    if kind == 'tied':
        model.output.W.array[...] = 0
        model.output.b.array[...] = [1, 0, 0, 0, 0]
    search = Search(width, criterion, n_best=n_best)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for line, hypotheses in zip(LINES[:2], translate(
                model, characters, LINES[:2], search)):
            assert_same(hypotheses, plain_search(
                model, characters, line, search))


@pytest.mark.parametrize('batch_size', [3, 32])
@layers
def test_batches_change_nothing(random_model, layer, batch_size):
    """Dropout, previous calls and empty lines do not change results."""
    model, characters = random_model('abcdxyz', layer, dropout=.5)
    search = Search(3, n_best=2)
    lines = ['', *LINES[:2], '', *LINES[2:], '']
    results = list(translate(model, characters, lines, search, batch_size))
    assert len(results) == len(lines)
    for line, hypotheses in zip(lines, results):
        single, = translate(model, characters, [line], search)
        assert_same(hypotheses, single)
        assert len(hypotheses) == (2 if line else 1)
    assert list(translate(model, characters, [])) == []
    for state in model.decoder.state:
        assert all(part.creator is None for part in state)


def test_one_step_per_character(random_model):
    """No prefix is decoded twice, and finished lines leave the batch."""
    model, characters = random_model('abxy')
    steps, step = [], model.step
    object.__setattr__(model, 'step', lambda y: (
        steps.append(len(y)), step(y))[1])
    results = list(translate(model, characters, LINES, Search(4)))
    assert steps[0] == 4 * len(LINES)
    assert sorted(steps, reverse=True) == steps and steps[-1] < steps[0]
    assert max(len(h.text) for h, in results) < len(steps) < max(
        map(beam.length_limit, map(len, LINES)))


def test_memory_does_not_grow_with_the_lines(random_model, monkeypatch):
    """Lines are read when needed, and batches of long lines are small."""
    model, characters = random_model('abxy')
    lines = iter(200 * ['ab'])
    monkeypatch.setattr(beam, '_BATCHES', 3)
    translations = translate(
        model, characters, lines, Search(1), batch_size=2)
    for i, _ in zip(range(7), translations):
        assert lines.__length_hint__() == 200 - 6 * (i // 6 + 1)
    assert [len(batch) for batch in beam._batches(
        [100, 2000, 3, 800, 0, 1600, 100, 3], 8)] == [1, 1, 2, 3]


@pytest.mark.parametrize('kind', ['any', 'tied', 'infinite', 'nan'])
@pytest.mark.parametrize('K', [1, 3, 8])
@pytest.mark.parametrize('V', [1, 5, 40])
def test_largest_keeps_the_order_of_ties(kind, K, V):
    scores = numpy.random.RandomState(0).normal(size=(5, K, V))
    if kind == 'tied':
        scores = scores.round()
    elif kind == 'infinite':
        scores[scores < 1.5] = -numpy.inf
    elif kind == 'nan':
        scores[:2, :, 2:] = numpy.nan
        scores[1:3, 0] = numpy.nan
        scores[4] = numpy.nan
    expected = numpy.argsort(
        -scores.reshape(5, -1), axis=1, kind='stable')[:, :K]
    assert (beam._largest(scores) == expected).all()
