"""Word vectors from GloVe, and random vectors for other words."""
import hashlib
import re
import zipfile
import zlib

import numpy

from experiments.common import files
from experiments.common import text
from experiments.common.cli import explained
from experiments.common.cli import UserError


def initial_vectors(path, corpus, seed):
    """Return a vector for each word of a corpus, and a dict of statistics.

    Vectors are read by :func:`load`. If a word is not in the file, its vector
    is drawn at random, with the mean and the standard deviation of the vectors
    found. The statistics are the number and the size of the vectors found, the
    share of the training text that they cover, and a fingerprint.
    """
    vectors, found = load(path, corpus.vocabulary)
    facts = {'vectors': int(found.sum()), 'size': vectors.shape[1],
             'coverage': float(found[corpus.train.words].mean()),
             'fingerprint': hashlib.sha256(vectors.tobytes()).hexdigest()}
    mean, deviation = vectors[found].mean(axis=0), vectors[found].std(axis=0)
    vectors[~found] = mean + deviation * numpy.random.RandomState(
        seed).randn(*vectors[~found].shape)
    return vectors, facts


def load(path, vocabulary):
    """Read the vectors of the words of a vocabulary.

    If a word is not in the file, its lower-case form is looked up. If a double
    quote is not in the file, ``''`` is looked up.

    Args:
        path (str): A text file with a word and its vector on every line,
            gzipped or not; a ``.zip`` archive that contains such a file; or a
            ``.npz`` file with the arrays ``words``, ``(N,)``, and ``vectors``,
            ``(N, D)``. Text is read line by line.
        vocabulary (list of str): The words.

    Returns:
        tuple: Vectors, float32, ``(V, D)``, and bools, ``(V,)``, which are
        True for words with a vector. Vectors of other words are 0.

    """
    # Maps forms to lists of pairs: index of a word, and rank of its form
    targets = {}
    for row, word in enumerate(vocabulary):
        forms = word, word.lower(), "''" if word == '"' else None
        for rank, form in enumerate(forms):
            targets.setdefault(form, []).append((row, rank))
    best = numpy.full(len(vocabulary), 99)
    vectors = None
    # An encrypted archive or an unknown compression raises RuntimeError.
    with explained(f'cannot read {path}: {{}}; {_FORMS}', OSError, EOFError,
                   zlib.error, zipfile.BadZipFile, RuntimeError):
        for word, vector in _entries(path, targets):
            if vectors is None:
                vectors = numpy.zeros((len(vocabulary), len(vector)), 'f')
            for row, rank in targets[word]:
                if rank < best[row]:
                    best[row] = rank
                    vectors[row] = vector
    if vectors is None:
        raise UserError(f'{path} has no vector for any word of the reviews')
    return vectors, best < 99


def _entries(path, targets):
    """Yield those words of a file that are in ``targets``, with vectors."""
    if path.endswith('.npz'):
        arrays = files.read_arrays(path)
        words, vectors = (
            arrays.get(name, numpy.empty(0)) for name in ('words', 'vectors'))
        if ((words.dtype.kind, vectors.dtype.kind) != ('U', 'f')
                or vectors.ndim != 2 or words.shape != vectors.shape[:1]
                or not numpy.isfinite(vectors).all()):
            raise UserError(f'{path} does not contain words, (N,), and '
                            f'finite vectors, (N, D); {_FORMS}')
        yield from (pair for pair in zip(words.tolist(), vectors)
                    if pair[0] in targets)
    elif path.endswith('.zip'):
        with files.open_binary(path) as f, zipfile.ZipFile(f) as archive:
            # Exclude folders, and files named ._NAME, which macOS adds.
            names = [name for name in archive.namelist()
                     if not re.search(r'(^|/)(\.[^/]*)?$', name)]
            if len(names) != 1:
                raise UserError(
                    f"{path} contains {len(names)} files instead of one: "
                    f"{', '.join(names)}; unpack it and use one of them")
            with archive.open(names[0]) as f:
                yield from _parsed(path, f, targets)
    else:
        with text.opened(path) as f:
            yield from _parsed(path, f, targets)


_FORMS = ('--glove accepts vectors as text, a word on each line (plain, .gz '
          'or .zip), or as .npz')


def _parsed(path, stream, targets):
    size = None
    for line, number, _ in text.split_lines(stream):
        line = line.replace(b'\t', b' ').rstrip()
        if number == 1 and re.fullmatch(rb'\d+ \d+', line):
            continue  # the header of a word2vec file
        # Words may contain spaces, so lines are split from the end.
        if size is None:
            size = line.count(b' ')
        word, *numbers = line.rsplit(b' ', size)
        word = word.decode('utf-8', 'replace')
        try:
            if not 0 < size == len(numbers):
                raise ValueError
            if word in targets:
                vector = numpy.array(numbers, 'f')
                if not numpy.isfinite(vector).all():
                    raise ValueError
                yield word, vector
        except ValueError:
            raise UserError(f'line {number} of {path} is not a word and '
                            f'{size} numbers; {_FORMS}')
