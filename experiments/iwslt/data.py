"""Pairs of German and English sentences, as text and as numbers."""
import fnmatch
import hashlib
import html
import itertools
import os
import re

import numpy

from experiments.common.errors import Problem
from experiments.common.errors import warn
from experiments.common.files import decode
from experiments.common.files import either
from experiments.common.files import read_bytes
from experiments.iwslt import grammar


EOS = '\n'  # the end of a sentence, predicted like a character
IGNORE_LABEL = -1  # number of an unknown character, and of padding

# Names that the set of each part may have in a folder, the first choice first
PARTS = {
    'train': ('train', 'train.tags'),
    'dev': ('dev', 'val', 'TED.tst2013'),  # what the paper calls dev and test
    'test': ('test', 'test_*', 'TED.tst2014'),
}


def load(source, max_length, extra=(), characters=None, checked=True):
    """Load the three parts of a corpus.

    Args:
        source (str): ``'sample'`` for the embedded sample, or a folder; see
            ``README.md`` for the names of its files.
        max_length (int), characters (Characters): As in :class:`Corpus`.
        extra (sequence of str): Beginnings of the names of further sets in
            the folder to train on.
        checked (bool): Whether to refuse files with unequal numbers of lines
            and, to train, parts that hold the same pairs.

    Returns:
        Corpus: The pairs.

    Raises:
        Problem: If a part is missing, is not text or fails a check.

    """
    if source == 'sample':
        if extra:
            raise Problem('--extra takes sets of a folder, not of the sample')
        return Corpus(source, grammar.sample(), max_length, characters)
    if not os.path.isdir(source):
        raise Problem(
            f"there is no folder {source}; --data takes 'sample' or a folder "
            'with pairs of files, see experiments/iwslt/README.md')
    files = _find_files(source)
    sets = _choose_sets(source, files, extra)
    pairs = {name: _read(files[name], checked)
             for name in itertools.chain(*sets.values())}
    train = sets['train'][0]
    for name in sets['dev'] + sets['test']:
        if checked and characters is None and pairs[name] == pairs[train]:
            raise Problem(
                f'{files[train][0]} and {files[name][0]} hold the same pairs: '
                'what is trained on says nothing about others; give other '
                'files, or --unchecked')
    return Corpus(source, {
        part: [pair for name in names for pair in pairs[name]]
        for part, names in sets.items()}, max_length, characters, sets)


class Characters:
    """The characters of both languages, numbered.

    An unknown character has the number -1, which is embedded as zeros and
    left out of the loss.

    Args:
        characters (sequence of str): Character of each number, ``V`` of
            them; the first is the end of a sentence.

    """

    def __init__(self, characters):
        self._characters = list(characters)
        self._numbers = {each: i for i, each in enumerate(self._characters)}
        self.eos = self._numbers[EOS]

    @classmethod
    def of(cls, lines):
        """Return those that occur in lines of text, in Unicode's order."""
        return cls([EOS] + sorted(set().union(*lines) - {EOS}))

    def __len__(self):
        return len(self._characters)

    def __iter__(self):
        return iter(self._characters)

    def unknown(self, text):
        """Return the characters of a text that have no number."""
        return [each for each in text if each not in self._numbers]

    def source(self, text):
        """Return int32 numbers, ``(S,)``, the last one first, as in the paper.
        """
        return self._as_array(text[::-1])

    def target(self, text):
        """Return int32 numbers and the end, ``(T,)``."""
        return self._as_array(text + EOS)

    def text(self, numbers):
        """Return the text of some numbers, up to its end."""
        return ''.join(
            self._characters[i] for i in numbers).partition(EOS)[0]

    def _as_array(self, text):
        return numpy.array(
            [self._numbers.get(each, IGNORE_LABEL) for each in text], 'i')


