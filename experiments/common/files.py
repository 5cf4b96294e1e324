"""Files that are either complete or not there."""
import contextlib
import json
import os

from experiments.common.errors import Problem


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
    except ValueError:
        raise Problem('{} is damaged: it is not JSON'.format(path))
