"""Words of a text, as GloVe has them."""
import re

from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters
from nltk.tokenize.punkt import PunktSentenceTokenizer


VERSION = 1  # to be raised when other tokens come out: caches depend on it

# Words whose full stop ends no sentence. NLTK's trained list would have to
# be downloaded.
_ABBREVIATIONS = ('mr', 'mrs', 'ms', 'dr', 'jr', 'sr', 'st', 'prof', 'vs',
                  'etc', 'e.g', 'i.e', 'lt', 'col', 'gen', 'sgt', 'capt')

_BREAK = re.compile(r'<br\s*/?>', re.IGNORECASE)
_MISSING_SPACE = re.compile(r'(?<=[a-z][.!?])(?=[A-Z])')
_QUOTES = {'``': '"', "''": '"'}

_parameters = PunktParameters()
_parameters.abbrev_types = set(_ABBREVIATIONS)
_sentences = PunktSentenceTokenizer(_parameters)
_words = NLTKWordTokenizer()


def tokenize(text):
    """Splits a text into words and punctuation, cased, without HTML breaks.

    Sentences are split first, since the tokeniser of the Penn Treebank takes
    the full stop off the last word of what it is given and off no other.

    Args:
        text (str): The text.

    Returns:
        list of str: Its tokens.

    .. admonition:: Example

        >>> from experiments.imdb.tokens import tokenize
        >>> tokenize('It is good.<br /><br />Mr. X "acts", I can\\'t.')
        ['It', 'is', 'good', '.', 'Mr.', 'X', '"', 'acts', '"', ',', 'I', \
'ca', "n't", '.']

    """
    text = _MISSING_SPACE.sub(' ', _BREAK.sub(' ', text))
    return [_QUOTES.get(word, word)
            for sentence in _sentences.tokenize(text)
            for word in _words.tokenize(sentence)]
