"""Classify reviews: ``python -m experiments.imdb.predict --help``."""
import sys

import chainer

from experiments.common import cli
from experiments.common import commands
from experiments.common.text import decode
from experiments.common.text import split_lines
from experiments.imdb.data import pad
from experiments.imdb.model import load
from experiments.imdb.model import PRETRAINED
from experiments.imdb.tokenizer import tokenize


def main(argv=None):
    """Print the label and the probability of each review."""
    parser = cli.Parser('imdb.predict', description=(
        'Print a line for each review: positive or negative, and the '
        'probability that it is positive, or "-" if it has no words.'))
    parser.add_argument(
        'text', nargs='*', metavar='REVIEW', type=commands.text,
        help='a review (default: lines of standard input)')
    commands.add_model(parser, PRETRAINED)
    cli.add_device(parser)
    args = parser.parse_args(argv)
    device = cli.use_device(args.device)
    model, description = load(args.model)
    model.to_device(device)
    status = 0
    for number, text in enumerate(
            args.text or split_lines(sys.stdin.buffer), 1):
        problem = None
        try:
            if not isinstance(text, str):
                contents, *start = text
                text = decode(contents, 'standard input', *start)
            words = [model.number(word) for word in tokenize(text)]
            if not words:
                problem = 'it has no words'
            elif not any(words) and description['words']:  # empty for pqrnn
                problem = 'all of its words are unknown to the model'
        except cli.UserError as error:
            words, problem = [], str(error)
        print(describe(probability(model, words)) if words else '-',
              flush=True)
        status = status or int(not words)
        if problem:
            print(f'review {number}: {problem}', file=sys.stderr)
    if status:
        sys.exit(status)


def probability(model, words):
    """Return the probability that a review is positive, from word indices."""
    words, lengths, _ = pad([(words, 0)], model.device)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        logits = model.logits(words, lengths)
        return float(chainer.functions.sigmoid(logits).array[0])


def describe(p):
    """Return label and probability as text, like ``'positive\\t0.9731'``."""
    return f'{"positive" if p >= .5 else "negative"}\t{p:.4f}'


if __name__ == '__main__':
    cli.run(main)
