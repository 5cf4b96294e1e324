"""Split reviews into words with NLTK."""
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import ctypes
import itertools
import multiprocessing
import os
import re
import signal

from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters
from nltk.tokenize.punkt import PunktSentenceTokenizer
import numpy

from experiments.common.cli import explained


VERSION = 1  # part of the cache key; increase it if tokens change

# A short list of abbreviations, because NLTK's list must be downloaded
_parameters = PunktParameters()
_parameters.abbrev_types = set(
    'mr mrs ms dr jr sr st prof vs etc e.g i.e lt col gen sgt capt'.split())
_sentence_tokenizer = PunktSentenceTokenizer(_parameters)
_word_tokenizer = NLTKWordTokenizer()


def tokenize(text):
    """Split a text into words and punctuation, without HTML line breaks.

    The case of letters is preserved. Sentences are split first, because the
    tokenizer of the Penn Treebank splits off a full stop only at the end of
    its input.

    .. admonition:: Example

        >>> from experiments.imdb.tokenizer import tokenize
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
    """Tokenize labelled texts, and return a dict of arrays.

    ``texts`` maps each part to pairs of a text and its label. The return value
    is the argument ``tokenized`` of :class:`experiments.imdb.data.Corpus`.
    """
    numbers, arrays = {}, {}
    tokenized = _map(tokenize, [
        text for pairs in texts.values() for text, _ in pairs])
    for part, pairs in texts.items():
        words, lengths = [], []
        for tokens in itertools.islice(tokenized, len(pairs)):
            lengths.append(len(tokens))
            words += [numbers.setdefault(word, len(numbers))
                      for word in tokens]
        for name, array in (
                ('words', words), ('lengths', lengths),
                ('labels', [label for _, label in pairs])):
            arrays[f'{part}_{name}'] = numpy.array(array, 'i')
    arrays['types'] = numpy.frombuffer('\n'.join(numbers).encode(), 'u1')
    return arrays


# Starting processes takes as long as tokenizing this many characters.
_MANY = 10 ** 6


def _map(function, texts):
    """Apply a function to texts; use several processes for many texts."""
    n_processes = min(8, len(os.sched_getaffinity(0)))
    if n_processes == 1 or sum(map(len, texts)) < _MANY:
        yield from map(function, texts)
        return
    # Processes are spawned, not forked, because this process may have threads.
    with explained('a process that tokenized reviews was killed; free some '
                   'memory and try again', BrokenProcessPool), \
            ProcessPoolExecutor(
                n_processes, multiprocessing.get_context('spawn'),
                _set_up_worker) as pool:
        yield from pool.map(function, texts, chunksize=100)


def _set_up_worker():
    """Make this process ignore Ctrl-C, and end when its parent ends."""
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
