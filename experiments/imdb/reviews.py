"""Where reviews come from: a folder, an archive, the web, the sample."""
import bz2
import glob
import gzip
import json
import lzma
import os
import re
import tarfile
import zlib

from experiments.common.download import download
from experiments.common.errors import explained
from experiments.common.errors import Problem
from experiments.common.files import Bounded
from experiments.common.files import decode
from experiments.common.files import either
from experiments.common.files import read_bytes


PARTS = 'train', 'test'

_LONGEST = 2 ** 20  # bytes that no review has; the real ones have 14,000

_LABELS = {'neg': 0, 'pos': 1}
_URL = 'https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz'
_MD5 = '7c2ac02c03563afcf9b574c7e56c153a'


def files(source):
    """Finds the files of a source.

    Args:
        source (str): ``'download'``, a tar archive, or a folder with the
            subfolders ``train`` and ``test`` or the files ``train.jsonl``
            and ``test.jsonl``, gzipped or not.

    Returns:
        list of str: Their names, in a fixed order.

    Raises:
        Problem: If they are not there.

    """
    if source == 'download':
        return [download(_URL, _MD5)]
    if _is_lines(source) and os.path.isfile(source):
        raise Problem('{} is one part of the reviews; give the folder that '
                      'holds train and test'.format(source))
    if os.path.isfile(source):
        return [source]
    if not os.path.isdir(source):
        raise Problem(
            "there is no {}; --data takes 'sample', 'download', the archive "
            'aclImdb_v1.tar.gz, the folder in it, or one with train.jsonl '
            'and test.jsonl (gzipped or not)'.format(source))
    lines = [either(os.path.join(source, part + '.jsonl')) for part in PARTS]
    if all(lines):
        return lines
    folder = os.path.join(source, 'aclImdb')
    tree = [name for part in PARTS for label in _LABELS
            for name in sorted(glob.glob(os.path.join(
                glob.escape(folder if os.path.isdir(folder) else source),
                part, label, '*.txt')))]
    if not tree:
        raise Problem(
            '{} holds neither train.jsonl and test.jsonl (gzipped or not) '
            'nor the folders train and test of aclImdb'.format(source))
    return tree


def read(names):
    """Reads reviews.

    Args:
        names (list of str): As :func:`files` found them.

    Returns:
        dict: For ``'train'`` and ``'test'``, pairs of a text and its label,
        0 for a negative and 1 for a positive review. Those of a folder or an
        archive come negative before positive, each by review number.

    Raises:
        Problem: If a file is damaged or is not what it should be.

    """
    if all(_is_lines(name) for name in names):
        reviews = {part: list(_lines(name))
                   for part, name in zip(PARTS, names)}
    elif len(names) == 1:
        reviews = _by_name(_archived(names[0]))
    else:
        reviews = _by_name((name, read_bytes(name)) for name in names)
    for part in PARTS:
        if not reviews[part]:
            raise Problem('there are no {} reviews in {}'.format(
                part, os.path.commonpath(names)))
    return reviews


def _is_lines(name):
    return name.endswith(('.jsonl', '.jsonl.gz'))


def _lines(path):
    lines = decode(read_bytes(path), path, 'one JSON object per line')
    for number, line in enumerate(lines.split('\n'), 1):
        if not line.strip():
            continue
        try:
            review = json.loads(line)
            text, label = review['text'], review['label']
            text.encode('utf-8')  # half a surrogate pair is no text
        except (ValueError, KeyError, TypeError, AttributeError,
                RecursionError):
            text, label = None, None
        if text is None or label not in (0, 1):
            raise Problem(
                'line {} of {} is not a JSON object with "text" and "label" '
                '(0 or 1)'.format(number, path))
        yield text, label


def _by_name(contents):
    """Reviews of both parts from pairs of a file's name and its bytes."""
    reviews = {part: [] for part in PARTS}
    for name, text in sorted(contents, key=_place):
        part, label, _ = _split(name)
        reviews[part].append((
            decode(text, name, 'one review'), _LABELS[label]))
    return reviews


def _place(item):
    # The same order from a folder and from an archive, whose members come in
    # any: which reviews are the development part depends on it.
    name, _ = item
    _, label, file = _split(name)
    return label, [int(number) for number in re.findall(r'\d+', file)], name


def _split(name):
    return name.split('/')[-3:]


def _archived(path):
    """Reviews in an archive by name; nothing is unpacked to the disk."""
    member_name = re.compile(
        r'(.*/)?({})/({})/[^/]{{1,200}}\.txt'.format(
            '|'.join(PARTS), '|'.join(_LABELS)))
    with explained('cannot read the archive {}: {{}}'.format(path),
                   tarfile.TarError, EOFError, OSError, zlib.error,
                   lzma.LZMAError, ValueError, OverflowError):
        with _unpacked(path) as f, tarfile.open(
                fileobj=Bounded(f, path), mode='r:') as archive:
            for member in archive:
                if member.isreg() and member_name.fullmatch(member.name):
                    if member.size > _LONGEST:
                        raise Problem('{} in {} is longer than any review'
                                      .format(member.name, path))
                    yield member.name, archive.extractfile(member).read()
            # To tarfile, one that breaks off between two members is whole.
            archive.fileobj.seek(archive.offset)
            if archive.fileobj.read(1) != tarfile.NUL:
                raise EOFError('it breaks off or is damaged')


def _unpacked(path):
    """Opens an archive that may be compressed."""
    with open(path, 'rb') as f:
        start = f.read(6)
    for magic, opener in ((b'\x1f\x8b', gzip.open), (b'BZh', bz2.open),
                          (b'\xfd7zXZ', lzma.open)):
        if start.startswith(magic):
            return opener(path)
    return open(path, 'rb')
