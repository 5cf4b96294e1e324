"""Pairs of sentences: a user's folder, or the embedded sample."""
import collections
import glob
import hashlib
import html
import os
import re

from experiments.common.errors import Problem
from experiments.common.files import decode
from experiments.common.files import either
from experiments.common.files import read_bytes
from experiments.iwslt import grammar
from experiments.iwslt.characters import Characters
from experiments.iwslt.characters import NOTHING


PARTS = 'train', 'dev', 'test'

# Names of the sets of the official release that the paper scores on
DEV, TEST = 'TED.tst2013', 'TED.tst2014'

# Of the paper's training part: pairs, mean lengths and code points
PAPER = '209,772 pairs, 103 / 93 characters, 187 code points'


def load(source, max_length, extra=(), characters=None, checked=True):
    """Loads the three parts of a corpus and numbers their characters.

    Args:
        source (str): ``'sample'`` for the pairs that the project generates
            itself, or a folder with the files of the official release
            (``train.tags.*.de``, ``IWSLT*.TED.tst2013.*.de.xml`` and so on)
            or with plain aligned text (``train.de``, ``dev.de`` or
            ``val.de``, ``test.de`` or ``test_*.de``), each gzipped or not, and
            the same in English.
        max_length (int): Pairs with more characters than this on one side
            are left out of the training part.
        extra (sequence of str): What the names of further sets in the folder
            begin with that are to be trained on, too.
        characters (Characters): Those to number, of a trained model for
            instance. By default they are those of the training part.
        checked (bool): Whether files with unequal numbers of lines are
            refused, and, to train on, a training part that is another, too.

    Returns:
        Corpus: The pairs.

    Raises:
        Problem: If a part is not there or is not text, or fails the check.

    """
    if source == 'sample':
        if extra:
            raise Problem('the sample has no sets beside its own; --extra '
                          'goes with a folder')
        return sample(max_length, characters=characters)
    if not os.path.isdir(source):
        raise Problem(
            "there is no folder {}; --data takes 'sample' or a folder with "
            'pairs of files, see experiments/iwslt/README.md'.format(source))
    paths = _paths(source, PARTS)
    sets = {part: _read(part, paths[part], checked) for part in PARTS}
    for part in PARTS[1:]:
        if (checked and characters is None
                and sets[part].pairs == sets['train'].pairs):
            raise Problem(
                '{} and {} hold the same pairs: what is trained on says '
                'nothing about others; give other files, or --unchecked'
                .format(paths['train'][0], paths[part][0]))
    for name in _named(source, extra):
        sets['train'] = sets['train'] + _read(
            name, _paths(source, [name])[name], checked)
    return Corpus(source, sets, max_length, characters)


def add_unchecked(parser):
    """Adds ``--unchecked`` to a parser. See :func:`load`."""
    parser.add_argument(
        '--unchecked', action='store_true',
        help='take files that look wrong: with unequal numbers of lines, of '
             'which those that both have are taken, or the same for training '
             'and another part')


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
        remarks = [name for name in found.names if name.startswith('test_')]
        remarks += ['{:,} {}'.format(count, what) for count, what in (
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


def _read(name, paths, checked):
    """Reads the set of a name from its German and its English file."""
    sides = [_lines(path) for path in paths]
    keys = [key for key in sides[0] if key in sides[1]]
    n_alone = len(set(sides[0]) ^ set(sides[1]))
    if checked and n_alone and '.xml' not in os.path.basename(paths[0]):
        raise Problem(
            '{} has {:,} lines and {} has {:,}, so that they are not each '
            "other's translations line by line; correct them, or take what "
            'both have with --unchecked'.format(
                paths[0], len(sides[0]), paths[1], len(sides[1])))
    pairs = [tuple(side[key] for side in sides) for key in keys]
    whole = [pair for pair in pairs if all(pair)]
    found = re.match(r'test_[^.]*', os.path.basename(paths[0]))
    return _PairSet((found[0] if found else name,), whole,
                    len(pairs) - len(whole), n_alone)


_PATTERNS = {
    'train': ('train.{}', 'train.tags.*.{}'),
    'dev': ('dev.{}', 'val.{}', 'IWSLT*.' + DEV + '.*.{}.xml'),
    'test': ('test.{}', 'test_*.{}', 'IWSLT*.' + TEST + '.*.{}.xml'),
}


def _paths(folder, names):
    """The German and the English file of each set, by its name."""
    found, missing = {}, []
    for name in names:
        patterns = _PATTERNS.get(
            name, (name + '.{}', 'IWSLT*.' + name + '.*.{}.xml'))
        pairs = [pair for pattern in patterns
                 for pair in _pairs(folder, pattern)]
        if pairs:
            found[name] = pairs[0]
        else:
            missing.append(' or '.join(
                pattern.format('{de,en}') for pattern in patterns))
    if missing:
        raise Problem('there is no pair of files {} in {} (each gzipped or '
                      'not)'.format(', and none '.join(missing), folder))
    return found


def _pairs(folder, pattern):
    """The German files that match and have an English one, and that one."""
    paths = os.path.join(glob.escape(folder), pattern.format('de'))
    for german in sorted(glob.glob(paths) + glob.glob(paths + '.gz')):
        start, _, end = german.removesuffix('.gz').rpartition('.de')
        english = either(start + '.en' + end)
        if english:
            yield german, english


_GERMAN = re.compile(
    r'(?:IWSLT[^.]*\.)?(.+?)(?:\.de-en|\.en-de)?\.de(?:\.xml)?(?:\.gz)?')


def _named(folder, beginnings):
    """Names of the sets that begin so, dev and test left out, in order."""
    names = set()
    for path in os.listdir(folder):
        match = _GERMAN.fullmatch(path)
        if match:
            names.add(match.group(1))
    names = {name for name in names if not name.startswith('test_')}
    names -= {'train', 'train.tags', 'dev', 'val', 'test', DEV, TEST}
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
