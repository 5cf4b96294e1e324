"""Pairs of German and English sentences from a folder."""
import fnmatch
import html.parser
import itertools
import os
import re
import sys

from experiments.common import text
from experiments.common.cli import UserError


# For each part, patterns of names of its set, in order of preference
_NAMES = {'train': ('train', 'train.tags'),
          'dev': ('dev', 'val', 'TED.tst2013'),
          'test': ('test', 'test_*', 'TED.tst2014')}


def read(folder, extra=(), checked=True, is_training=True):
    """Return two dicts, which map parts to pairs and to names of sets.

    ``is_training`` is True in a training run. For the other arguments, see
    :func:`experiments.iwslt.data.load`.
    """
    if not os.path.isdir(folder):
        raise UserError(
            f"there is no folder {folder}; --data accepts 'sample' or a "
            'folder with pairs of files, see experiments/iwslt/README.md')
    paths = _find_files(folder)
    sets = _choose_sets(folder, paths, extra)
    pairs = {name: _read_pairs(*paths[name], checked)
             for name in itertools.chain(*sets.values())}
    train = sets['train'][0]
    for name in sets['dev'] + sets['test']:
        if checked and is_training and pairs[name] == pairs[train]:
            raise UserError(
                f'{paths[train][0]} and {paths[name][0]} contain the same '
                'pairs; use other files, or add --unchecked')
    return {part: [pair for name in names for pair in pairs[name]]
            for part, names in sets.items()}, sets


def clean(line):
    """Strip a line, and replace each run of whitespace with a space."""
    return ' '.join(line.split())


def _find_files(folder):
    """Return a dict that maps each set to its German and its English file."""
    paths = {}
    for german in sorted(os.listdir(folder)):
        match = re.fullmatch(
            r'(?:IWSLT[^.]*\.)?([^.].*?)(?:\.de-en|\.en-de)?\.de(?:\.xml)?'
            r'(?:\.gz)?', german)
        start, _, end = german.removesuffix('.gz').rpartition('.de')
        english = match and text.plain_or_gzipped(
            os.path.join(folder, start + '.en' + end))
        if english:
            paths.setdefault(match[1], (os.path.join(folder, german), english))
    return paths


def _choose_sets(folder, available, extra):
    """Return a dict that maps each part to the names of its sets."""
    matches = {part: [name for pattern in patterns
                      for name in fnmatch.filter(available, pattern)]
               for part, patterns in _NAMES.items()}
    missing = [' or '.join(names) for part, names in _NAMES.items()
               if not matches[part]]
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
    """Return a dict that maps positions, such as ``'line 3'``, to lines."""
    name = os.path.basename(path)
    if '.xml' in name:
        return _Segments(path, text.read_text(path)).lines
    lines = text.read_lines(path)
    if name.startswith('train.tags.'):
        lines = (html.unescape(line) for line in lines
                 if not _TAG_LINE.match(line))
    return {f'line {i}': clean(line) for i, line in enumerate(lines, 1)}


class _Segments(html.parser.HTMLParser):
    """Parser of an IWSLT XML file. It stores the segments in ``lines``.

    The files are not always well-formed XML, so they are read with an HTML
    parser, which tolerates errors.
    """

    def __init__(self, path, contents):
        super().__init__()
        self.lines = {}
        self._path = path
        self._key = self._document = None
        self._n_documents = 0
        # Reject very long tags, because parsing takes quadratic time.
        if max(map(len, contents.split('>'))) > 10000:
            raise UserError(f'{path} is not XML: it contains a tag without an '
                            'end')
        self.feed(contents)
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
