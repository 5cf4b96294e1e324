"""Pairs of sentences: a user's folder, or the embedded sample."""
import collections
import glob
import hashlib
import html
import os
import re

from experiments.common.errors import Problem
from experiments.common.files import decode
from experiments.common.files import read_bytes
from experiments.iwslt import grammar
from experiments.iwslt.characters import Characters
from experiments.iwslt.characters import NOTHING


PARTS = 'train', 'dev', 'test'

# Names of the sets of the official release that the paper scores on
DEV, TEST = 'TED.tst2013', 'TED.tst2014'

# Of the paper's training part: pairs, mean lengths and code points
PAPER = '209,772 pairs, 103 / 93 characters, 187 code points'


def load(source, max_length, extra=(), characters=None):
    """Loads the three parts of a corpus and numbers their characters.

    Args:
        source (str): ``'sample'`` for the pairs that the project generates
            itself, or a folder with the files of the official release
            (``train.tags.*.de``, ``IWSLT*.TED.tst2013.*.de.xml`` and so on)
            or with plain aligned text (``train.de``, ``dev.de``, ``test.de``
            and so on), each gzipped or not, and the same in English.
        max_length (int): Pairs with more characters than this on one side
            are left out of the training part.
        extra (sequence of str): What the names of further sets in the folder
            begin with that are to be trained on, too.
        characters (Characters): Those to number, of a trained model for
            instance. By default they are those of the training part.

    Returns:
        Corpus: The pairs.

    Raises:
        Problem: If a part is not there or is not text.

    """
    if source == 'sample':
        if extra:
            raise Problem('the sample has no sets beside its own; --extra '
                          'goes with a folder')
        return sample(max_length, characters=characters)
    sets = {part: _read(source, part) for part in PARTS}
    for name in _named(source, extra):
        sets['train'] = sets['train'] + _read(source, name)
    return Corpus(source, sets, max_length, characters)


def sample(max_length, sizes=(), characters=None):
    """The embedded sample, of the ``sizes`` that the grammar is asked for."""
    sets = {part: _PairSet((part,), pairs)
            for part, pairs in grammar.sample(*sizes).items()}
    return Corpus('sample', sets, max_length, characters)


class Corpus(object):

    """Three parts, each a list of pairs, and the characters in them.

    Args:
        source (str): Where the text comes from.
        sets (dict): ``'train'``, ``'dev'`` and ``'test'``, each a
            :class:`_PairSet`.
        max_length (int): As in :func:`load`.
        characters (Characters): As in :func:`load`.

    Attributes:
        characters (Characters): The characters of both languages.
        train (list): Pairs of German and English, the longest left out.
        dev (list): Pairs to choose the best epoch by.
        test (list): Pairs to score that epoch on.
        sets (dict): Names of the sets that each part is made of.

    """

    def __init__(self, source, sets, max_length, characters=None):
        self.source = source
        self._sets = sets
        train = [pair for pair in sets['train'].pairs
                 if max(map(len, pair)) <= max_length]
        self._n_long = len(sets['train'].pairs) - len(train)
        self._max_length = max_length
        self.train, self.dev, self.test = (
            train, sets['dev'].pairs, sets['test'].pairs)
        for part in PARTS:
            if not getattr(self, part):
                raise Problem('{} of {} holds no pair of sentences{}'.format(
                    part, source, ' of at most {} characters'
                    .format(max_length) * (part == 'train')))
        self.sets = {part: sets[part].names for part in PARTS}
        self.characters = characters or Characters.of(
            line for pair in train for line in pair)

    def examples(self, part):
        """The pairs of a part as numbers.

        Returns:
            list of tuple: Source, target, length of the source, and number
            of known characters of the target. See
            :meth:`~experiments.iwslt.model.Translator.forward`.

        """
        examples = []
        for german, english in getattr(self, part):
            source = self.characters.source(german)
            target = self.characters.target(english)
            examples.append((source, target, len(source),
                             int((target != NOTHING).sum())))
        return examples

    def fingerprint(self, *parts):
        """Hexadecimal digest of the pairs of some parts, in their order."""
        digest = hashlib.sha256()
        for part in parts:
            for pair in getattr(self, part):
                digest.update('{}\t{}\n'.format(*pair).encode())
        return digest.hexdigest()

    def __str__(self):
        lines = ['{}: {:,} characters in both languages'.format(
            self.source, len(self.characters) - 1)]
        for part in PARTS:
            lines.append(self._line(part))
        lines.append("  the paper's training part: {}".format(PAPER))
        return '\n'.join(lines)

    def _line(self, part):
        pairs, found = getattr(self, part), self._sets[part]
        german, english = [
            sum(map(len, side)) / len(pairs) for side in zip(*pairs)]
        remarks = ['{:,} {}'.format(count, what) for count, what in (
            (self._n_long * (part == 'train'),
             'over {} characters left out'.format(self._max_length)),
            (found.n_empty, 'with an empty side left out'),
            (found.n_alone, 'lines without a partner left out'),
            (sum(len(self.characters.unknown(line))
                 for pair in pairs for line in pair), 'unknown characters'),
        ) if count]
        line = '  {:5}  {:>7,} pairs  mean {:.0f} / {:.0f} characters'.format(
            part, len(pairs), german, english)
        return '; '.join([line] + remarks)