class Corpus:
    """Three parts, each a list of pairs, and the characters in them.

    Args:
        source (str): Where the text comes from.
        pairs (dict): Lists of pairs of German and English sentences, for
            ``'train'``, ``'dev'`` and ``'test'``.
        max_length (int): Training pairs with more characters than this on one
            side are left out.
        characters (Characters): Those of a trained model. By default they are
            those of the training part.
        sets (dict): Names of the sets that each part is made of.

    Attributes:
        train (list), dev (list), test (list): The pairs of each part.

    """

    def __init__(self, source, pairs, max_length, characters=None, sets=None):
        self.source = source
        self.sets = sets or {part: [part] for part in PARTS}
        self.dev, self.test = pairs['dev'], pairs['test']
        self.train = [pair for pair in pairs['train']
                      if max(map(len, pair)) <= max_length]
        self._n_too_long = len(pairs['train']) - len(self.train)
        for part in PARTS:
            if not getattr(self, part):
                limit = f' of at most {max_length} characters'
                raise Problem(f'{part} of {source} holds no pair of sentences'
                              + limit * (part == 'train'))
        self.characters = characters or Characters.of(
            line for pair in self.train for line in pair)

    def examples(self, part):
        """Return the pairs of a part as numbers, a list of tuples.

        Each has a source, a target, the source's length, and the number of
        known characters of the target; see
        :meth:`~experiments.iwslt.model.Translator.forward`.
        """
        arrays = [(self.characters.source(german),
                   self.characters.target(english))
                  for german, english in getattr(self, part)]
        return [(source, target, len(source),
                 int((target != IGNORE_LABEL).sum()))
                for source, target in arrays]

    def fingerprint(self, *parts):
        """Return a hexadecimal digest of the pairs of some parts."""
        digest = hashlib.sha256()
        for part in parts:
            for german, english in getattr(self, part):
                digest.update(f'{german}\t{english}\n'.encode())
        return digest.hexdigest()

    def __str__(self):
        lines = [f'{self.source}: {len(self.characters) - 1:,} characters in '
                 'both languages']
        for part, sets in self.sets.items():
            pairs = getattr(self, part)
            german, english = (
                sum(map(len, side)) / len(pairs) for side in zip(*pairs))
            remarks = [', '.join(sets)] * (sets != [part])
            remarks += [f'{n:,} {what}' for n, what in (
                (self._n_too_long * (part == 'train'), 'left out as too long'),
                (sum(len(self.characters.unknown(line))
                     for pair in pairs for line in pair),
                 'unknown characters')) if n]
            lines.append('; '.join([
                f'  {part:5}  {len(pairs):>7,} pairs  mean {german:.0f} / '
                f'{english:.0f} characters', *remarks]))
        lines.append("  the paper's training part: 209,772 pairs, 103 / 93 "
                     'characters, 187 code points')
        return '\n'.join(lines)


def clean(line):
    """Return a line with single spaces, and none at its ends."""
    return ' '.join(line.split())


_GERMAN = re.compile(
    r'(?:IWSLT[^.]*\.)?(.+?)(?:\.de-en|\.en-de)?\.de(?:\.xml)?(?:\.gz)?')


def _find_files(folder):
    """Return the German and the English file of each set, by its name."""
    files = {}
    for german in sorted(os.listdir(folder)):
        match = _GERMAN.fullmatch(german)
        if match:
            start, _, end = german.removesuffix('.gz').rpartition('.de')
            english = either(os.path.join(folder, start + '.en' + end))
            if english:
                files.setdefault(
                    match[1], (os.path.join(folder, german), english))
    return files


def _choose_sets(folder, files, extra):
    """Return the names of the sets of each part, ``extra`` to train on."""
    found = {part: [name for pattern in patterns
                    for name in fnmatch.filter(files, pattern)]
             for part, patterns in PARTS.items()}
    missing = [' or '.join(PARTS[part]) for part in PARTS if not found[part]]
    if missing:
        raise Problem(
            f'there is no pair of files named {", and none ".join(missing)} '
            f'in {folder}; see experiments/iwslt/README.md')
    further = sorted(set(files).difference(*found.values()))
    for start in extra:
        if not any(name.startswith(start) for name in further):
            raise Problem(f'no further set in {folder} begins with {start}; '
                          f'there is {", ".join(further) or "none"}')
    names = {part: found[part][:1] for part in PARTS}
    names['train'] += [
        name for name in further if name.startswith(tuple(extra))]
    return names


def _read(paths, checked):
    """Read the pairs of a set from its German and its English file."""
    german, english = map(_read_lines, paths)
    n_unpaired = len(german.keys() ^ english.keys())
    if checked and n_unpaired and '.xml' not in os.path.basename(paths[0]):
        raise Problem(
            f'{paths[0]} has {len(german):,} lines and {paths[1]} has '
            f"{len(english):,}, so that they are not each other's "
            'translations line by line; correct them, or take what both have '
            'with --unchecked')
    pairs = [(german[key], english[key]) for key in german if key in english]
    complete = [pair for pair in pairs if all(pair)]
    for n, what in (len(pairs) - len(complete), 'pairs with an empty side'), (
            n_unpaired, 'lines without a partner'):
        if n:
            warn(f'{n:,} {what} are left out of {paths[0]}')
    return complete


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


def _read_lines(path):
    """Return the lines of a file, by number or by document and segment."""
    text = decode(read_bytes(path), path, 'one sentence per line')
    if '.xml' in os.path.basename(path):
        segments, document = {}, None
        for docid, number, sentence in _XML.findall(text):
            if number:
                segments[document, number] = clean(html.unescape(sentence))
            else:
                document = docid
        if not segments:
            raise Problem(f'{path} holds no <seg>')
        return segments
    # splitlines() would also split at characters that some lines hold.
    lines = text.removesuffix('\n').split('\n') if text else []
    if os.path.basename(path).startswith('train.tags.'):
        lines = [html.unescape(line) for line in lines
                 if not _TAG_LINE.match(line)]
    return dict(enumerate(map(clean, lines)))
