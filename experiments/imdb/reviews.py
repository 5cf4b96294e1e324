"""Reviews as texts: from the web, an archive or a folder."""
import glob
import json
import lzma
import os
import re
import tarfile
import zlib

from experiments.common.download import download
from experiments.common.errors import explained
from experiments.common.errors import Problem
from experiments.common.files import decode
from experiments.common.files import either
from experiments.common.files import read_bytes


PARTS = 'train', 'test'

_LABELS = {'neg': 0, 'pos': 1}
_URL = 'https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz'
_MD5 = '7c2ac02c03563afcf9b574c7e56c153a'


def find_files(source):
    """Return the names of the files of a source, in a fixed order.

    Args:
        source (str): ``'download'``, a tar archive, or a folder with the
            subfolders ``train`` and ``test`` or the files ``train.jsonl``
            and ``test.jsonl``, gzipped or not.

    Raises:
        Problem: If there is no such source.

    """
    if source == 'download':
        return [download(_URL, _MD5)]
    if os.path.isfile(source):
        if _is_json_lines(source):
            raise Problem(f'{source} is one part of the reviews; give the '
                          'folder that holds train and test')
        return [source]
    if not os.path.isdir(source):
        raise Problem(
            f"there is no {source}; --data takes 'sample', 'download', the "
            'archive aclImdb_v1.tar.gz, the folder in it, or one with '
            'train.jsonl and test.jsonl (gzipped or not)')
    names = [either(os.path.join(source, part + '.jsonl')) for part in PARTS]
    if all(names):
        return names
    inner = os.path.join(source, 'aclImdb')
    root = glob.escape(inner if os.path.isdir(inner) else source)
    names = [name for part in PARTS for label in _LABELS
             for name in sorted(glob.glob(f'{root}/{part}/{label}/*.txt'))]
    if not names:
        raise Problem(
            f'{source} holds neither train.jsonl and test.jsonl (gzipped or '
            'not) nor the folders train and test of aclImdb')
    return names


def read(names):
    """Read the reviews in the files that :func:`find_files` found.

    Args:
        names (list of str): The names of the files.

    Returns:
        dict: For ``'train'`` and ``'test'``, pairs of a text and its label,
        0 for a negative and 1 for a positive review. Those of a folder or an
        archive are sorted by label and number of the review.

    Raises:
        Problem: If a file is damaged or not what it should be.

    """
    if all(map(_is_json_lines, names)):
        reviews = {part: list(read_json_lines(name))
                   for part, name in zip(PARTS, names)}
    elif len(names) == 1:
        reviews = _sorted(_read_archive(names[0]))
    else:
        reviews = _sorted((name, read_bytes(name)) for name in names)
    for part in PARTS:
        if not reviews[part]:
            raise Problem(f'there are no {part} reviews in '
                          f'{os.path.commonpath(names)}')
    return reviews


def read_json_lines(path):
    """Yield pairs of a text and its label, one per line of a file."""
    lines = decode(read_bytes(path), path, 'one JSON object per line')
    for number, line in enumerate(lines.split('\n'), 1):
        if not line.strip():
            continue
        try:
            review = json.loads(line)
            text, label = review['text'], review['label']
            text.encode('utf-8')  # half a surrogate pair is no text
            if label not in (0, 1):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError,
                RecursionError):
            raise Problem(f'line {number} of {path} is not a JSON object '
                          'with "text" and "label" (0 or 1)')
        yield text, label


def _is_json_lines(name):
    return name.endswith(('.jsonl', '.jsonl.gz'))


def _sorted(contents):
    """Return the reviews of both parts, given names and bytes of files."""
    reviews = {part: [] for part in PARTS}
    for name, text in sorted(contents, key=_sort_key):
        part, label, _ = name.split('/')[-3:]
        reviews[part].append((
            decode(text, name, 'one review'), _LABELS[label]))
    return reviews


def _sort_key(item):
    # The development part is drawn by position, and an archive's members come
    # in any order.
    name, _ = item
    _, label, file = name.split('/')[-3:]
    return label, [int(number) for number in re.findall(r'\d+', file)], name


def _read_archive(path):
    """Yield names and bytes of reviews; nothing is unpacked to the disk."""
    is_review = re.compile(r'(.*/)?(train|test)/(neg|pos)/[^/]+\.txt')
    with explained(f'cannot read the archive {path}: {{}}', OSError, EOFError,
                   tarfile.TarError, zlib.error, lzma.LZMAError):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isreg() and is_review.fullmatch(member.name):
                    yield member.name, archive.extractfile(member).read()
            # To tarfile, one that breaks off between two members is whole.
            archive.fileobj.seek(archive.offset)
            if archive.fileobj.read(1) != tarfile.NUL:
                raise EOFError('it breaks off or is damaged')
