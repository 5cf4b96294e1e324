"""Read text and JSON from users, and download files.

Text is UTF-8, with or without byte order mark, and may be gzipped. Lines end
at ``\\n`` or ``\\r\\n`` only.
"""
import codecs
import contextlib
import gzip
import hashlib
import io
import json
import os
import socket
import zlib

import chainer

from experiments.common.cli import explained
from experiments.common.cli import UserError
from experiments.common.files import open_binary


_GZIP = b'\x1f\x8b'  # UTF-8 text never starts with these bytes


def read_lines(path):
    """Yield the lines of a text file, without line ends."""
    with opened(path) as f:
        for contents, number, offset in split_lines(f):
            yield decode(contents, path, number, offset)


def read_text(path):
    """Return the contents of a text file."""
    with opened(path) as f:
        return decode(f.read(), path)


def split_lines(stream):
    """Yield a tuple for each line: contents, line number, byte offset.

    Line ends and a byte order mark are removed.
    """
    offset = 0
    for number, line in enumerate(stream, 1):
        contents = line.removesuffix(b'\n').removesuffix(b'\r')
        if number == 1 and contents.startswith(codecs.BOM_UTF8):
            yield contents[3:], number, 3
        else:
            yield contents, number, offset
        offset += len(line)


def decode(contents, name, line=1, offset=0):
    """Decode UTF-8 text; NUL and invalid bytes raise UserError.

    ``line`` and ``offset`` are the position at which the text starts in the
    file ``name``.
    """
    try:
        text = contents.decode()
        position = contents.find(b'\0')
        if position < 0:
            return text if offset else text.removeprefix('\ufeff')
    except UnicodeDecodeError as error:
        position = error.start
    line += contents.count(b'\n', 0, position)
    raise UserError(
        f'{name} is not UTF-8 text: line {line} contains the byte '
        f'{contents[position]:#04x}, at offset {offset + position}; convert '
        'it to UTF-8')


@contextlib.contextmanager
def opened(path):
    """Context that opens a file in binary mode and decompresses gzip."""
    with explained(f'cannot read {path}: {{}}', gzip.BadGzipFile, EOFError,
                   zlib.error), open_binary(path) as f:
        is_gzipped = f.peek(2).startswith(_GZIP)
        yield io.BufferedReader(gzip.GzipFile(fileobj=f)) if is_gzipped else f


def plain_or_gzipped(path):
    """Return ``path`` or ``path + '.gz'``, or None if neither exists."""
    return next(filter(os.path.exists, (path, path + '.gz')), None)


def read_json(path):
    """Return the value in a JSON file."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError):
        raise UserError(f'{path} is damaged: it is not JSON')


def download(url, md5):
    """Download a file to Chainer's dataset cache, and return its path."""
    socket.setdefaulttimeout(60)  # seconds to wait for an answer
    with explained(f'cannot download {url}: {{}}; try again later, or use a '
                   'local copy with --data', OSError, EOFError):
        path = chainer.dataset.cached_download(url)
    with open(path, 'rb') as f:
        digest = hashlib.file_digest(f, 'md5').hexdigest()
    if digest != md5:
        os.remove(path)
        raise UserError(
            f'the download of {url} was damaged and has been removed from the '
            'cache; run the command again to repeat it')
    return path
