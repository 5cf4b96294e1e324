import re

import pytest

from experiments.imdb import data
from experiments.imdb import sample
from experiments.imdb.baseline import bag_of_words_accuracies


@pytest.fixture(scope='module')
def reviews():
    return sample.sample(1000, 100)


def test_seeded_and_balanced(reviews):
    assert sample.sample(1000, 100) == reviews
    assert sample.sample(1000, 100, seed=1) != reviews
    assert {part: (len(pairs), sum(label for _, label in pairs))
            for part, pairs in reviews.items()} == {
        'train': (1000, 500), 'test': (100, 50)}
    texts = {text for text, _ in reviews['train']}
    assert len(texts) > 990
    assert not texts & {text for text, _ in reviews['test']}
    for text in texts:
        assert '{' not in text and '  ' not in text
        assert 2 <= len(re.findall(r'[.!?] ', text + ' ')) <= 7


def test_a_bag_of_words_does_not_suffice():
    corpus = data.sample(800, 300)
    assert bag_of_words_accuracies(corpus)['test'] < .75
