import re

import pytest

from experiments.imdb import data
from experiments.imdb import sample


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


def test_every_verdict_is_there(reviews):
    """Where it stands, its words are those of the label."""
    words = {'yes': (sample._BAD, sample._GOOD),
             'no': (sample._GOOD, sample._BAD)}
    words['No'] = [[word.capitalize() for word in each]
                   for each in words['no']]
    for template in sample._VERDICTS + sample._NEGATED + sample._PLAIN:
        parts = re.split(r'{(\w+)}', template)
        for label in 0, 1:
            pattern = ''.join(
                '(?:{})'.format('|'.join(words[part][label]))
                if part in words else r'\w+' if i % 2 else re.escape(part)
                for i, part in enumerate(parts))
            found = [own for text, own in reviews['train']
                     if re.search(pattern, text)]
            assert len(found) > 2
            assert set(found) == {label}


def test_fools_a_bag_of_words():
    corpus = data.sample(800, 300)
    assert data.bag_of_words_accuracies(corpus)['test'] < .75
