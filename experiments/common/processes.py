"""The processes that train together: one, or several through ChainerMN."""
import chainer
import numpy

from experiments.common import cli


def join(communicator, batch_size):
    """Return a :class:`SingleProcess` or a ``MultiProcess``.

    ``communicator`` is ``'naive'``, ``'pure_nccl'``, or None for a single
    process. ``batch_size`` must be divisible by the number of processes.
    """
    if communicator is not None:
        from experiments.common.multi_process import MultiProcess
        processes = MultiProcess(communicator)
    elif (cli.launched('SIZE') or 1) > 1:
        raise cli.UserError(
            f"mpiexec started {cli.launched('SIZE')} processes, which would "
            'train independently; to train one model, add --communicator')
    else:
        processes = SingleProcess()
    if batch_size % processes.size:
        raise cli.UserError(
            f'--batch-size {batch_size} is not divisible by '
            f'{processes.size} processes; choose a multiple of '
            f'{processes.size}')
    return processes


class SingleProcess:
    """A process that trains alone, with the interface of ``MultiProcess``."""

    rank = 0  # index of this process; the root process has index 0
    size = 1

    def use_device(self, specifier):
        """Make the device of this process the current device; return it."""
        return cli.use_device(specifier)

    def once(self, function):
        """Return a function's value, which only the root process computes."""
        return function()

    def gather(self, value):
        """Return a list of the values of all processes."""
        return [value]

    def prepare(self, optimizer, device):
        """Return an optimizer for these processes.

        On a GPU, a single process moves the model to the GPU and packs it.
        """
        if device.xp is not numpy:
            from experiments.common.packed import Packed
            optimizer.target.to_device(device)
            optimizer.target = Packed(optimizer.target)
        return optimizer

    def merge(self, model):
        """Average reported and persistent values over all processes."""


def share(batch, processes):
    """Return this process's part of a batch, which is a list or an array."""
    n, rank, size = len(batch), processes.rank, processes.size
    return batch[n * rank // size:n * (rank + 1) // size]


def seed_all(seed, device, rank=0):
    """Seed NumPy's and CuPy's generators, differently in each process."""
    if rank:
        sequence = numpy.random.SeedSequence((seed, rank))
        seed = int(sequence.generate_state(1)[0])
    numpy.random.seed(seed)
    seed_device(device)


def seed_device(device):
    """Seed CuPy's generator from the state of NumPy's generator.

    The state of CuPy's generator cannot be read, so snapshots do not contain
    it.
    """
    if device.xp is not numpy:
        keys = numpy.random.get_state()[1][:8]
        with chainer.using_device(device):
            device.xp.random.seed(
                int(numpy.random.RandomState(keys).randint(2 ** 31)))
