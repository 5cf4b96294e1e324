"""Pairs of German and English sentences: from files, or the sample."""
import fnmatch
import hashlib
import html.parser
import itertools
import os
import re
import sys

import numpy

from experiments.common import files
from experiments.common.cli import UserError


EOS = '\n'  # the end of a sentence, predicted like a character
IGNORE_LABEL = -1  # number of an unknown character, and of padding

# Names of the sets of each part, in order of preference
PARTS = {'train': ('train', 'train.tags'),
         'dev': ('dev', 'val', 'TED.tst2013'),
         'test': ('test', 'test_*', 'TED.tst2014')}


def load(source, max_length, extra=(), characters=None, checked=True):
    """Load a :class:`Corpus`.

    Args:
        source (str): ``'sample'`` or None for pairs that the project
            generates itself, or a folder; see ``README.md``.
        max_length (int), characters (Characters): As in :class:`Corpus`.
        extra (sequence of str): Prefixes of the names of further sets to
            train on.
        checked (bool): Whether to reject files with unmatched lines and, for
            training, parts with the same pairs.

    Raises:
        UserError: If a part is missing, is not text or fails a check.

    """
    if source in (None, 'sample'):
        if extra:
            raise UserError('--extra requires --data with a folder')
        return sample(max_length, characters=characters)
    if not os.path.isdir(source):
        raise UserError(
            f"there is no folder {source}; --data accepts 'sample' or a "
            'folder with pairs of files, see experiments/iwslt/README.md')
    paths = _find_files(source)
    sets = _choose_sets(source, paths, extra)
    pairs = {name: _read_pairs(*paths[name], checked)
             for name in itertools.chain(*sets.values())}
    train = sets['train'][0]
    for name in sets['dev'] + sets['test']:
        if checked and characters is None and pairs[name] == pairs[train]:
            raise UserError(
                f'{paths[train][0]} and {paths[name][0]} contain the same '
                'pairs; use other files, or add --unchecked')
    return Corpus(source, {
        part: [pair for name in names for pair in pairs[name]]
        for part, names in sets.items()}, max_length, characters, sets)


def sample(max_length, n_train=4000, n_other=200, characters=None):
    """Return pairs that the project generates itself."""
    from experiments.iwslt import grammar
    return Corpus('sample', grammar.sample(n_train, n_other, n_other),
                  max_length, characters)


class Characters:
    """Numbered characters of both languages.

    The first character is the end of a sentence. Unknown characters have the
    number -1, which is embedded as zeros and excluded from the loss.
    """

    def __init__(self, characters):
        self._characters = list(characters)
        self._numbers = {
            character: i for i, character in enumerate(self._characters)}
        self.eos = self._numbers[EOS]

    def __len__(self):
        return len(self._characters)

    def __iter__(self):
        return iter(self._characters)

    def unknown(self, text):
        """Return the characters of a text that have no number."""
        return [character for character in text
                if character not in self._numbers]

    def source(self, text):
        """Return int32 numbers, ``(S,)``, in reverse as in the paper."""
        return self.target(text[::-1])[:-1]

    def target(self, text):
        """Return int32 numbers, ``(T,)``, of a text and its end."""
        return numpy.array([self._numbers.get(character, IGNORE_LABEL)
                            for character in text + EOS], numpy.int32)

    def text(self, numbers):
        """Return the text of some numbers, up to its end."""
        text = ''.join(self._characters[i] for i in numbers)
        return text.partition(EOS)[0]


class Corpus:
    """Pairs of sentences in three parts, with their characters.

    Args:
        source (str): Source of the pairs.
        pairs (dict): Pairs of a German and an English sentence, for
            ``'train'``, ``'dev'`` and ``'test'``.
        max_length (int): Training pairs with more characters than this on one
            side are left out.
        characters (Characters): Characters of a trained model. By default,
            characters of the training part, in Unicode order.
        sets (dict): Names of the sets of each part.

    """

    def __init__(self, source, pairs, max_length, characters=None, sets=None):
        self.pairs = {**pairs, 'train': [
            pair for pair in pairs['train']
            if max(map(len, pair)) <= max_length]}
        self._n_long = len(pairs['train']) - len(self.pairs['train'])
        for part in PARTS:
            if not self.pairs[part]:
                length = f'at most {max_length}' if pairs[part] else 'any'
                raise UserError(f'{part} of {source} contains no pair of '
                                f'sentences of {length} characters')
        self.characters = characters or Characters([EOS, *sorted(
            set().union(*itertools.chain(*self.pairs['train'])))])
        # Source, sizes and fingerprint of the data, as plain values
        self.facts = {
            'source': source, 'sets': sets or {part: [part] for part in PARTS},
            'characters': len(self.characters),
            'pairs': {part: len(self.pairs[part]) for part in PARTS},
            'training_fingerprint': self._fingerprint('train', 'dev'),
            'fingerprint': self._fingerprint('test')}

    def examples(self, part):
        """Return the arguments of ``Translator.forward`` for each pair."""
        pairs = [(self.characters.source(german),
                  self.characters.target(english))
                 for german, english in self.pairs[part]]
        return [(source, target, len(source),
                 int((target != IGNORE_LABEL).sum()))
                for source, target in pairs]

    def _fingerprint(self, *parts):
        text = ''.join(f'{german}\t{english}\n' for part in parts
                       for german, english in self.pairs[part])
        return hashlib.sha256(text.encode()).hexdigest()

    def __str__(self):
        lines = [f"{self.facts['source']}: {len(self.characters) - 1:,} "
                 'characters in both languages']
        for part, pairs in self.pairs.items():
            german, english = map(''.join, zip(*pairs))
            n_unknown = len(self.characters.unknown(german + english))
            sets = self.facts['sets'][part]
            lines.append('; '.join(filter(None, [
                f'  {part:5}  {len(pairs):>7,} pairs  mean '
                f'{len(german) / len(pairs):.0f} / '
                f'{len(english) / len(pairs):.0f} characters',
                ', '.join(sets) if sets != [part] else '',
                f'{n_unknown:,} unknown characters' if n_unknown else '',
                f'{self._n_long:,} longer pairs left out'
                if self._n_long and part == 'train' else ''])))
        return '\n'.join(lines + [
            "  the paper's training part: 209,772 pairs, 103 / 93 characters, "
            '187 code points'])


