"""Words of reviews, with NLTK."""
import re

from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters
from nltk.tokenize.punkt import PunktSentenceTokenizer
import numpy


VERSION = 1  # increase it with each change: part of the key of the cache

# Abbreviations; NLTK's trained list would be a download.
_parameters = PunktParameters()
_parameters.abbrev_types = set(
    'mr mrs ms dr jr sr st prof vs etc e.g i.e lt col gen sgt capt'.split())
_sentence_tokenizer = PunktSentenceTokenizer(_parameters)
_word_tokenizer = NLTKWordTokenizer()


def tokenize(text):
    """Split a text into words and punctuation, cased, without HTML breaks.

    Sentences are split first, because the tokenizer of the Penn Treebank
    splits off a full stop only at the end of its input.

    .. admonition:: Example

        >>> from experiments.imdb.data import tokenize
        >>> tokenize('It is good.<br /><br />Mr. X "acts", I can\\'t.')
        ['It', 'is', 'good', '.', 'Mr.', 'X', '"', 'acts', '"', ',', 'I', \
'ca', "n't", '.']

    """
    text = re.sub(r'<br\s*/?>', ' ', text, flags=re.IGNORECASE)
    text = re.sub(r'(?<=[a-z][.!?])(?=[A-Z])', ' ', text)
    return ['"' if word in ('``', "''") else word
            for sentence in _sentence_tokenizer.tokenize(text)
            for word in _word_tokenizer.tokenize(sentence)]


def tokenize_all(texts):
    """Return the arrays of labelled texts by part.

    See :class:`experiments.imdb.data.Corpus`.
    """
    numbers, arrays = {}, {}
    for part, pairs in texts.items():
        words, lengths, labels = [], [], []
        for text, label in pairs:
            tokens = tokenize(text)
            words += [numbers.setdefault(word, len(numbers))
                      for word in tokens]
            lengths.append(len(tokens))
            labels.append(label)
        for name, values in (
                ('words', words), ('lengths', lengths), ('labels', labels)):
            arrays[f'{part}_{name}'] = numpy.array(values, 'i')
    arrays['types'] = numpy.frombuffer('\n'.join(numbers).encode(), 'u1')
    return arrays
