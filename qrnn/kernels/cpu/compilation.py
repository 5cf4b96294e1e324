"""Compilation of the loops, and an on-disk cache of the compiled code."""
import contextlib
import functools
import hashlib
import logging
import os
import pathlib
import pickle
import uuid

import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps


#: Flags of LLVM that allow fused multiply-adds and ignore the sign of 0. Flags
#: that assume finite values are omitted, because NaN and infinity must stay
#: visible if training diverges.
FASTMATH = {'contract', 'nsz'}

_logger = logging.getLogger(__name__)


def compiled(function, fastmath=FASTMATH):
    """Compile a loop over arrays on its first call, and cache it on disk.

    The loop releases Python's global lock. It may use compiled functions and
    constants of any file in this folder. To copy a row, the loop should call
    :func:`qrnn.kernels.cpu.rows.copy`. Assigning a slice of one array to a
    slice of another array adds two seconds to the first compilation.

    Each compilation is logged at level INFO.

    Args:
        function (callable): Function whose arguments are arrays and numbers.
        fastmath (set of str): Flags of LLVM. With ``'reassoc'``, a sum over a
            row is compiled to vector instructions.

    """
    loop = numba.njit(
        nogil=True, error_model='numpy', fastmath=fastmath)(function)
    with contextlib.suppress(RuntimeError, OSError):  # no folder is writable
        loop._cache = _Cache(function)
    return loop


class _Cache(FunctionCache):
    """Cache that has one file per key and logs errors instead of raising them.

    Numba's own cache lists the files of a function in an index. If the index
    is damaged, every call fails. If two processes write the index at the same
    time, a key may get the code of another key.
    """

    def __init__(self, function):
        super().__init__(function)
        self._cache_file = _Files(
            os.path.join(self.cache_path, self._impl.filename_base))

    def load_overload(self, sig, target_context):
        try:
            found = super().load_overload(sig, target_context)
        except Exception as error:
            _logger.info('the cache of %s is unreadable: %s',
                         self._name, error)
            found = None
        if found is None:
            _logger.info('compiling %s %s', self._name, sig)
        return found

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _logger.info('%s is not cached: %s', self._name, error)


class _Files:
    """Files of compiled code, one per key.

    Each file contains a checksum over the code, the key, Numba's version and
    the source files.
    """

    def __init__(self, prefix):
        self._prefix = prefix

    def load(self, key):
        """Return the data of a key, or None if there is no valid file."""
        try:
            contents = pathlib.Path(self._path(key)).read_bytes()
        except FileNotFoundError:
            return None
        checksum, data = contents[:32], contents[32:]
        if checksum == _checksum(key, data):
            return pickle.loads(data)

    def save(self, key, data):
        """Save data atomically, and replace a stale or damaged file."""
        data = dumps(data)
        path = self._path(key)
        temporary = f'{path}.tmp.{uuid.uuid4().hex[:16]}'
        try:
            with open(temporary, 'wb') as file:
                file.write(_checksum(key, data) + data)
            os.replace(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _path(self, key):
        # The file name does not depend on the source code of the loop, so the
        # file of a changed loop replaces the old file.
        signature, machine, (_, constants) = key
        name = _digest(repr((signature, machine, constants)).encode())
        return f'{self._prefix}.{name.hex()[:16]}.nbc'


def _checksum(key, data):
    origin = repr((numba.__version__, _sources(), key))
    return _digest(origin.encode() + data)


@functools.cache
def _sources():
    """Return a digest of all files whose functions a loop may use."""
    files = sorted(pathlib.Path(__file__).parent.glob('*.py'))
    return _digest(b''.join(file.read_bytes() for file in files))


def _digest(data):
    return hashlib.sha256(data).digest()
