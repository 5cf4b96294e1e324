"""Word vectors: GloVe's, and for other words some that match in scale."""
import lzma
import re
import zipfile
import zlib

import numpy

from experiments.common.arrays import read_arrays
from experiments.common.errors import explained
from experiments.common.errors import Problem
from experiments.common.files import check_growth


_LINE = 2 ** 16  # bytes that no line has, with 1,000 numbers either

# Where neither the word nor its lower-cased form has a vector
_ALSO = {'"': "''"}


def load(path, vocabulary):
    """Reads the vectors of the words of a vocabulary.

    A file is streamed: at most one line, or for ``.npz`` one array, is in
    memory beside what is kept.

    Args:
        path (str): A text file with a word and its vector on every line, a
            ``.zip`` archive of one, or a ``.npz`` with ``words``, ``(N,)``,
            and ``vectors``, ``(N, D)``.
        vocabulary (list of str): The words.

    Returns:
        tuple: The vectors, float32 of ``(V, D)``, and which words have one,
        bool of ``(V,)``. A word is looked up as it stands first, lower-cased
        second. Where a word has none, its row is 0.

    Raises:
        Problem: If the file is damaged or is not what it should be.

    """
    wanted = {}  # the rows that a form goes to, and how good a match it is
    for row, word in enumerate(vocabulary):
        for rank, form in enumerate(_forms(word)):
            wanted.setdefault(form, []).append((row, rank))
    best = numpy.full(len(vocabulary), 99)
    vectors = None
    for word, vector in _entries(path, wanted):
        if vectors is None:
            vectors = numpy.zeros((len(vocabulary), len(vector)), 'f')
        for row, rank in wanted[word]:
            if rank < best[row]:
                best[row] = rank
                vectors[row] = vector
    if vectors is None:
        raise Problem('{} has no vector for any word of the reviews'.format(
            path))
    return vectors, best < 99


def fill(vectors, has_vector, random):
    """Draws the missing rows with mean and deviation of those there are.

    Args:
        vectors (numpy.ndarray): ``(V, D)``, changed in place.
        has_vector (numpy.ndarray): Which rows are there, ``(V,)``.
        random (numpy.random.RandomState): Where chance comes from.

    """
    there = vectors[has_vector]
    missing = (~has_vector).sum(), vectors.shape[1]
    vectors[~has_vector] = (
        there.mean(axis=0) + there.std(axis=0) * random.randn(*missing))


def _forms(word):
    forms = [word, word.lower(), _ALSO.get(word)]
    return list(dict.fromkeys(filter(None, forms)))


def _entries(path, wanted):
    """Pairs of a wanted word and its vector."""
    with explained('cannot read {}: {{}}'.format(path),
                   OSError, zipfile.BadZipFile, EOFError, zlib.error,
                   lzma.LZMAError, RuntimeError):  # of an encrypted archive
        if path.endswith('.npz'):
            yield from _in_arrays(path, wanted)
        elif path.endswith('.zip'):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                check_growth(path, sum(
                    each.file_size for each in archive.infolist()))
                if len(names) != 1:
                    raise Problem('{} must hold one file, but it holds '
                                  '{}'.format(path, len(names)))
                with archive.open(names[0]) as f:
                    yield from _in_lines(path, f, wanted)
        else:
            with open(path, 'rb') as f:
                yield from _in_lines(path, f, wanted)


def _in_arrays(path, wanted):
    try:
        arrays = read_arrays(path)
        words, vectors = arrays['words'], arrays['vectors']
        if ((words.dtype.kind, vectors.dtype.kind) != ('U', 'f')
                or (words.ndim, vectors.ndim) != (1, 2)
                or len(words) != len(vectors) or not vectors.shape[1]
                or not numpy.isfinite(vectors).all()):
            raise ValueError
    except (KeyError, ValueError, Problem):
        raise Problem('{} is damaged, or does not hold words, (N,), and '
                      'vectors, (N, D)'.format(path))
    for word, vector in zip(words.tolist(), vectors):
        if word in wanted:
            yield word, vector


def _in_lines(path, f, wanted):
    size = None
    lines = iter(lambda: f.readline(_LINE), b'')
    for number, line in enumerate(lines, 1):
        if len(line) == _LINE:
            raise Problem('line {} of {} has more than {} bytes'.format(
                number, path, _LINE))
        line = line.rstrip()
        if number == 1 and re.fullmatch(rb'\d+ \d+', line):
            continue  # how many words and numbers, as word2vec has it
        # Some words hold spaces, so the vector is counted from the end.
        if size is None:
            size = line.count(b' ')
        fields = line.rsplit(b' ', size)
        broken = Problem('line {} of {} is not a word and {} numbers'.format(
            number, path, size))
        if size < 1 or len(fields) != size + 1:
            raise broken
        word = fields[0].decode('utf-8', 'replace')
        if word in wanted:
            try:
                vector = numpy.array(fields[1:], 'f')
                if not numpy.isfinite(vector).all():
                    raise ValueError
            except ValueError:
                raise broken
            yield word, vector