def clean(line):
    """Return a line with single spaces and without outer spaces."""
    return ' '.join(line.split())


def _find_files(folder):
    """Return the German and the English file of each set, by name."""
    paths = {}
    for german in sorted(os.listdir(folder)):
        match = re.fullmatch(
            r'(?:IWSLT[^.]*\.)?([^.].*?)(?:\.de-en|\.en-de)?\.de(?:\.xml)?'
            r'(?:\.gz)?', german)
        start, _, end = german.removesuffix('.gz').rpartition('.de')
        english = match and files.plain_or_gzipped(
            os.path.join(folder, start + '.en' + end))
        if english:
            paths.setdefault(match[1], (os.path.join(folder, german), english))
    return paths


def _choose_sets(folder, available, extra):
    """Return the names of the sets of each part, with ``extra`` sets."""
    matches = {part: [name for pattern in patterns
                      for name in fnmatch.filter(available, pattern)]
               for part, patterns in PARTS.items()}
    missing = [' or '.join(PARTS[part]) for part in PARTS if not matches[part]]
    if missing:
        raise UserError(
            f"there is no pair of files named {', and none '.join(missing)} "
            f'in {folder}; see experiments/iwslt/README.md')
    further = sorted(set(available).difference(*matches.values()))
    for start in extra:
        if not any(name.startswith(start) for name in further):
            raise UserError(f'no further set in {folder} begins with {start}; '
                            f"choose from {', '.join(further) or 'none'}")
    sets = {part: names[:1] for part, names in matches.items()}
    sets['train'] += [
        name for name in further if name.startswith(tuple(extra))]
    return sets


def _read_pairs(german, english, checked):
    """Return the pairs of a German and an English file."""
    sides = _read_lines(german), _read_lines(english)
    unpaired = [key for key in sides[0] | sides[1]
                if key not in sides[0] or key not in sides[1]]
    if checked and unpaired:
        raise UserError(
            f'{german} has {len(sides[0]):,} lines and {english} has '
            f'{len(sides[1]):,}, and only one of them has {unpaired[0]}; '
            'correct them, or add --unchecked to use the common lines')
    pairs = [(line, sides[1][key]) for key, line in sides[0].items()
             if key in sides[1]]
    complete = [pair for pair in pairs if all(pair)]
    for n, kind in (len(pairs) - len(complete), 'pairs with an empty side'), (
            len(unpaired), 'lines without a partner'):
        if n:
            print(f'warning: {n:,} {kind} are left out of {german}',
                  file=sys.stderr)
    return complete


_TAG_LINE = re.compile(
    r'\s*</?(url|keywords|speaker|talkid|title|description|reviewer|'
    r'translator|doc)\b')


def _read_lines(path):
    """Return the lines of a file, by number or by document and segment."""
    name = os.path.basename(path)
    if '.xml' in name:
        return _Segments(path, files.read_text(path)).lines
    lines = files.read_lines(path)
    if name.startswith('train.tags.'):
        lines = (html.unescape(line) for line in lines
                 if not _TAG_LINE.match(line))
    return {f'line {i}': clean(line) for i, line in enumerate(lines, 1)}


class _Segments(html.parser.HTMLParser):
    """The lines of an XML file of IWSLT, by document and segment.

    Files of the release are not always well-formed, which an HTML parser
    tolerates.
    """

    def __init__(self, path, text):
        super().__init__()
        self.lines = {}
        self._path = path
        self._key = self._document = None
        self._n_documents = 0
        # Parsing a tag takes quadratic time.
        if max(map(len, text.split('>'))) > 10000:
            raise UserError(f'{path} is not XML: it contains a tag without an '
                            'end')
        self.feed(text)
        self.close()
        if not self.lines:
            raise UserError(f'{path} contains no <seg>; use a file of IWSLT')
        self.lines = {key: clean(line) for key, line in self.lines.items()}

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == 'doc':
            self._n_documents += 1
            self._document = attrs.get('docid') or attrs.get(
                'id', f'number {self._n_documents}')
            self._key = None
        elif tag == 'seg':
            number = attrs.get('id', f'number {len(self.lines) + 1}')
            self._key = f'segment {number} of document {self._document}'
            if self._key in self.lines:
                raise UserError(f'{self._path} contains {self._key} twice; '
                                'correct the numbers')
            self.lines[self._key] = ''

    def handle_endtag(self, tag):
        if tag in ('doc', 'seg'):
            self._key = None

    def handle_data(self, data):
        if self._key is not None:
            self.lines[self._key] += data
