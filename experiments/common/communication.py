"""Several processes that train one model together, by ChainerMN.

They train as one process would. All of them have the whole data, go through
it in the same order, and take equal shares of every batch; ChainerMN averages
their gradients, and every process makes the same step with them. Where nothing
is drawn at random within a step, as dropout is, the parameters are those of a
single process, to rounding.

So four pieces of ChainerMN have no place here. ``scatter_dataset`` gives every
process examples of its own, and the batches would depend on how many there
are. ``create_multi_node_iterator`` sends whole batches, where their order says
as much; ``create_synchronized_iterator`` puts a plain shuffle in the place of
ours. ``create_multi_node_evaluator`` takes the shares of all processes for
equal.
"""
import os
import sys

from chainer.backends import cuda

from experiments.common import errors
from experiments.common import launcher
from experiments.common.errors import explained
from experiments.common.errors import Problem


NAMES = 'naive', 'pure_nccl'


def join(name):
    """The processes that train together, seen from this one.

    From here on only the first of several prints, and an error of one ends
    all.

    Args:
        name (str): One of :data:`NAMES`, or ``None`` for a single process,
            which needs no MPI.

    Returns:
        Alone: A single process, or one of several that has the same methods.

    """
    if name is not None:
        return _Together(name)
    if (launcher.size() or 1) > 1:
        raise Problem('each of these {} processes would train on its own; '
                      'with --communicator they train together'.format(
                          launcher.size()))
    return Alone()


class Alone(object):

    """A process that trains on its own: what several do, done by one.

    Attributes:
        rank (int): Number of this process. The first, of rank 0, is the one
            that reads, writes and prints.
        size (int): Number of processes.

    """

    rank = 0
    size = 1

    @property
    def has_terminal(self):
        """Whether what is printed is read as it comes."""
        return sys.stdout.isatty()

    def device(self, specifier):
        """The specifier of the device that this process computes on."""
        return specifier

    def once(self, function):
        """Calls a function in the first process only.

        Returns:
            What it returns there, in every process. Where it raises a
            :class:`Problem` or an ``OSError``, every process does.

        """
        return function()

    def gather(self, value):
        """The values that all processes call it with, in every process."""
        return [value]

    def send(self, rank, value):
        """Sends a value to a process, which must :meth:`receive` it."""
        self._sent = value

    def receive(self, rank):
        """Waits for the value that a process sends."""
        return self._sent

    def multi_node(self, optimizer):
        """Makes an optimizer go by the mean of all processes' gradients.

        Its hooks see the mean, too. Every process gets the parameters of the
        first.

        Args:
            optimizer (~chainer.Optimizer): The optimizer of a model that is
                still on the CPU.

        """
        return optimizer

    def share(self, batch):
        """This process's part of a batch, which is a sequence or an array."""
        n = len(batch)
        return batch[
            n * self.rank // self.size:n * (self.rank + 1) // self.size]

    def check_batch_size(self, batch_size):
        """Complains about batches that cannot be shared equally."""
        if batch_size % self.size:
            raise Problem('a batch of {} cannot be shared equally by {} '
                          'processes; --batch-size sets another'.format(
                              batch_size, self.size))

    def merge(self, observation, model):
        """Turns what came of a share of a batch into what comes of the whole.

        Args:
            observation (dict): Pairs of a mean and its weight, which change.
            model (~chainer.Link): The model. Of its persistent values, such
                as running averages, every process gets the means.

        """


class _Together(Alone):

    """One of several processes.

    Args:
        name (str): One of :data:`NAMES`.

    """

    def __init__(self, name):
        advice = '; the README tells how to install it'
        with explained('--communicator needs mpi4py ({})' + advice,
                       ImportError), \
                explained('--communicator needs an MPI, which mpi4py does not '
                          'find' + advice, RuntimeError):
            import chainermn
            from chainermn import global_except_hook
            # It is for objects and arrays on the CPU.
            self._host = chainermn.create_communicator('naive')
        self._name = name
        self._chainermn = chainermn
        self.rank, self.size = self._host.rank, self._host.size
        if launcher.size() is None and self.size == 1:
            raise Problem('--communicator is for processes that mpiexec '
                          'starts: mpiexec -n 2 python -m ...')
        # From here on a process that ends by itself would be waited for.
        errors.end = self._host.mpi_comm.Abort
        if sys.excepthook is sys.__excepthook__:
            global_except_hook.add_hook()
        if self.rank:
            sys.stdout = open(os.devnull, 'w')
        self._check_launcher()
        self._gradients = self._host
        if name == 'pure_nccl':
            with explained('--communicator pure_nccl is for GPUs: {}',
                           RuntimeError):
                # By default it asks chainer.config for a dtype, where mixed16
                # is none.
                self._gradients = chainermn.create_communicator(
                    name, allreduce_grad_dtype='float32')

    def _check_launcher(self):
        started = launcher.size()
        if started not in (None, self.size):
            raise Problem('mpiexec started {} processes, but each finds {}; '
                          'it belongs to another MPI than mpi4py'.format(
                              started, self.size))

    # mpiexec may make a terminal of what is a file in truth.
    has_terminal = False

    def device(self, specifier):
        if self._name == 'naive':
            if specifier not in ('-1', '@numpy'):
                raise Problem('--communicator naive is for CPUs; on GPUs '
                              'train with pure_nccl')
            return specifier
        if specifier != '-1':
            raise Problem('with --communicator pure_nccl every process takes '
                          'a GPU of its own; leave out --device')
        # Where each process is shown but one GPU, that is number 0.
        n_devices = cuda.cupy.cuda.runtime.getDeviceCount()
        return str(self._gradients.intra_rank % n_devices)

    def once(self, function):
        outcome = None
        if self.rank == 0:
            try:
                outcome = function(), None
            except (Problem, OSError) as error:
                outcome = None, error
        value, error = self._host.bcast_obj(outcome)
        if error is not None:
            raise error
        return value

    def gather(self, value):
        return self._host.bcast_obj(self._host.gather_obj(value))

    def send(self, rank, value):
        self._host.send_obj(value, rank)

    def receive(self, rank):
        return self._host.recv_obj(rank)

    def multi_node(self, optimizer):
        self._host.bcast_data(optimizer.target)
        several = self._chainermn.create_multi_node_optimizer(
            optimizer, self._gradients)
        # The first update would only spread the parameters, and lose a batch.
        several.is_changed(optimizer.target)
        return several

    def merge(self, observation, model):
        theirs = self.gather(dict(observation))
        for key in observation:
            # ChainerMN's ObservationAggregator would need to be told how.
            pairs = [each[key] for each in theirs]
            weight = sum(weight for _, weight in pairs)
            observation[key] = sum(
                mean * weight for mean, weight in pairs) / weight, weight
        # ChainerMN's AllreducePersistent would need an MPI that knows CUDA.
        for link in model.links():
            for name in sorted(link._persistent):
                value = getattr(link, name)
                if isinstance(value, link.xp.ndarray):
                    value[...] = link.xp.asarray(sum(self.gather(
                        cuda.to_cpu(value))) / self.size)
