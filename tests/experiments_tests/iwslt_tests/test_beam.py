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


def log_probabilities(model, characters, line, texts):
    """Of each character of each text, its end included, by one rerun."""
    source, found = characters.source(line), []
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for text in texts:
            target = characters.target(text)
            model.read(source[None], [len(source)])
            log_p = chainer.functions.log_softmax(
                model._write(model._shifted(target[None]))[0]).array
            found.append(log_p[range(len(target)), target].astype('f8'))
    return found


def same(actual, expected):
    assert [h.text for h in actual] == [h.text for h in expected]
    for a, e in zip(actual, expected):
        assert a.score == pytest.approx(e.score, rel=1e-5)
        assert a.log_probability == pytest.approx(
            e.log_probability, rel=1e-5)


@criteria
@pytest.mark.parametrize('alpha', [0, .6])
def test_full_width_is_exhaustive(random_model, monkeypatch, criterion, alpha):
    """The best of all texts, however they are found."""
    model, characters = random_model('ab')
    monkeypatch.setattr(
        beam, 'length_limit', lambda n_source: 4 + 0 * n_source)
    search = Search(100, criterion, alpha, n_best=15)
    texts = [''.join(text) for n in range(4)
             for text in itertools.product('ab', repeat=n)]
    for line, found in zip(LINES, translate(
            model, characters, LINES, search)):
        scored = []
        for text, log_p in zip(texts, log_probabilities(
                model, characters, line, texts)):
            log_p, T, target_length = log_p.sum(), len(text) + 1, len(line) + 5
            score = {
                'paper': (T + alpha * (target_length - T)) / T * log_p,
                'logprob': log_p,
                'gnmt': log_p * (6 / (5 + T)) ** alpha}[criterion]
            scored.append(beam.Hypothesis(text, score, log_p))
        scored.sort(key=lambda hypothesis: -hypothesis.score)
        same(found, scored)
        # Pruned to few, it is no better.
        few, = translate(
            model, characters, [line], Search(2, criterion, alpha))
        assert few[0].score <= scored[0].score + 1e-5


@criteria
def test_ends_early_without_loss(random_model, monkeypatch, criterion):
    """What is found is what searching on to the end finds."""
    model, characters = random_model('abcdxyz')
    search = Search(6, criterion, n_best=3)
    found = list(translate(model, characters, LINES, search))
    n_steps = count_steps(monkeypatch, model)
    list(translate(model, characters, LINES, search))
    monkeypatch.setattr(beam._Beams, 'is_over', lambda self: (
        self.ended.all(axis=1)))
    early = len(n_steps)
    for ours, theirs in zip(found, translate(
            model, characters, LINES, search)):
        same(ours, theirs)
    assert early <= len(n_steps) - early


def count_steps(monkeypatch, model):
    steps, step = [], model.step
    object.__setattr__(model, 'step', lambda y: (
        steps.append(len(y)), step(y))[1])
    return steps


@pytest.mark.parametrize('layer, criterion', [
    ('qrnn', 'logprob'), ('qrnn', 'gnmt'), ('qrnn', 'paper'),
    ('lstm', 'paper')])
def test_width_1_is_greedy(random_model, layer, criterion):
    model, characters = random_model('abxy', layer)
    for line, (found,) in zip(LINES, translate(
            model, characters, LINES, Search(1, criterion))):
        source, text, before = characters.source(line), [], characters.eos
        with chainer.using_config('train', False):
            model.read(source[None], [len(source)])
            while len(text) < beam.length_limit(len(line)) - 1:
                before = int(model.step(
                    numpy.array([before], 'i')).array.argmax())
                text.append(before)
                if before == characters.eos:
                    break
        assert found.text == characters.text(text)


@pytest.mark.parametrize('batch_size', [3, 32])
@layers
def test_the_batch_changes_nothing(random_model, layer, batch_size):
    model, characters = random_model('abcdxyz', layer)
    search = Search(3, n_best=2)
    for line, found in zip(LINES, translate(
            model, characters, LINES, search, batch_size)):
        alone, = beam.beam_search(model, characters, [line], search)
        same(found, alone)


def test_scores_are_those_of_the_texts(random_model):
    model, characters = random_model('abcdxyz')
    for line, found in zip(LINES, translate(
            model, characters, LINES, Search(4, n_best=4))):
        assert len({h.text for h in found}) == len(found) == 4
        assert sorted(found, key=lambda h: -h.score) == found
        limit = beam.length_limit(len(line))
        kept = [h for h in found if len(h.text) < limit - 1]
        for h, log_p in zip(kept, log_probabilities(
                model, characters, line, [h.text for h in kept])):
            assert h.log_probability == pytest.approx(log_p.sum(), rel=1e-4)


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
    # The end first; then the characters in the order of their numbers.
    expected = ['', 'c', 'a', 'b', 'x']
    found, = translate(model, characters, ['ab'], Search(
        9, 'logprob', n_best=5))
    assert [h.text for h in found] == expected
    assert len({h.score for h in found[1:]}) == 1


def test_empty_lines_and_order(random_model):
    model, characters = random_model('abxy')
    lines = ['', 'ab', '', '', 'babab', '']
    found = list(translate(model, characters, lines, Search(3, n_best=2)))
    assert [len(each) for each in found] == [1, 2, 1, 1, 2, 1]
    assert found[0][0].text == ''
    for i in 1, 4:
        same(found[i], beam.beam_search(
            model, characters, [lines[i]], Search(3, n_best=2))[0])
    assert list(translate(model, characters, [])) == []
    assert [each[0].text for each in translate(
        model, characters, ['', ''])] == ['', '']


def test_memory_does_not_grow_with_the_lines(random_model, monkeypatch):
    """Lines are taken as they are needed, and long ones a few at a time."""
    model, characters = random_model('abxy')
    taken = []

    def lines():
        for i in range(200):
            taken.append(i)
            yield 'ab'

    monkeypatch.setattr(beam, '_BATCHES', 3)
    for i, _ in zip(range(7), translate(
            model, characters, lines(), Search(1), batch_size=2)):
        assert len(taken) == 6 * (i // 6 + 1)
    assert [len(batch) for batch in beam._batches(
        [100, 2000, 3, 800, 0, 1600, 100, 3], 8)] == [1, 1, 2, 3]
    assert sorted(itertools.chain(*beam._batches([3, 0, 1, 2], 2))) == [
        0, 2, 3]


def test_leaves_no_graph_and_no_dropout(random_model):
    model, characters = random_model('abxy', dropout=.5)
    found = [list(translate(model, characters, LINES)) for _ in range(2)]
    assert found[0] == found[1]
    for state in model.decoder.state:
        assert all(part.creator is None for part in state)


def test_settings_are_the_papers():
    assert dataclasses.asdict(Search()) == {
        'width': 8, 'criterion': 'paper', 'alpha': .6, 'n_best': 1}
