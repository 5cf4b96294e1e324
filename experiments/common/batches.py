"""Batches of sequences of different lengths."""
import json

import chainer
from chainer.training import updaters
import numpy

from experiments.common.processes import share


class BucketIterator(chainer.iterators.SerialIterator):
    """Iterator over batches of examples of similar length.

    In every epoch the examples are shuffled and divided into pools of 100
    batches. Each pool is sorted by length. Then the order of all batches is
    shuffled. The batches need little padding and differ between epochs.
    Iterators with the same seed return the same batches.

    Args:
        dataset: Examples.
        lengths (sequence of int): Length of each example.
        batch_size (int): Number of examples in a batch.
        seed (int): Seed of the order.

    """

    def __init__(self, dataset, lengths, batch_size, seed):
        self._lengths = numpy.asarray(lengths)
        self._random = numpy.random.RandomState(seed)
        super().__init__(dataset, batch_size, order_sampler=self._sample)

    def _sample(self, order, position):
        order = self._random.permutation(len(self._lengths))
        for start in range(0, len(order), 100 * self.batch_size):
            pool = order[start:start + 100 * self.batch_size]
            # A stable sort gives the same order on every platform.
            pool[:] = pool[numpy.argsort(self._lengths[pool], kind='stable')]
        n_whole = len(order) // self.batch_size * self.batch_size
        self._random.shuffle(order[:n_whole].reshape(-1, self.batch_size))
        return order

    def serialize(self, serializer):
        super().serialize(serializer)
        kind, keys, *rest = self._random.get_state()
        state = serializer('random', json.dumps([kind, keys.tolist(), *rest]))
        self._random.set_state(tuple(json.loads(str(state))))


def longest_first(lengths):
    """Return the indices that sort sequences by decreasing length.

    If memory is insufficient, an evaluation in this order fails at its start.
    """
    return numpy.argsort(-numpy.asarray(lengths), kind='stable')


class SharingUpdater(updaters.StandardUpdater):
    """Updater in which each process trains on its share of every batch.

    Args:
        iterator, optimizer, converter, device: As in Chainer's
            :class:`~chainer.training.updaters.StandardUpdater`.
        processes (SingleProcess or MultiProcess): The processes.
        count (callable): Function that receives a list of examples. It
            returns the number of items over which the model averages its loss.

    """

    def __init__(self, iterator, optimizer, converter, device, processes,
                 count=len):
        super().__init__(iterator, optimizer, converter, device=device)
        self._processes = processes
        self._count = count

    def update_core(self):
        batch = self.get_iterator('main').next()
        part = share(batch, self._processes)
        # With this weight, the mean of the losses of all processes is the loss
        # of the whole batch.
        weight = (self._processes.size * self._count(part)
                  / self._count(batch))
        optimizer = self.get_optimizer('main')
        arrays = self.converter(part, self.input_device)
        optimizer.update(lambda: weight * optimizer.target(*arrays))
        self._processes.merge(optimizer.target)
