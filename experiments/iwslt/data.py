"""Pairs of German and English sentences: a user's, or the embedded sample."""
import fnmatch
import hashlib
import html
import itertools
import os
import re
import sys

import numpy

from experiments.common import cli
from experiments.common.cli import UserError


EOS = '\n'  # the end of a sentence, predicted like a character
IGNORE_LABEL = -1  # number of an unknown character, and of padding

# Names of the set of each part, the first choice first
PARTS = {'train': ('train', 'train.tags'),
         'dev': ('dev', 'val', 'TED.tst2013'),
         'test': ('test', 'test_*', 'TED.tst2014')}


def load(source, max_length, extra=(), characters=None, checked=True):
    """Load a :class:`Corpus`.

    Args:
        source (str): ``'sample'`` or None for pairs that the project
            generates itself, or a folder; see ``README.md``.
        max_length (int), characters (Characters): As in :class:`Corpus`.
        extra (sequence of str): Beginnings of the names of further sets in
            the folder to train on.
        checked (bool): Whether to refuse files with unequal numbers of lines
            and, to train, parts that hold the same pairs.

    Raises:
        UserError: If a part is missing, is not text or fails a check.

    """
    if source in (None, 'sample'):
        if extra:
            raise UserError('--extra takes sets of a folder, see --data')
        return sample(max_length, characters=characters)
    if not os.path.isdir(source):
        raise UserError(
            f"there is no folder {source}; --data takes 'sample' or a folder "
            'with pairs of files, see experiments/iwslt/README.md')
    files = _find_files(source)
    sets = _choose_sets(source, files, extra)
    pairs = {name: _read_pairs(*files[name], checked)
             for name in itertools.chain(*sets.values())}
    train = sets['train'][0]
    for name in sets['dev'] + sets['test']:
        if checked and characters is None and pairs[name] == pairs[train]:
            raise UserError(
                f'{files[train][0]} and {files[name][0]} hold the same pairs; '
                'give other files, or --unchecked')
    return Corpus(source, {
        part: [pair for name in names for pair in pairs[name]]
        for part, names in sets.items()}, max_length, characters, sets)


def sample(max_length, n_train=4000, n_other=200, characters=None):
    """Return pairs that the project generates itself."""
    from experiments.iwslt import grammar
    return Corpus('sample', grammar.sample(n_train, n_other, n_other),
                  max_length, characters)


class Characters:
    """The characters of both languages, numbered.

    The first is the end of a sentence. An unknown character has the number
    -1, which is embedded as zeros and left out of the loss.
    """

    def __init__(self, characters):
        self._characters = list(characters)
        self._numbers = {each: i for i, each in enumerate(self._characters)}
        self.eos = self._numbers[EOS]

    def __len__(self):
        return len(self._characters)

    def __iter__(self):
        return iter(self._characters)

    def unknown(self, text):
        """Return the characters of a text that have no number."""
        return [each for each in text if each not in self._numbers]

    def source(self, text):
        """Return int32 numbers ``(S,)``, last one first as in the paper."""
        return self.target(text[::-1])[:-1]

    def target(self, text):
        """Return int32 numbers ``(T,)`` of a text and its end."""
        return numpy.array([self._numbers.get(each, IGNORE_LABEL)
                            for each in text + EOS], numpy.int32)

    def text(self, numbers):
        """Return the text of some numbers, up to its end."""
        text = ''.join(self._characters[i] for i in numbers)
        return text.partition(EOS)[0]