class _PairSet(collections.namedtuple(
        '_PairSet', ('names', 'pairs', 'n_empty', 'n_alone'),
        defaults=(0, 0))):
    """Pairs of sets, and how many lines were empty or without a partner."""

    def __add__(self, other):
        return _PairSet(*(a + b for a, b in zip(self, other)))


def clean(line):
    """A line with single spaces, and none at its ends."""
    return ' '.join(line.split())


def _read(folder, name):
    """Reads the set of a name."""
    if not os.path.isdir(folder):
        raise Problem(
            "there is no folder {}; --data takes 'sample' or a folder with "
            'pairs of files, see experiments/iwslt/README.md'.format(folder))
    sides = [_lines(path) for path in _paths(folder, name)]
    keys = [key for key in sides[0] if key in sides[1]]
    n_alone = len(set(sides[0]) ^ set(sides[1]))
    pairs = [tuple(side[key] for side in sides) for key in keys]
    whole = [pair for pair in pairs if all(pair)]
    return _PairSet((name,), whole, len(pairs) - len(whole), n_alone)


def _paths(folder, name):
    """The two files of a set, German and English."""
    official = {'dev': DEV, 'test': TEST}.get(name, name)
    patterns = [name + '.{}',
                'train.tags.*.{}' if name == 'train' else
                'IWSLT*.' + official + '.*.{}.xml']
    for pattern in patterns:
        found = [_first(folder, pattern.format(language))
                 for language in ('de', 'en')]
        if all(found):
            return found
    raise Problem(
        'there is neither a pair of files {} nor one {} in {} (each gzipped '
        'or not)'.format(*(p.format('{de,en}') for p in patterns), folder))


def _first(folder, pattern):
    """The first file that matches, or ``None``."""
    paths = os.path.join(glob.escape(folder), pattern)
    return next(iter(sorted(glob.glob(paths) + glob.glob(paths + '.gz'))),
                None)


_GERMAN = re.compile(
    r'(?:IWSLT[^.]*\.)?(.+?)(?:\.de-en|\.en-de)?\.de(?:\.xml)?(?:\.gz)?')


def _named(folder, beginnings):
    """Names of the sets that begin so, dev and test left out, in order."""
    names = set()
    for path in os.listdir(folder):
        match = _GERMAN.fullmatch(path)
        if match:
            names.add(match.group(1))
    names -= {'train', 'train.tags', 'dev', 'test', DEV, TEST}
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in names):
            raise Problem('no further set in {} begins with {}; there is {}'
                          .format(folder, beginning,
                                  ', '.join(sorted(names)) or 'none'))
    return sorted(name for name in names if name.startswith(tuple(beginnings)))


_TAG_LINE = re.compile(
    r'\s*</?(url|keywords|speaker|talkid|title|description|reviewer|'
    r'translator|doc)\b')
# A document's number, or a segment's and its text. The release's files are
# not always well-formed, so no parser of XML reads them. A tag is short and a
# segment ends before the next one, or else this would take forever on some.
_XML = re.compile(
    r'<doc\b[^<>]{0,500}\bdocid="([^"<>]*)"|'
    r'<seg\b[^<>]{0,50}\bid="([^"<>]*)"[^<>]*>((?:(?!<seg\b).)*?)</seg>',
    re.IGNORECASE | re.DOTALL)


def _lines(path):
    """The lines of a file by what says which ones belong together."""
    text = decode(read_bytes(path), path, 'one sentence per line')
    name = os.path.basename(path)
    if '.xml' in name:
        return _segments(text, path)
    # splitlines() would also split at characters that some lines hold.
    lines = text.split('\n')
    if lines[-1] == '':
        lines.pop()
    if name.startswith('train.tags.'):
        lines = [html.unescape(line) for line in lines
                 if not _TAG_LINE.match(line)]
    return dict(enumerate(map(clean, lines)))


def _segments(text, path):
    """The segments of a file, by their document's number and their own."""
    segments, document = {}, None
    for docid, number, sentence in _XML.findall(text):
        if number:
            segments[document, number] = clean(html.unescape(sentence))
        else:
            document = docid
    if not segments:
        raise Problem('{} holds no <seg>'.format(path))
    return segments
