import chainer
import numpy
import pytest

from experiments.imdb.pqrnn import misspell
from experiments.imdb.pqrnn import Projection


def features(word, n=512):
    return Projection([word], n)(numpy.array([0]))[0]


def test_ternary_and_balanced():
    words = [f'word{i}' for i in range(300)]
    x = Projection(words, 512)(numpy.arange(300))
    assert x.shape == (300, 512) and x.dtype == 'f'
    for value, share in (-1, .25), (0, .5), (1, .25):
        assert abs((x == value).mean() - share) < .01
    # Features of different words are independent.
    product = x @ x.T / 256
    assert abs(product[~numpy.eye(300, dtype=bool)]).max() < .35


def test_case_does_not_matter():
    assert (features('Good') == features('good')).all()
    assert (features('good') != features('goods')).any()
    assert (features('naïve') != features('naive')).any()
    features('\ud800')  # an unpaired surrogate is allowed


def test_features_are_fixed():
    """Features must not change, because trained weights depend on them."""
    assert ''.join('-0+'[int(value) + 1] for value in features(
        'brilliant', 64)) == (
            '0+0+0-+-000----0+-0+000-0+000+0+'
            '-00++00-0-0+000-0+0+-++-0-0--0++')


def test_new_words_are_numbered():
    project = Projection(['a', 'b'], 8)
    assert [project.number(word) for word in 'bca'] == [1, 2, 0]
    previous = project(numpy.array([0, 1, 2]))
    assert project.number('d') == 3
    new = project(numpy.array([0, 1, 2, 3]))
    assert (previous == new[:3]).all()
    assert (new[3] == features('d', 8)).all()


def test_distortion_in_training_only():
    project = Projection(['reviewer'], 64, distortion=.25)
    numbers = numpy.zeros(2000, int)
    changed = (project(numbers) != features('reviewer', 64)).any(axis=1)
    assert abs(changed.mean() - .25) < .05
    with chainer.using_config('train', False):
        assert (project(numbers) == features('reviewer', 64)).all()


@pytest.mark.parametrize('word', ['a', 'it', 'good'])
def test_misspell(word):
    seen = {misspell(word) for _ in range(2000)}
    assert all(abs(len(other) - len(word)) <= 1 and other for other in seen)
    if len(word) > 1:
        assert word[1:] in seen  # a letter is missing
        assert word[1] + word[0] + word[2:] in seen  # two letters are swapped
    assert 'z' + word[1:] in seen  # a letter is replaced
