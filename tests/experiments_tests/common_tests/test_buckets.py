import numpy
import pytest

from experiments.common.buckets import BucketSampler
from experiments.common.buckets import by_length


@pytest.fixture
def lengths():
    return numpy.random.RandomState(0).randint(1, 500, 1003)


class TestBucketSampler(object):

    def test_every_example_once(self, lengths):
        order = BucketSampler(lengths, 24)(numpy.arange(1003), 0)
        assert sorted(order) == list(range(1003))

    def test_batches_are_of_similar_length(self, lengths):
        def padded(order):
            batches = lengths[order[:984]].reshape(-1, 24)
            return (batches.max(axis=1) * 24).sum() / batches.sum()
        assert padded(numpy.arange(1003)) > 1.8
        assert padded(BucketSampler(lengths, 24)(None, 0)) < 1.1

    def test_batches_come_in_no_order(self, lengths):
        order = BucketSampler(lengths, 24)(None, 0)
        means = lengths[order[:984]].reshape(-1, 24).mean(axis=1)
        assert abs(numpy.corrcoef(means, numpy.arange(41))[0, 1]) < .5

    def test_epochs_differ_and_a_seed_repeats_them(self, lengths):
        sampler = BucketSampler(lengths, 24, pool_size=5)
        numpy.random.seed(0)
        first, second = [sampler(None, 0) for _ in range(2)]
        numpy.random.seed(0)
        assert (sampler(None, 0) == first).all()
        batches = [{frozenset(batch) for batch in order[:984].reshape(-1, 24)}
                   for order in (first, second)]
        assert not batches[0] & batches[1]

    @pytest.mark.parametrize('n', [0, 1, 5])
    def test_few(self, n):
        assert sorted(BucketSampler(n * [3], 4)(None, 0)) == list(range(n))


def test_by_length():
    assert by_length([3, 5, 3, 9]).tolist() == [3, 1, 0, 2]
