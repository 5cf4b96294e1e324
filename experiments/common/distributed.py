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

from chainer.backends import cuda

from experiments.common import cli
from experiments.common.cli import explained
from experiments.common.cli import UserError
from experiments.common.training import Processes

_ADVICE = '; docs/processes.rst tells how to install it'
with explained('--communicator needs mpi4py ({})' + _ADVICE, ImportError), \
        explained('--communicator needs an MPI, which mpi4py does not find'
                  + _ADVICE, RuntimeError):
    import chainermn
    from chainermn import global_except_hook


class MultiProcess(Processes):
    """The processes that mpiexec started, seen from one of them.

    From here on only the root process prints, and an error of one ends all.

    Args:
        communicator (str): ``'naive'`` or ``'pure_nccl'``.

    """

    def __init__(self, communicator):
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
        several = chainermn.create_multi_node_optimizer(
            optimizer, self._gradients)
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
