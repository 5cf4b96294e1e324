"""Arrays from ``.npz`` files that anybody may have made."""
import math
import zipfile

import numpy

from experiments.common.errors import Problem
from experiments.common.files import check_growth


def read_arrays(path):
    """Reads the arrays of a ``.npz`` file.

    Nothing is unpickled, and no more memory is taken than the file is worth:
    an array's header must declare just what follows it.

    Args:
        path (str): Name of the file.

    Returns:
        dict: Arrays by name.

    Raises:
        Problem: If it is damaged, or is something else.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_growth(path, sum(each.file_size for each in members))
            arrays = {each.filename.removesuffix('.npy'):
                      _read(archive, each) for each in members}
            if len(arrays) < len(members):
                raise ValueError('there are arrays of the same name')
            return arrays
    except (OSError, Problem):
        raise
    except Exception:  # a damaged archive fails in many ways
        raise Problem('{} is damaged, or does not hold arrays'.format(path))


_HEADERS = {(1, 0): numpy.lib.format.read_array_header_1_0,
            (2, 0): numpy.lib.format.read_array_header_2_0}


def _read(archive, member):
    with archive.open(member) as f:
        shape, _, dtype = _HEADERS[numpy.lib.format.read_magic(f)](f)
        size = member.file_size - f.tell()
    if (dtype.kind not in 'biufSU' or min(shape, default=0) < 0
            or math.prod(shape) * dtype.itemsize != size):
        raise ValueError('this is no array of numbers or text')
    with archive.open(member) as f:
        return numpy.lib.format.read_array(f, allow_pickle=False)
