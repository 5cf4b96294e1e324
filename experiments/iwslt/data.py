"""Pairs of German and English sentences, from files or from the sample."""
import hashlib
import itertools

import numpy

from experiments.common.cli import UserError


EOS = '\n'  # character that marks the end of a sentence
IGNORE_LABEL = -1  # index of unknown characters and of padding

PARTS = 'train', 'dev', 'test'


def load(source, max_length, extra=(), characters=None, checked=True):
    """Load a :class:`Corpus`.

    Args:
        source (str): ``'sample'`` or None for pairs that the project
            generates itself, or a folder; see ``README.md``.
        max_length (int), characters (Characters): As in :class:`Corpus`.
        extra (sequence of str): Beginnings of names. Sets with such names are
            added to the training part, unless they are dev or test sets.
        checked (bool): If True, reject lines without a partner and, in a
            training run, a dev or test set that equals the train set.

    Raises:
        UserError: If a part is missing, is not text or fails a check.

    """
    if source in (None, 'sample'):
        if extra:
            raise UserError('--extra requires --data with a folder')
        return sample(max_length, characters=characters)
    from experiments.iwslt import pairs
    parts, sets = pairs.read(source, extra, checked, characters is None)
    return Corpus(source, parts, max_length, characters, sets)


def sample(max_length, n_train=4000, n_other=200, characters=None):
    """Return a :class:`Corpus` of pairs that the project generates."""
    from experiments.iwslt import grammar
    return Corpus('sample', grammar.sample(n_train, n_other, n_other),
                  max_length, characters)


class Characters:
    """Characters of both languages and their indices.

    The first character marks the end of a sentence. Unknown characters have
    the index -1, which is embedded as zeros and excluded from the loss.
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
        """Return a list of the unknown characters of a text."""
        return [character for character in text
                if character not in self._numbers]

    def source(self, text):
        """Return the indices of a text in reverse order, int32, ``(S,)``."""
        return self.target(text[::-1])[:-1]

    def target(self, text):
        """Return int32 indices of a target text and EOS, ``(T,)``."""
        return numpy.array([self._numbers.get(character, IGNORE_LABEL)
                            for character in text + EOS], numpy.int32)

    def text(self, numbers):
        """Convert indices to text, up to the first EOS."""
        text = ''.join(self._characters[i] for i in numbers)
        return text.partition(EOS)[0]


class Corpus:
    """Pairs of sentences in three parts, with their characters.

    Args:
        source (str): Source of the pairs.
        pairs (dict): Maps ``'train'``, ``'dev'`` and ``'test'`` to lists of
            pairs of a German and an English sentence.
        max_length (int): Training pairs are left out if one of the sentences
            has more characters.
        characters (Characters): Characters of a trained model. By default,
            characters of the training part, in Unicode order.
        sets (dict): Maps each part to the names of the sets in it.

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
        # Source, sizes and fingerprints of the data, as JSON values
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
