"""Read reviews from the web, an archive, a folder or a table."""
import csv
import glob
import itertools
import json
import lzma
import os
import posixpath
import re
import tarfile
import zlib

import numpy

from experiments.common.cli import explained
from experiments.common.cli import UserError
from experiments.common.files import open_binary
from experiments.common.text import decode
from experiments.common.text import download
from experiments.common.text import plain_or_gzipped
from experiments.common.text import read_lines
from experiments.common.text import read_text


PARTS = 'train', 'test'

_LABELS = {'neg': 0, 'pos': 1}
_TABLES = '.jsonl', '.csv', '.tsv'
# Names of text columns, names of label columns, and values of labels
_TEXTS = 'text', 'review', 'sentence'
_CLASSES = 'label', 'sentiment'
_CLASS_LABELS = {**_LABELS, 0: 0, 1: 1, '0': 0, '1': 1, 'negative': 0,
                 'positive': 1}
_SOURCES = ("--data accepts 'sample', 'download', the archive "
            'aclImdb_v1.tar.gz, the folder in it, a .csv or .tsv file with '
            'the columns review and sentiment, or a folder with train and '
            'test as .jsonl, .csv or .tsv (gzipped or not)')
_URL = 'https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz'
_MD5 = '7c2ac02c03563afcf9b574c7e56c153a'


def find_files(source):
    """Return the paths of the files of a source, in a fixed order.

    Args:
        source (str): ``'download'``; a tar archive; a table with a review in
            each row, ``.csv``, ``.tsv`` or ``.jsonl``; or a folder with the
            subfolders ``train`` and ``test`` or with two such tables, for
            example ``train.csv`` and ``test.csv``. Tables may be gzipped.

    """
    if source == 'download':
        return [download(_URL, _MD5)]
    if os.path.isfile(source):
        if _is_table(source) and (
                os.path.basename(source).partition('.')[0] in PARTS):
            raise UserError(f'{source} is one part of the reviews; use the '
                            'folder with both parts, train and test')
        return [source]
    for ending in _TABLES:
        names = [plain_or_gzipped(os.path.join(source, part + ending))
                 for part in PARTS]
        if all(names):
            return names
    trees = list(filter(None, (
        [name for part in PARTS for label in _LABELS for name in sorted(
            glob.glob(f'{glob.escape(root)}/{part}/{label}/*.txt'))]
        for root in (source, os.path.join(source, 'aclImdb')))))
    if not trees:
        raise UserError(f'there are no reviews in {source}; {_SOURCES}')
    if len(trees) > 1:
        raise UserError(f'{source} and the folder aclImdb in it both contain '
                        'reviews; remove one of the two')
    return trees[0]


def read(names):
    """Read the reviews in the files that :func:`find_files` found.

    Returns:
        dict: Maps ``'train'`` and ``'test'`` to lists of pairs of a text and
        its label. The label is 0 for a negative review and 1 for a positive
        review. Reviews of a folder or an archive are sorted by label and by
        the numbers in their file names. A single table is split into random
        halves, always in the same way.

    """
    if all(map(_is_table, names)):
        reviews = dict(zip(PARTS, map(list, map(read_table, names))))
        if len(names) == 1:
            pairs = reviews['train']
            order = numpy.random.RandomState(0).permutation(len(pairs))
            reviews = {part: [pairs[i] for i in half] for part, half in zip(
                PARTS, numpy.array_split(order, 2))}
    else:
        reviews = {part: [] for part in PARTS}
        texts = (_read_archive(names[0]) if len(names) == 1 else
                 ((name, read_text(name)) for name in names))
        for name, text in sorted(texts, key=_sort_key):
            part, label, _ = name.split('/')[-3:]
            reviews[part].append((text, _LABELS[label]))
    for part in PARTS:
        if not reviews[part]:
            raise UserError(f'there are no {part} reviews in '
                            f'{os.path.commonpath(names)}; {_SOURCES}')
    return reviews


def _is_table(name):
    return name.lower().removesuffix('.gz').endswith(_TABLES)


def read_table(path):
    """Yield pairs of a text and its label, one per row of a file."""
    is_json = path.lower().removesuffix('.gz').endswith('.jsonl')
    rows = enumerate(read_lines(path), 1) if is_json else _csv_rows(path)
    for number, row in rows:
        if not row.strip() if is_json else not row:
            continue
        try:
            row = json.loads(row) if is_json else row
            text, label = (
                next((row[name] for name in names if name in row), None)
                for names in (_TEXTS, _CLASSES))
            text.encode('utf-8')  # rejects unpaired surrogates
            label = _CLASS_LABELS[
                label.strip().lower() if isinstance(label, str) else label]
        except (ValueError, LookupError, TypeError, AttributeError,
                RecursionError):
            raise UserError(
                f'line {number} of {path} is not a review with "text" and '
                '"label" (0 or 1), or "review" and "sentiment" (positive or '
                'negative)')
        yield text, label


def _csv_rows(path):
    """Yield the line number of each row, and a dict of its fields."""
    lines = read_lines(path)
    header = next(lines, '').lower()
    delimiter = max(',;\t', key=header.count)
    # Restore line ends, because quoted fields may contain them.
    reader = csv.reader((f'{line}\n' for line in itertools.chain(
        [header], lines)), delimiter=delimiter)
    try:
        columns = [column.strip() for column in next(reader)]
        for row in reader:
            yield reader.line_num, dict(zip(columns, row))
    except csv.Error as error:
        raise UserError(f'line {reader.line_num} of {path}: {error}')


def _sort_key(item):
    # Files in an archive have an arbitrary order. They are sorted, because the
    # development part is drawn by position.
    name, _ = item
    _, label, file = name.split('/')[-3:]
    return label, [int(number) for number in re.findall(r'\d+', file)], name


def _read_archive(path):
    """Return pairs of the name and the text of each review in an archive."""
    # The pattern excludes files named ._NAME, which macOS adds.
    is_review = re.compile(
        r'(?:(.*)/)?((?:train|test)/(?:neg|pos)/[^/.][^/]*\.txt)')
    texts, roots = {}, set()
    with explained(f'cannot read the archive {path}: {{}}', OSError, EOFError,
                   tarfile.TarError, zlib.error, lzma.LZMAError), \
            open_binary(path) as f:
        with explained(f'cannot read the archive {path}: it is damaged or '
                       f'not a tar archive; {_SOURCES}', tarfile.ReadError):
            archive = tarfile.open(fileobj=f)
        for member in archive:
            match = member.isreg() and is_review.fullmatch(
                posixpath.normpath(member.name))
            if match:
                root, name = match.groups()
                roots.add(root)
                texts[name] = decode(
                    archive.extractfile(member).read(),
                    f'{member.name} of {path}')
        # tarfile accepts an archive that is cut off between two members.
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(1) != tarfile.NUL:
            raise EOFError('it is truncated or damaged')
    if len(roots) > 1:
        raise UserError(f"{path} contains reviews in several folders, "
                        f"{', '.join(sorted(map(str, roots)))}; remove all "
                        'but one')
    return texts.items()
