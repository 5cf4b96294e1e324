"""Several processes that train one model together, by ChainerMN.

They train as a single process would. All of them have the whole data, go
through it in the same order, and take equal shares of every batch; ChainerMN
averages their gradients, and every process makes the same step with them.
Where nothing is drawn at random within a step, as dropout is, the parameters
are those of a single process, to rounding. The root process evaluates, writes
and prints. ChainerMN's ``scatter_dataset``, iterators and evaluator have no
place here: with them the batches would depend on the number of processes.
"""
import os
import sys

import chainer
from chainer.backends import cuda
from chainer.training import updaters
import numpy

from experiments.common import cli
from experiments.common.cli import explained
from experiments.common.cli import UserError
from experiments.common.training import Processes


class MultiProcess(Processes):
    """The processes that mpiexec started, seen from one of them.

    From here on only the root process prints, and an error of one ends all.

    Args:
        communicator (str): ``'naive'`` or ``'pure_nccl'``.

    """

    def __init__(self, communicator):
        advice = '; docs/processes.rst tells how to install it'
        with explained('--communicator needs mpi4py ({})' + advice,
                       ImportError), \
                explained('--communicator needs an MPI, which mpi4py does not '
                          'find' + advice, RuntimeError):
            import chainermn
            from chainermn import global_except_hook
            # For objects, and for arrays on the CPU
            self._host = chainermn.create_communicator('naive')
        self.rank, self.size = self._host.rank, self._host.size
        started = cli.launched('SIZE')
        if started is None and self.size == 1:
            raise UserError('--communicator is for processes that mpiexec '
                            'starts: mpiexec -n 2 python -m ...')
        # From here on a process that ends by itself would be waited for.
        cli.end = self._host.mpi_comm.Abort
        if sys.excepthook is sys.__excepthook__:
            global_except_hook.add_hook()
        if self.rank:
            sys.stdout = open(os.devnull, 'w')
        if started not in (None, self.size):
            raise UserError(f'mpiexec started {started} processes, but each '
                            f'finds {self.size}; it belongs to another MPI '
                            'than mpi4py')
        self._name = communicator
        self._gradients = self._host
        if communicator == 'pure_nccl':
            with explained('--communicator pure_nccl is for GPUs: {}',
                           RuntimeError):
                # By default it asks chainer.config for a dtype, where mixed16
                # is none.
                self._gradients = chainermn.create_communicator(
                    'pure_nccl', allreduce_grad_dtype='float32')

    def use_device(self, specifier):
        if self._name == 'naive':
            if specifier not in ('-1', '@numpy'):
                raise UserError('--communicator naive is for CPUs; on GPUs '
                                'train with pure_nccl')
            return super().use_device(specifier)
        if specifier != '-1':
            raise UserError('with --communicator pure_nccl every process '
                            'takes a GPU of its own; leave out --device')
        # Where each process is shown but one GPU, that is number 0.
        n_devices = cuda.cupy.cuda.runtime.getDeviceCount()
        return super().use_device(
            str(self._gradients.intra_rank % n_devices))

    def once(self, function):
        value, = self._host.bcast_obj(
            (function(),) if self.rank == 0 else None)
        return value

    def gather(self, value):
        return self._host.bcast_obj(self._host.gather_obj(value))

    def multi_node(self, optimizer):
        self._host.bcast_data(optimizer.target)
        from chainermn import create_multi_node_optimizer
        several = create_multi_node_optimizer(optimizer, self._gradients)
        # The first update would only spread the parameters, and lose a batch.
        several.is_changed(optimizer.target)
        return several

    def merge(self, trainer):
        theirs = self.gather(dict(trainer.observation))
        for key in trainer.observation:
            # ChainerMN's ObservationAggregator would need to be told how.
            pairs = [each[key] for each in theirs]
            weight = sum(weight for _, weight in pairs)
            trainer.observation[key] = sum(
                mean * weight for mean, weight in pairs) / weight, weight
        # ChainerMN's AllreducePersistent would need an MPI that knows CUDA.
        for link in trainer.updater.get_optimizer('main').target.links():
            for name in sorted(link._persistent):
                value = getattr(link, name)
                if isinstance(value, link.xp.ndarray):
                    value[...] = link.xp.asarray(sum(self.gather(
                        cuda.to_cpu(value))) / self.size)


class Updater(updaters.StandardUpdater):
    """Updater that trains on this process's share of every batch.

    ``count`` tells over how many things the loss of examples is the mean.
    """

    def __init__(self, iterator, optimizer, converter, device, processes,
                 count=len):
        super().__init__(iterator, optimizer, converter, device=device)
        self._processes = processes
        self._count = count

    def update_core(self):
        batch = self.get_iterator('main').next()
        share = self._processes.share(batch)
        # So the mean of all processes' losses is that of the whole batch.
        weight = (self._processes.size * self._count(share)
                  / self._count(batch))
        optimizer = self.get_optimizer('main')
        arrays = self.converter(share, self.input_device)
        optimizer.update(lambda: weight * optimizer.target(*arrays))


class BucketIterator(chainer.iterators.SerialIterator):
    """Iterator over batches of examples of similar length.

    Every epoch the examples are shuffled and cut into pools of 100 batches;
    each pool is sorted by length, and all batches are shuffled. So little is
    padded, and yet no two epochs have the same batches. ``random`` draws the
    same order in every process.
    """

    def __init__(self, dataset, lengths, batch_size, random):
        self._lengths = numpy.asarray(lengths)
        self._random = random
        super().__init__(dataset, batch_size, order_sampler=self._sample)

    def _sample(self, order, position):
        order = self._random.permutation(len(self._lengths))
        for start in range(0, len(order), 100 * self.batch_size):
            pool = order[start:start + 100 * self.batch_size]
            # Stable, so that a seed gives the same order everywhere
            pool[:] = pool[numpy.argsort(self._lengths[pool], kind='stable')]
        n_whole = len(order) // self.batch_size * self.batch_size
        self._random.shuffle(order[:n_whole].reshape(-1, self.batch_size))
        return order


def longest_first(lengths):
    """Return an order for one pass: if memory does not suffice, it shows."""
    return numpy.argsort(-numpy.asarray(lengths), kind='stable')
