import numpy

from experiments.imdb import baseline
from experiments.imdb import data


def corpus(write_lines, folder, n, text):
    parts = {part: [(text(i), i % 2) for i in range(n)]
             for part in ('train', 'test')}
    return data.load(str(write_lines(folder, **parts)))


def test_separable(tmp_path, write_lines):
    both = baseline.accuracies(corpus(
        write_lines, tmp_path, 200,
        lambda i: 'w{} {} w{}'.format(i % 7, ('bad', 'good')[i % 2], i % 11)))
    assert both == {'dev': 1, 'test': 1}


def test_words_count_once(tmp_path, write_lines):
    """Which words occur, not how often; without a word, the bias decides."""
    both = baseline.accuracies(corpus(
        write_lines, tmp_path, 200, lambda i: 'a ' * (i % 2 * 5 + 1)))
    assert both['test'] == .5
    both = baseline.accuracies(corpus(
        write_lines, tmp_path, 200, lambda i: ('', 'good')[i % 2]))
    assert both['test'] == 1


def test_majority(tmp_path, write_lines):
    pairs = [('', int(i % 4 > 0)) for i in range(100)] + [('a', 1)]
    both = baseline.accuracies(data.load(str(write_lines(
        tmp_path, train=pairs, test=pairs[:100]))))
    assert both['test'] == .75


def test_gradient():
    random = numpy.random.RandomState(0)
    lengths = random.randint(0, 6, 30)
    bags = baseline._Bags(data.Reviews(
        random.randint(0, 8, lengths.sum()), lengths,
        random.randint(0, 2, 30)))
    w, g = random.randn(9), random.randn(30)
    # Scores are linear: their gradient by g is that of g times scores.
    for i in range(9):
        up = w.copy()
        up[i] += 1
        numpy.testing.assert_allclose(
            (g * (bags.scores(up) - bags.scores(w))).sum(),
            bags.gradient(g, w)[i], atol=1e-9)
