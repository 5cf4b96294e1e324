"""Batches of examples of similar length."""
import numpy


class BucketSampler(object):

    """Order in which neighbours have about the same length.

    It is an ``order_sampler`` of :class:`chainer.iterators.SerialIterator`.
    Every epoch the examples are shuffled and cut into pools of
    ``pool_size`` batches; each pool is sorted by length, and all batches are
    shuffled. So little is padded, and yet no two epochs have the same batches.

    Args:
        lengths (sequence of int): Length of every example.
        batch_size (int): Number of examples in a batch.
        pool_size (int): Number of batches in a pool.
        random (numpy.random.RandomState): What shuffles.

    """

    def __init__(self, lengths, batch_size, pool_size=100,
                 random=numpy.random):
        self._lengths = numpy.asarray(lengths)
        self._batch_size = batch_size
        self._pool_size = pool_size
        self._random = random

    def __call__(self, current_order, current_position):
        order = self._random.permutation(len(self._lengths))
        size = self._pool_size * self._batch_size
        for start in range(0, len(order), size):
            pool = order[start:start + size]
            # Stable, so that a seed gives the same order everywhere.
            pool[:] = pool[numpy.argsort(self._lengths[pool], kind='stable')]
        n_whole = len(order) // self._batch_size * self._batch_size
        batches = order[:n_whole].reshape(-1, self._batch_size)
        self._random.shuffle(batches)
        return order


def by_length(lengths):
    """Order for a single pass, the longest first.

    Where memory does not suffice, that shows at once.
    """
    return numpy.argsort(-numpy.asarray(lengths), kind='stable')
