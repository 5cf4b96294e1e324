import dataclasses
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
        # Pruned to few, it is no better.
        few, = translate(
            model, characters, [line], Search(2, criterion, alpha))
        assert few[0].score <= scored[0].score + 1e-5


@criteria
def test_ends_early_without_loss(random_model, monkeypatch, criterion):
    """What is found is what searching on to the end finds."""
    model, characters = random_model('abcdxyz')
    search = Search(6, criterion, n_best=3)
    steps = count_steps(monkeypatch, model)
    found = list(translate(model, characters, LINES, search))
    early = len(steps)
    monkeypatch.setattr(
        beam, '_are_done', lambda search, score, log_p, finished, n_source: (
            finished.all(axis=1)))
    for ours, theirs in zip(found, translate(
            model, characters, LINES, search)):
        assert_same(ours, theirs)
        assert len({h.text for h in ours}) == 3
        assert sorted(ours, key=lambda h: -h.score) == ours
    assert early <= len(steps) - early


def count_steps(monkeypatch, model):
    steps, step = [], model.step
    object.__setattr__(model, 'step', lambda y: (
        steps.append(len(y)), step(y))[1])
    return steps


@pytest.mark.parametrize('layer, criterion', [
    ('qrnn', 'logprob'), ('qrnn', 'gnmt'), ('lstm', 'paper')])
def test_width_1_is_greedy(random_model, layer, criterion):
    model, characters = random_model('abxy', layer)
    for line, (found,) in zip(LINES, translate(
            model, characters, LINES, Search(1, criterion))):
        source, text, before = characters.source(line), [], characters.eos
        with chainer.using_config('train', False):
            model.encode(source[None], [len(source)])
            while len(text) < beam.length_limit(len(line)) - 1:
                before = int(model.step(
                    numpy.array([before], 'i')).array.argmax())
                text.append(before)
                if before == characters.eos:
                    break
        assert found.text == characters.text(text)


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
        single, = (beam._translate_batch(model, characters, [line], search)
                   if line else [[beam.Hypothesis('', 0, 0)]])
        assert_same(found, single)
    assert list(translate(model, characters, [])) == []
    for state in model.decoder.state:
        assert all(part.creator is None for part in state)


def test_one_step_a_character(random_model, monkeypatch):
    """No prefix is run again, and lines that are done leave the batch."""
    model, characters = random_model('abxy')
    steps = count_steps(monkeypatch, model)
    found = list(translate(model, characters, LINES, Search(4)))
    assert steps[0] == 4 * len(LINES)
    assert sorted(steps, reverse=True) == steps and steps[-1] < steps[0]
    assert len(steps) >= max(len(h.text) + 1 for h, in found)
    assert len(steps) < max(map(beam.length_limit, map(len, LINES)))


def test_length_limit(random_model):
    model, characters = random_model('abxy')
    model.output.b.array[0] = -50  # never ends by itself
    for line, (found,) in zip(LINES, translate(
            model, characters, LINES, Search(3))):
        assert len(found.text) + 1 == beam.length_limit(len(line))


def test_ties_keep_their_order(random_model):
    model, characters = random_model('cabx')
    model.output.W.array[...] = 0
    model.output.b.array[...] = [1, 0, 0, 0, 0]
    found, = translate(model, characters, ['ab'], Search(
        9, 'logprob', n_best=5))
    # The end first; then the characters in the order of their numbers.
    assert [h.text for h in found] == ['', 'c', 'a', 'b', 'x']
    assert len({h.score for h in found[1:]}) == 1


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


def test_settings_are_the_papers():
    assert dataclasses.asdict(Search()) == {
        'width': 8, 'criterion': 'paper', 'alpha': .6, 'n_best': 1}