class Corpus:
    """Three parts, each a list of pairs, and the characters in them.

    Args:
        source (str): Where the pairs come from.
        pairs (dict): Pairs of a German and an English sentence, for
            ``'train'``, ``'dev'`` and ``'test'``.
        max_length (int): Training pairs with more characters than this on one
            side are left out.
        characters (Characters): Those of a trained model; by default those of
            the training part, in Unicode's order.
        sets (dict): Names of the sets that each part is made of.

    """

    def __init__(self, source, pairs, max_length, characters=None, sets=None):
        self.pairs = {**pairs, 'train': [
            pair for pair in pairs['train']
            if max(map(len, pair)) <= max_length]}
        self._n_long = len(pairs['train']) - len(self.pairs['train'])
        for part in PARTS:
            if not self.pairs[part]:
                length = f'at most {max_length}' if pairs[part] else 'any'
                raise UserError(f'{part} of {source} holds no pair of '
                                f'sentences of {length} characters')
        self.characters = characters or Characters([EOS, *sorted(
            set().union(*itertools.chain(*self.pairs['train'])))])
        # All that a training depends on, as plain values
        self.facts = {
            'source': source, 'sets': sets or {part: [part] for part in PARTS},
            'characters': len(self.characters),
            'pairs': {part: len(self.pairs[part]) for part in PARTS},
            'training_fingerprint': self._fingerprint('train', 'dev'),
            'fingerprint': self._fingerprint('test')}  # of the scores' part

    def examples(self, part):
        """Return a part as ``Translator.forward`` takes it, pair by pair."""
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
                f'{self._n_long:,} longer ones left out'
                if self._n_long and part == 'train' else ''])))
        return '\n'.join(lines + [
            "  the paper's training part: 209,772 pairs, 103 / 93 characters, "
            '187 code points'])


def clean(line):
    """Return a line with single spaces, and none at its ends."""
    return ' '.join(line.split())


def _find_files(folder):
    """Return the German and the English file of each set, by its name."""
    files = {}
    for german in sorted(os.listdir(folder)):
        match = re.fullmatch(r'(?:IWSLT[^.]*\.)?(.+?)(?:\.de-en|\.en-de)?\.de'
                             r'(?:\.xml)?(?:\.gz)?', german)
        start, _, end = german.removesuffix('.gz').rpartition('.de')
        english = match and cli.plain_or_gzipped(
            os.path.join(folder, start + '.en' + end))
        if english:
            files.setdefault(match[1], (os.path.join(folder, german), english))
    return files


def _choose_sets(folder, files, extra):
    """Return the names of the sets of each part, ``extra`` to train on."""
    found = {part: [name for pattern in patterns
                    for name in fnmatch.filter(files, pattern)]
             for part, patterns in PARTS.items()}
    missing = [' or '.join(PARTS[part]) for part in PARTS if not found[part]]
    if missing:
        raise UserError(
            f"there is no pair of files named {', and none '.join(missing)} "
            f'in {folder}; see experiments/iwslt/README.md')
    further = sorted(set(files).difference(*found.values()))
    for start in extra:
        if not any(name.startswith(start) for name in further):
            raise UserError(f'no further set in {folder} begins with {start}; '
                            f"there is {', '.join(further) or 'none'}")
    sets = {part: found[part][:1] for part in PARTS}
    sets['train'] += [
        name for name in further if name.startswith(tuple(extra))]
    return sets


def _read_pairs(german, english, checked):
    """Return the pairs of a German and an English file."""
    sides = _read_lines(german), _read_lines(english)
    n_unpaired = len(sides[0].keys() ^ sides[1].keys())
    if checked and n_unpaired and '.xml' not in os.path.basename(german):
        raise UserError(
            f'{german} has {len(sides[0]):,} lines and {english} has '
            f'{len(sides[1]):,}; correct them, or take what both have with '
            '--unchecked')
    pairs = [(line, sides[1][key]) for key, line in sides[0].items()
             if key in sides[1]]
    complete = [pair for pair in pairs if all(pair)]
    for n, what in (len(pairs) - len(complete), 'pairs with an empty side'), (
            n_unpaired, 'lines without a partner'):
        if n:
            print(f'warning: {n:,} {what} are left out of {german}',
                  file=sys.stderr)
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
    text = cli.read_text(path, 'one sentence per line')
    if '.xml' in os.path.basename(path):
        segments, document = {}, None
        for docid, number, sentence in _XML.findall(text):
            if number:
                segments[document, number] = clean(html.unescape(sentence))
            else:
                document = docid
        if not segments:
            raise UserError(f'{path} holds no <seg>')
        return segments
    # splitlines() would also split at characters that some lines hold.
    lines = text.removesuffix('\n').split('\n') if text else []
    if os.path.basename(path).startswith('train.tags.'):
        lines = [html.unescape(line) for line in lines
                 if not _TAG_LINE.match(line)]
    return dict(enumerate(map(clean, lines)))
