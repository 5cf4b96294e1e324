import chainer
import numpy
import pytest

from experiments.imdb.batches import pad


CPU = chainer.get_device('@numpy')


def test_pad():
    examples = [(numpy.array(words, 'i'), numpy.array(label, 'i'))
                for words, label in (([3, 1, 2], 1), ([], 0), ([0, 4], 1))]
    words, lengths, labels = pad(examples, CPU)
    assert words.tolist() == [[3, 1, 2], [-1, -1, -1], [0, 4, -1]]
    assert lengths.tolist() == [3, 0, 2]
    assert labels.tolist() == [1, 0, 1]
    assert {array.dtype for array in (words, lengths, labels)} == {
        numpy.dtype('i')}


def test_empty_reviews_only():
    words, lengths, _ = pad([(numpy.array([], 'i'), 0)], CPU)
    assert words.tolist() == [[-1]] and lengths.tolist() == [0]


@pytest.mark.gpu
def test_lengths_stay_on_the_cpu():
    words, lengths, labels = pad(
        [(numpy.array([1], 'i'), 0)], chainer.get_device('@cupy:0'))
    assert isinstance(lengths, numpy.ndarray)
    assert not isinstance(words, numpy.ndarray)
    assert not isinstance(labels, numpy.ndarray)
