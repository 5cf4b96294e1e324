"""Reviews as texts: from the web, an archive or a folder."""
import glob
import json
import lzma
import os
import re
import tarfile
import zlib

from experiments.common import cli
from experiments.common.cli import UserError


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

    """
    if source == 'download':
        return [cli.download(_URL, _MD5)]
    if os.path.isfile(source):
        return [source]
    names = [cli.plain_or_gzipped(os.path.join(source, part + '.jsonl'))
             for part in PARTS]
    if all(names):
        return names
    inner = os.path.join(source, 'aclImdb')
    root = glob.escape(inner if os.path.isdir(inner) else source)
    names = [name for part in PARTS for label in _LABELS
             for name in sorted(glob.glob(f'{root}/{part}/{label}/*.txt'))]
    if not names:
        raise UserError(
            f"there are no reviews in {source}; --data takes 'sample', "
            "'download', the archive aclImdb_v1.tar.gz, the folder in it, or "
            'one with train.jsonl and test.jsonl (gzipped or not)')
    return names


def read(names):
    """Read the reviews in the files that :func:`find_files` found.

    Returns:
        dict: For ``'train'`` and ``'test'``, pairs of a text and its label,
        0 for a negative and 1 for a positive review. Those of a folder or an
        archive are sorted by label and number of the review.

    """
    if all(name.endswith(('.jsonl', '.jsonl.gz')) for name in names):
        reviews = {part: list(read_json_lines(name))
                   for part, name in zip(PARTS, names)}
    else:
        reviews = {part: [] for part in PARTS}
        texts = (_read_archive(names[0]) if len(names) == 1 else
                 ((name, cli.read_text(name, 'one review')) for name in names))
        for name, text in sorted(texts, key=_sort_key):
            part, label, _ = name.split('/')[-3:]
            reviews[part].append((text, _LABELS[label]))
    for part in PARTS:
        if not reviews.get(part):
            raise UserError(f'there are no {part} reviews in '
                            f'{os.path.commonpath(names)}')
    return reviews


def read_json_lines(path):
    """Yield pairs of a text and its label, one per line of a file."""
    lines = cli.read_text(path, 'one JSON object per line')
    for number, line in enumerate(lines.split('\n'), 1):
        if not line.strip():
            continue
        try:
            review = json.loads(line)
            text, label = review['text'], review['label']
            text.encode('utf-8')  # half a surrogate pair is no text
            if label not in (0, 1):
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UserError(f'line {number} of {path} is not a JSON object '
                            'with "text" and "label" (0 or 1)')
        yield text, label


def _sort_key(item):
    # The development part is drawn by position, and an archive's members come
    # in any order.
    name, _ = item
    _, label, file = name.split('/')[-3:]
    return label, [int(number) for number in re.findall(r'\d+', file)], name


def _read_archive(path):
    """Yield names and texts of reviews; nothing is unpacked to the disk."""
    is_review = re.compile(r'(.*/)?(train|test)/(neg|pos)/[^/]+\.txt')
    with cli.explained(f'cannot read the archive {path}: {{}}', OSError,
                       EOFError, tarfile.TarError, zlib.error, lzma.LZMAError):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isreg() and is_review.fullmatch(member.name):
                    yield member.name, cli.decode(
                        archive.extractfile(member).read(), member.name,
                        'one review')
            # To tarfile, one that breaks off between two members is whole.
            archive.fileobj.seek(archive.offset)
            if archive.fileobj.read(1) != tarfile.NUL:
                raise EOFError('it breaks off or is damaged')
