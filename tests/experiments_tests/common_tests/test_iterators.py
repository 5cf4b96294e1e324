import pytest

from experiments.common.iterators import TrackingIterator


@pytest.mark.parametrize('n, batch_size', [(10, 3), (9, 3), (3, 3), (1, 1)])
def test_last_indices(n, batch_size):
    iterator = TrackingIterator(list(range(n)), batch_size)
    for _ in range(3 * n):
        batch = next(iterator)
        assert iterator.last_indices == batch
    assert iterator.epoch >= 3


def test_description():
    iterator = TrackingIterator([7, 8], 2)
    iterator.next()
    assert iterator.batch_description in (
        'training examples {}, counted from 0'.format(each)
        for each in ('0, 1', '1, 0'))
