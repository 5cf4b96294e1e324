"""Files, written whole or not at all, and read with clear complaints."""
import contextlib
import gzip
import json
import os
import zlib

from experiments.common.errors import explained
from experiments.common.errors import Problem


# What a file may unpack to: as many times its own size (text becomes ten
# times as long at most), or so many bytes in any case.
_GROWTH = 200
_SMALL = 2 ** 26


@contextlib.contextmanager
def replacing(path):
    """Opens a binary file that takes the place of ``path`` when complete.

    If writing fails or is killed, what was there before stays.
    """
    temporary = '{}.tmp{}'.format(path, os.getpid())
    try:
        with open(temporary, 'wb') as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_json(path, value):
    """Writes a value as indented JSON."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with replacing(path) as f:
        f.write(text.encode('utf-8') + b'\n')


def read_json(path):
    """Reads a value from JSON, or raises a :class:`Problem`."""
    try:
        with open(path, encoding='utf-8') as f:
            return json.load(f)
    except (ValueError, RecursionError):
        raise Problem('{} is damaged: it is not JSON'.format(path))


def read_bytes(path):
    """Reads a file, gunzipped if its name ends in ``.gz``."""
    with explained('cannot read {}: {{}}'.format(path),
                   OSError, EOFError, zlib.error):
        with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as f:
            return Bounded(f, path).read()


def check_growth(path, size):
    """Raises a :class:`Problem` if a file unpacks to too many bytes."""
    if size > _limit(path):
        raise Problem('{} unpacks to more than {} times its size; it is not '
                      'what it seems'.format(path, _GROWTH))


class Bounded(object):

    """An open file that gives no more bytes than its size on disk lets expect.

    Args:
        f: The open file, seekable, that unpacks what it reads.
        path (str): Name of the file on disk.

    Raises:
        Problem: If there is more to read.

    """

    def __init__(self, f, path):
        self._f = f
        self._path = path
        self._limit = _limit(path)
        self.seek, self.tell = f.seek, f.tell

    def read(self, size=-1):
        left = max(0, self._limit - self.tell())
        if size is None or not 0 <= size <= left:
            size = left + 1
        contents = self._f.read(size)
        check_growth(self._path, self.tell())
        return contents


def _limit(path):
    return max(_SMALL, _GROWTH * os.path.getsize(path))


def decode(contents, path, content):
    """Turns bytes into text, or raises a :class:`Problem`.

    Args:
        contents (bytes): What a file holds.
        path (str): Name of the file, to complain about.
        content (str): What it must hold, likewise.

    """
    try:
        text = contents.decode('utf-8')
    except UnicodeDecodeError:
        text = '\0'
    if '\0' in text:
        raise Problem('{} is not UTF-8 text; it must hold {}'.format(
            path, content))
    return text


def either(path):
    """The name of a file that may be gzipped, or ``None`` if there is none.
    """
    return next(filter(os.path.exists, (path, path + '.gz')), None)
