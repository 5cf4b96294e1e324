import itertools

import chainer
import numpy
import pytest

from experiments.iwslt import beam
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate


LINES = ['ab', 'b', 'babab', 'aaaaaaaa']

layers = pytest.mark.parametrize('layer', ['qrnn', 'lstm'])
criteria = pytest.mark.parametrize('criterion', sorted(beam.CRITERIA))


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    """A limit that is reached sooner."""
    monkeypatch.setattr(beam, 'length_limit', lambda n_source: n_source + 9)


def log_probability(model, characters, line, text):
    """Of a text and its end, by the loss of training."""
    source, target = characters.source(line), characters.target(text)
    n = numpy.array([len(target)])
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return -float(model(
            source[None], target[None], [len(source)], n).array) * len(target)


def assert_same(actual, expected):
    assert [h.text for h in actual] == [h.text for h in expected]
    for a, e in zip(actual, expected):
        assert a[1:] == pytest.approx(e[1:], rel=1e-5)


@criteria
@pytest.mark.parametrize('alpha', [0, .6])
@layers
def test_full_width_is_exhaustive(
        random_model, monkeypatch, layer, criterion, alpha):
    """The best of all texts, with the scores of the definition."""
    model, characters = random_model('ab', layer)
    monkeypatch.setattr(
        beam, 'length_limit', lambda n_source: 4 + 0 * n_source)
    search = Search(100, criterion, alpha, n_best=15)
    for line, found in zip(LINES, translate(
            model, characters, LINES, search)):
        scored = []
        for text in (''.join(each) for n in range(4)
                     for each in itertools.product('ab', repeat=n)):
            log_p = log_probability(model, characters, line, text)
            T, target_length = len(text) + 1, len(line) + 5
            score = {
                'paper': (T + alpha * (target_length - T)) / T * log_p,
                'logprob': log_p,
                'gnmt': log_p * (6 / (5 + T)) ** alpha}[criterion]
            scored.append(beam.Hypothesis(text, score, log_p))
        scored.sort(key=lambda hypothesis: -hypothesis.score)
        assert_same(found, scored)


def plain_search(model, characters, line, search):
    """Beam search as in a textbook, which never ends early."""
    source, limit = characters.source(line), beam.length_limit(len(line))
    hypotheses = [(0., 0., ())]  # score, log-probability, characters
    for T in range(1, limit + 1):
        candidates = []
        for score, log_p, text in hypotheses:
            if text[-1:] == (characters.eos,):
                candidates.append((score, log_p, text))
                continue
            model.encode(source[None], [len(source)])
            for before in characters.eos, *text:
                following = model.step(numpy.array([before], 'i')).array[0]
            for character, each in enumerate(following.astype('d')):
                if T < limit or character == characters.eos:
                    candidates.append((
                        search.score(log_p + each, T, len(line)),
                        log_p + each, (*text, character)))
        hypotheses = sorted(
            candidates, key=lambda each: -each[0])[:search.width]
    return [beam.Hypothesis(characters.text(text), score, log_p)
            for score, log_p, text in hypotheses[:search.n_best]]


@pytest.mark.parametrize('kind', ['random', 'endless', 'tied'])
@pytest.mark.parametrize('width, n_best', [(1, 1), (4, 2)])
@criteria
def test_like_a_plain_search(random_model, criterion, width, n_best, kind):
    """Nothing is lost at the length limit, by ties, or by ending early."""
    model, characters = random_model('cabx', ['qrnn', 'lstm'][width > 1])
    if kind == 'endless':
        model.output.b.array[0] = -50
    if kind == 'tied':
        model.output.W.array[...] = 0
        model.output.b.array[...] = [1, 0, 0, 0, 0]
    search = Search(width, criterion, n_best=n_best)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for line, found in zip(LINES[:2], translate(
                model, characters, LINES[:2], search)):
            assert_same(found, plain_search(model, characters, line, search))


@pytest.mark.parametrize('batch_size', [3, 32])
@layers
def test_batches_change_nothing(random_model, layer, batch_size):
    """Nor do dropout and an earlier call; empty lines keep their place."""
    model, characters = random_model('abcdxyz', layer, dropout=.5)
    search = Search(3, n_best=2)
    lines = ['', *LINES[:2], '', *LINES[2:], '']
    results = list(translate(model, characters, lines, search, batch_size))
    assert len(results) == len(lines)
    for line, found in zip(lines, results):
        single, = translate(model, characters, [line], search)
        assert_same(found, single)
        assert len(found) == (2 if line else 1)
    assert list(translate(model, characters, [])) == []
    for state in model.decoder.state:
        assert all(part.creator is None for part in state)


def test_one_step_a_character(random_model):
    """No prefix is run again, and lines that are done leave the batch."""
    model, characters = random_model('abxy')
    steps, step = [], model.step
    object.__setattr__(model, 'step', lambda y: (
        steps.append(len(y)), step(y))[1])
    found = list(translate(model, characters, LINES, Search(4)))
    assert steps[0] == 4 * len(LINES)
    assert sorted(steps, reverse=True) == steps and steps[-1] < steps[0]
    assert max(len(h.text) for h, in found) < len(steps) < max(
        map(beam.length_limit, map(len, LINES)))


def test_memory_does_not_grow_with_the_lines(random_model, monkeypatch):
    """Lines are read as they are needed, and long ones a few at a time."""
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
def test_largest_keeps_the_order_of_ties(kind, K):
    random = numpy.random.RandomState(0)
    scores = random.normal(size=(5, 40))
    if kind == 'tied':
        scores = scores.round()
    elif kind == 'infinite':
        scores[scores < 1.5] = -numpy.inf
    elif kind == 'nan':
        scores[:3, 2:] = numpy.nan
    expected = numpy.argsort(-scores, axis=1, kind='stable')[:, :K]
    assert (beam._largest(scores, K) == expected).all()
