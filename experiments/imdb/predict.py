"""Classify reviews: ``python -m experiments.imdb.predict --help``."""
import sys

import chainer

from experiments.common import arguments
from experiments.common import errors
from experiments.imdb import model as model_module
from experiments.imdb.data import pad
from experiments.imdb.data import tokenize


def main(argv=None):
    """Print the label and the probability of each review."""
    args = parse(argv)
    device = arguments.use_device(args.device)
    model, _ = model_module.load(args.model)
    model.to_device(device)
    is_complete = True
    for number, text in enumerate(args.text or sys.stdin.buffer, 1):
        try:
            words = tokenize(
                text if isinstance(text, str) else text.decode('utf-8'))
            complaint = '' if words else 'there is no word in it'
        except UnicodeDecodeError:
            words, complaint = [], 'this line is not UTF-8 text'
        words = [model.number(word) for word in words]
        if words:
            print(describe(probability(model, words)), flush=True)
            if not any(words):
                complaint = 'the model knows none of its words'
        else:
            print('-', flush=True)
            is_complete = False
        if complaint:
            print(f'review {number}: {complaint}', file=sys.stderr)
    if not is_complete:
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


def probability(model, words):
    """Return the probability that a review is positive.

    Args:
        model (Classifier): The model.
        words (list of int): Numbers of the review's words.

    """
    words, lengths, _ = pad([(words, 0)], model.device)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        logits = model.logits(words, lengths)
        return float(chainer.functions.sigmoid(logits).array[0])


def describe(p):
    """Return a probability as ``'positive\\t0.9731'``."""
    return f'{"positive" if p >= .5 else "negative"}\t{p:.4f}'


if __name__ == '__main__':
    errors.run(main)
