"""What mpiexec tells a process, before and without MPI itself."""
import os


def rank():
    """Number of this process among those started together, 0 if alone."""
    return _number('RANK', 0)


def size():
    """Number of processes started together; ``None`` without mpiexec."""
    return _number('SIZE', None)


def _number(name, default):
    # Open MPI's name, and MPICH's
    for prefix in 'OMPI_COMM_WORLD_', 'PMI_':
        value = os.environ.get(prefix + name, '')
        if value.isdigit():
            return int(value)
    return default
