"""Read binary files and arrays."""
import numpy

from experiments.common.cli import UserError


_LFS_POINTER = b'version https://git-lfs.github.com/spec/'


def open_binary(path):
    """Open a binary file for reading; a Git LFS pointer raises UserError."""
    f = open(path, 'rb')
    if f.peek(len(_LFS_POINTER)).startswith(_LFS_POINTER):
        f.close()
        raise UserError(f'{path} is a Git LFS pointer; run git lfs pull')
    return f


def read_arrays(path):
    """Return a dict of the arrays in a ``.npz`` file, without unpickling."""
    with open_binary(path) as f:
        try:
            with numpy.load(f, allow_pickle=False) as arrays:
                return dict(arrays)
        except Exception:  # damaged archives raise many types of errors
            raise UserError(f'{path} is damaged, or contains no arrays')
