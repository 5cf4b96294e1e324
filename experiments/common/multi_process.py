"""Several processes that train one model together, through ChainerMN.

The batches do not depend on the number of processes. All processes have the
whole data set and draw the same batches. Each trains on an equal share of
every batch. ChainerMN averages the gradients, so all make the same update. If
a model has no dropout, zoneout or batch normalisation, the result is the same
as with a single process, except for rounding. Only the root process evaluates,
prints and writes files. ChainerMN's ``scatter_dataset``, iterators and
evaluator are not used: their batches depend on the number of processes.
"""
import os
import sys

import chainer
from chainer.backends import cuda

from experiments.common import cli
from experiments.common.cli import explained
from experiments.common.cli import UserError


class MultiProcess:
    """One of several processes that mpiexec started.

    Creating an instance silences all processes except the root process.
    Afterwards, an error in one process ends all processes.

    Args:
        communicator (str): ``'naive'`` or ``'pure_nccl'``.

    """

    def __init__(self, communicator):
        advice = '; see docs/processes.rst for its installation'
        with explained('--communicator needs mpi4py ({})' + advice,
                       ImportError), \
                explained('--communicator needs an MPI, which mpi4py does not '
                          'find' + advice, RuntimeError):
            import chainermn
            from chainermn import global_except_hook
            # This communicator sends Python objects and arrays on the CPU.
            self._host = chainermn.create_communicator('naive')
        self.rank, self.size = self._host.rank, self._host.size
        started = cli.launched('SIZE')
        if started is None and self.size == 1:
            raise UserError('--communicator needs processes started by '
                            'mpiexec: mpiexec -n 2 python -m ...')
        # If a process ended without an abort, the others would wait forever.
        cli.end = self._host.mpi_comm.Abort
        if sys.excepthook is sys.__excepthook__:
            global_except_hook.add_hook()
        if self.rank:
            sys.stdout = open(os.devnull, 'w', errors='backslashreplace')
        if started not in (None, self.size):
            raise UserError(f'mpiexec started {started} processes, but '
                            f'mpi4py finds {self.size}; use the mpiexec of '
                            "mpi4py's MPI")
        self._name = communicator
        self._gradients = self._host
        if communicator == 'pure_nccl':
            with explained('--communicator pure_nccl is for GPUs: {}',
                           RuntimeError):
                # The default dtype is chainer.config.dtype, which may be
                # mixed16.
                self._gradients = chainermn.create_communicator(
                    'pure_nccl', allreduce_grad_dtype='float32')

    def use_device(self, specifier):
        if self._name == 'naive':
            if specifier not in ('-1', '@numpy'):
                raise UserError('--communicator naive is for CPUs; for GPUs '
                                'choose pure_nccl')
            return cli.use_device(specifier)
        if specifier != '-1':
            raise UserError('with --communicator pure_nccl, every process '
                            'uses the GPU of its local rank; omit --device')
        # If each process sees only one GPU, the index of that GPU is 0.
        n_devices = cuda.cupy.cuda.runtime.getDeviceCount()
        return cli.use_device(str(self._gradients.intra_rank % n_devices))

    def once(self, function):
        value, = self._host.bcast_obj(
            (function(),) if self.rank == 0 else None)
        return value

    def gather(self, value):
        return self._host.bcast_obj(self._host.gather_obj(value))

    def prepare(self, optimizer, device):
        self._host.bcast_data(optimizer.target)
        from chainermn import create_multi_node_optimizer
        several = create_multi_node_optimizer(optimizer, self._gradients)
        # Without this call, the first update would only broadcast the
        # parameters.
        several.is_changed(optimizer.target)
        return several

    def merge(self, model):
        observation = chainer.get_current_reporter().observation
        observations = self.gather(dict(observation))
        for key in observation:
            # Average with weights, unlike ChainerMN's ObservationAggregator.
            values = [observed[key] for observed in observations]
            pairs = [value if isinstance(value, tuple) else (value, 1)
                     for value in values]
            weight = sum(weight for _, weight in pairs)
            observation[key] = sum(
                mean * weight for mean, weight in pairs) / weight, weight
        # ChainerMN's AllreducePersistent is not used, because on GPUs it
        # requires a CUDA-aware MPI.
        for link in model.links():
            for name in sorted(link._persistent):
                value = getattr(link, name)
                if isinstance(value, link.xp.ndarray):
                    value[...] = link.xp.asarray(sum(self.gather(
                        cuda.to_cpu(value))) / self.size)
