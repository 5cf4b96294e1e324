import numpy
import pytest

from experiments.common.batches import BucketIterator
from experiments.common.batches import longest_first


class TestBucketIterator:

    def orders(self, lengths, batch_size=24, seed=0):
        """Yield the order of the examples in each epoch."""
        iterator = BucketIterator(
            list(range(len(lengths))), lengths, batch_size,
            seed)
        while True:
            yield iterator._state.order.copy()
            epoch = iterator.epoch
            while iterator.epoch == epoch:
                iterator.next()

    @pytest.fixture
    def lengths(self):
        return numpy.random.RandomState(0).randint(1, 500, 1003)

    @pytest.mark.parametrize('n', [1, 5, 1003])
    def test_every_example_once(self, n):
        orders = self.orders(numpy.arange(n) % 7, 4)
        for _ in range(3):
            assert sorted(next(orders)) == list(range(n))

    def test_lengths_are_similar_within_batches_and_random_between(
            self, lengths):
        def batches(order):
            return lengths[order[:984]].reshape(-1, 24)

        def padded(order):
            sizes = batches(order)
            return (sizes.max(axis=1) * 24).sum() / sizes.sum()

        order = next(self.orders(lengths))
        assert padded(numpy.arange(1003)) > 1.8 and padded(order) < 1.1
        means = batches(order).mean(axis=1)
        assert abs(numpy.corrcoef(means, numpy.arange(41))[0, 1]) < .5

    def test_epochs_differ_and_a_seed_repeats_them(self, lengths):
        first, again = (self.orders(lengths) for _ in range(2))
        epochs = [next(first), next(first)]
        assert not numpy.array_equal(*epochs)
        for order in epochs:
            assert numpy.array_equal(order, next(again))


def test_longest_first():
    assert longest_first([3, 5, 3, 9]).tolist() == [3, 1, 0, 2]
