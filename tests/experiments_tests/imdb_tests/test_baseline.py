import pytest

from experiments.imdb.baseline import bag_of_words_accuracies
from experiments.imdb.data import Corpus
from experiments.imdb.tokenizer import tokenize_all


def corpus_of(train, test):
    return Corpus('here', tokenize_all({'train': train, 'test': test}))


@pytest.mark.parametrize('pairs, accuracy', [
    ([(f'w{i % 7} {("bad", "good")[i % 2]} w{i % 11}', i % 2)
      for i in range(200)], 1),
    # Repetitions of a word in a review are ignored.
    ([('a ' * (i % 2 * 5 + 1), i % 2) for i in range(200)], .5),
    # The bias alone determines the label of an empty review.
    ([(('', 'good')[i % 2], i % 2) for i in range(200)], 1),
    ([('', int(i % 4 > 0)) for i in range(100)], .75),
])
@pytest.mark.parametrize('bigrams', [False, True])
def test_bag_of_words(pairs, accuracy, bigrams):
    corpus = corpus_of(pairs + [('a', 1)], pairs)
    assert bag_of_words_accuracies(corpus, bigrams)['test'] == (
        1 if bigrams and pairs[1][0] == 'a a a a a a ' else accuracy)


def test_bag_of_bigrams_sees_order_within_a_review():
    pairs = [(('not bad good', 'not good bad')[i % 2], i % 2)
             for i in range(200)]
    corpus = corpus_of(pairs + [('a', 1)], pairs)
    assert bag_of_words_accuracies(corpus)['test'] == .5
    assert bag_of_words_accuracies(corpus, bigrams=True)['test'] == 1
    # Bigrams do not extend from the end of a review to the next review.
    pairs = 100 * [('b a', 0), ('b b a', 0), ('a b', 1)]
    corpus = corpus_of(pairs + [('a', 1)], [('b', 0), ('a', 0)] + pairs)
    assert bag_of_words_accuracies(corpus, bigrams=True)['test'] > .99
