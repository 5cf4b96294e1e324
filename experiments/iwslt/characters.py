"""Characters as numbers."""
import numpy


EOS = '\n'  # the end of a sentence, predicted like a character

NOTHING = -1  # number of an unknown character, and of padding


class Characters(object):

    """The characters of both languages, numbered.

    An unknown character keeps its place but is read as nothing: its number
    is -1, which embeds as zeros and is left out of the loss.

    Args:
        characters (sequence of str): Character of each number, ``V`` of
            them; the first is the end of a sentence.

    """

    def __init__(self, characters):
        self._characters = list(characters)
        self._numbers = {
            character: i for i, character in enumerate(self._characters)}
        self.eos = self._numbers[EOS]

    @classmethod
    def of(cls, lines):
        """Those that occur in some lines of text, in the order of Unicode."""
        return cls([EOS] + sorted(set().union(*lines).difference([EOS])))

    def __len__(self):
        return len(self._characters)

    def __iter__(self):
        return iter(self._characters)

    def __contains__(self, character):
        return character in self._numbers

    def unknown(self, text):
        """The characters of a text that have no number."""
        return [character for character in text if character not in self]

    def source(self, text):
        """Numbers of a text to translate, int32 of ``(S,)``, last one first.

        The paper's encoder reads its source reversed.
        """
        return self._as_array(text[::-1])

    def target(self, text):
        """Numbers of a translation and its end, int32 of ``(T,)``."""
        return self._as_array(text + EOS)

    def text(self, numbers):
        """The text of some numbers, up to its end."""
        text = ''.join(self._characters[i] for i in numbers)
        return text.partition(EOS)[0]

    def _as_array(self, text):
        return numpy.array([self._numbers.get(character, NOTHING)
                            for character in text], numpy.int32)
