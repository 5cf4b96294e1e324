"""Batches that can be named when something is wrong with one."""
import chainer
import numpy


class TrackingIterator(chainer.iterators.SerialIterator):

    """Serial iterator that can tell which examples it gave last.

    Arguments are those of :class:`chainer.iterators.SerialIterator`, which
    has to shuffle, and a batch is at most the whole data set.
    """

    def __next__(self):
        self._before = self._state
        return super(TrackingIterator, self).__next__()

    next = __next__

    def serialize(self, serializer):
        super(TrackingIterator, self).serialize(serializer)
        n, order = len(self.dataset), self._state.order
        if (not numpy.array_equal(numpy.sort(order), numpy.arange(n))
                or not 0 <= self.current_position < max(n, 1)):
            raise ValueError('its order is not one of {} examples'.format(n))

    @property
    def last_indices(self):
        """Indices of the examples of the last batch, in the data set."""
        start = self._before.current_position
        indices = self._before.order[start:start + self.batch_size].tolist()
        if self.is_new_epoch:  # of the next epoch's order, then
            indices += self._state.order[:self.current_position].tolist()
        return indices

    @property
    def batch_description(self):
        """The last batch in words."""
        return 'training examples {}, counted from 0'.format(
            ', '.join(map(str, self.last_indices)))
