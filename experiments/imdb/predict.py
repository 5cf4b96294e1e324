"""Judges reviews: ``python -m experiments.imdb.predict --help``."""
import itertools
import math
import sys

import chainer
import numpy

from experiments.common import arguments
from experiments.common import errors
from experiments.common.buckets import by_length
from experiments.imdb import model as model_module
from experiments.imdb.batches import pad
from experiments.imdb.tokens import tokenize


_CHUNK = 256  # reviews read at a time from a file or a pipe
_MAX_WORDS = 24000  # padded words in a batch, which bounds the memory


def main(argv=None):
    """Prints the label and the probability of each review."""
    args = parse(argv)
    device = arguments.use_device(args.device)
    model, _ = model_module.load(args.model)
    model.to_device(device)
    n_bad = 0
    for chunk in _chunks(args.text):
        reviews = []
        for line, text in chunk:
            words = [] if text is None else tokenize(text)
            reviews.append(numpy.array(
                [model.number(word) for word in words], 'i'))
            complaint = _complaint(text, reviews[-1])
            if complaint:
                print('review {}: {}'.format(line, complaint),
                      file=sys.stderr)
            n_bad += not words
        for p in probabilities(model, reviews):
            print(describe(p), flush=True)
    if n_bad:
        sys.exit(1)


def parse(argv=None):
    parser = arguments.Parser(
        prog='python -m experiments.imdb.predict',
        description='Prints a line for each review: positive or negative, '
        'and the probability that it is positive. A review without any word '
        'gets a "-".')
    parser.add_argument(
        'text', nargs='*', metavar='REVIEW',
        help='a review (default: standard input, one on each line)')
    arguments.add_model(parser)
    arguments.add_device(parser)
    return parser.parse_args(argv)


def probabilities(model, reviews):
    """Probability that each review is positive.

    Args:
        model (Classifier): The model.
        reviews (list of numpy.ndarray): int32 words of each, ``(T,)``.

    Returns:
        numpy.ndarray: float32 of ``(N,)``, NaN for a review without words.

    """
    p = numpy.full(len(reviews), numpy.nan, 'f')
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for batch in _batches([len(review) for review in reviews]):
            words, lengths, _ = pad(
                [(reviews[i], 0) for i in batch], model.device)
            score = chainer.functions.sigmoid(model.score(words, lengths))
            p[batch] = chainer.backends.cuda.to_cpu(score.array)
    return p


def describe(p):
    """A probability as ``'positive\\t0.9731'``."""
    if math.isnan(p):
        return '-'
    return '{}\t{:.4f}'.format('positive' if p >= .5 else 'negative', p)


def _batches(lengths):
    """Lists of indices of reviews of about the same length, empty ones out."""
    batch = []
    for i in by_length(lengths):
        if not lengths[i]:
            break
        # The first one of a batch is the longest.
        if batch and (len(batch) + 1) * lengths[batch[0]] > _MAX_WORDS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _chunks(texts):
    """Lists of pairs of a number, from 1 on, and a text, or None for a text
    that is not UTF-8."""
    lines = enumerate(texts or map(_decoded, sys.stdin.buffer), 1)
    # Someone who types waits for the answer to each line.
    size = 1 if sys.stdin.isatty() else _CHUNK
    while chunk := list(itertools.islice(lines, size)):
        yield chunk


def _decoded(line):
    try:
        return line.decode('utf-8').strip('\r\n')
    except UnicodeDecodeError:
        return None


def _complaint(text, words):
    if text is None:
        return 'this line is not UTF-8 text'
    if not len(words):
        return 'there is no word in it'
    if not words.any():
        return 'the model knows none of its words'
    return None


if __name__ == '__main__':
    errors.run(main)
