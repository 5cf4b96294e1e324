"""Public data sets, kept in Chainer's dataset cache."""
import hashlib
import os
import socket

import chainer

from experiments.common.errors import explained
from experiments.common.errors import Problem


_TIMEOUT = 60  # seconds without an answer after which a download has failed


def download(url, md5):
    """Downloads a file, or finds it in the cache.

    Args:
        url (str): Where it comes from.
        md5 (str): Hexadecimal MD5 of what it must hold.

    Returns:
        str: Name of the file in the cache.

    Raises:
        Problem: If it cannot be fetched or is not what it should be.

    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        with explained('cannot download {}: {{}}; try again later, or give '
                       'a copy of your own with --data'.format(url),
                       OSError, EOFError):
            path = chainer.dataset.cached_download(url)
    finally:
        socket.setdefaulttimeout(before)
    with open(path, 'rb') as f:
        found = hashlib.file_digest(f, 'md5').hexdigest()
    if found != md5:
        os.remove(path)
        raise Problem(
            'the download of {} was damaged and has been removed from the '
            'cache; run the command again to fetch it anew'.format(url))
    return path
