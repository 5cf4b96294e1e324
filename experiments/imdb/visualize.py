"""Draw Figure 3: ``python -m experiments.imdb.visualize --help``."""
import io
import os
import sys

import chainer
from chainer.backends import cuda
import numpy

from experiments.common import cli
from experiments.common import commands
from experiments.common.checkpoint import replacing
from experiments.common.precision import linear
from experiments.common.text import decode
from experiments.imdb import reviews
from experiments.imdb.model import load
from experiments.imdb.model import PRETRAINED
from experiments.imdb.model import SentimentClassifier
from experiments.imdb.predict import describe
from experiments.imdb.sample import sample
from experiments.imdb.tokenizer import tokenize


_WORDS_PER_ROW = 66  # the paper's review then has three rows


def main(argv=None):
    """Draw the states of the last layer for each word of a review."""
    parser = cli.Parser('imdb.visualize', description=(
        'Draw the states c_t of the last layer over a review.'))
    parser.add_argument(
        'text', nargs='?', metavar='REVIEW', type=commands.text,
        help='the review (default: standard input)')
    parser.add_argument(
        '--find', metavar='PHRASE', type=commands.text,
        help='draw the first test review that contains this phrase; for the '
             "paper's review, use 'not exactly a bad story'")
    parser.add_argument(
        '--data', metavar='SOURCE',
        help='source of reviews for --find, as in training (default: the '
             "model's training data)")
    commands.add_model(parser, PRETRAINED)
    parser.add_argument(
        '--out', '-o', metavar='FILE', default='out/states.png',
        help='picture to write (default: out/states.png)')
    cli.add_device(parser)
    args = parser.parse_args(argv)
    if args.find is not None and args.text is not None:
        parser.error('--find cannot be used with a review; remove one of '
                     'them')
    device = cli.use_device(args.device)
    model, description = load(args.model)
    if not isinstance(model, SentimentClassifier):
        raise cli.UserError(
            f'{args.model} is a bidirectional model, whose states cannot be '
            'drawn; choose another configuration')
    model.to_device(device)
    if args.find is not None:
        text = find(args.data or description['data']['source'], args.find)
    elif args.text is not None:
        text = args.text
    else:
        text = decode(sys.stdin.buffer.read(), 'standard input')
    words = tokenize(text)
    if not words:
        raise cli.UserError('the review has no words; pass a review as an '
                            'argument or on standard input')
    states, p = trace(model, [model.number(word) for word in words])
    os.makedirs(os.path.dirname(args.out) or '.', exist_ok=True)
    with replacing(args.out) as f:
        draw(f, words, states, p, channel_order(states))
    print(f'Written to {args.out}')
    print(describe(p[-1]))


def find(source, phrase):
    """Return the first test review that contains a phrase.

    ``source`` is as in :func:`experiments.imdb.data.load`, but not None.
    """
    texts = (sample() if source == 'sample'
             else reviews.read(reviews.find_files(source)))
    for text, _ in texts['test']:
        if phrase in text:
            return text
    raise cli.UserError(f'no test review of {source} contains {phrase!r}; try '
                        'another phrase')


def trace(model, words):
    """Return the states and predictions of a model after each word.

    Args:
        model (SentimentClassifier): The model.
        words (list of int): Indices of the ``T`` words of a review.

    Returns:
        tuple: States c of the last layer, float32, ``(T, m)``, and the
        probability of a positive review after each word, ``(T,)``.

    """
    states, probabilities = [], []
    model.rnn.reset_state()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for word in words:
            x = model.embed(model.xp.array([word], 'i'))
            p = chainer.functions.sigmoid(linear(model.output, model.rnn(x)))
            states.append(cuda.to_cpu(model.rnn.state[-1].c.array)[0])
            probabilities.append(float(p.array[0, 0]))
    model.rnn.reset_state()
    return numpy.array(states), numpy.array(probabilities, 'f')


def channel_order(states):
    """Return an order of channels in which similar channels are adjacent.

    The states of each channel over time are normalised. Then the channels are
    sorted by their angles in the plane of the first two principal axes.
    """
    courses = states.T.astype('f8')
    courses -= courses.mean(axis=1, keepdims=True)
    norm = numpy.linalg.norm(courses, axis=1, keepdims=True)
    u = numpy.linalg.svd(courses / numpy.maximum(norm, 1e-12),
                         full_matrices=False)[0]
    angles = numpy.arctan2(u[:, min(1, u.shape[1] - 1)], u[:, 0])
    return numpy.argsort(angles, kind='stable')


def draw(f, words, states, p, order):
    """Draw the states and predictions of :func:`trace` as a PNG file."""
    with cli.explained('{}; pip install matplotlib', ImportError):
        from matplotlib.figure import Figure
        from PIL import Image
    starts = range(0, len(words), _WORDS_PER_ROW)
    width = min(len(words), _WORDS_PER_ROW)
    figure = Figure(figsize=(1.6 + .16 * width, 2.9 * len(starts)),
                    layout='constrained')
    axes = figure.subplots(
        2 * len(starts), 1, squeeze=False,
        height_ratios=len(starts) * (1, 4))[:, 0]
    limit = abs(states).max() or 1
    for start, above, below in zip(starts, axes[::2], axes[1::2]):
        row = slice(start, start + _WORDS_PER_ROW)
        x = numpy.arange(len(words[row]))
        above.axhline(.5, color='gray', linewidth=.5)
        above.plot(x, p[row], color='black', linewidth=1)
        above.set(xlim=(-.5, width - .5), ylim=(-.05, 1.05), xticks=[],
                  yticks=(0, 1), ylabel='p')
        image = below.imshow(
            states[row, order].T, cmap='RdBu_r', vmin=-limit, vmax=limit,
            aspect='auto', interpolation='nearest')
        below.set(xlim=(-.5, width - .5), yticks=[], ylabel='channel')
        # Escape $, because words are not formulas.
        labels = [word.replace('$', r'\$') for word in words[row]]
        below.set_xticks(x, labels, rotation=90, fontsize=7)
    # The same width in inches for all reviews, so that the ticks have room.
    figure.colorbar(image, ax=axes.tolist(), label='c',
                    fraction=.12 / figure.get_figwidth())
    png = io.BytesIO()
    figure.savefig(png, format='png', dpi=110)
    # A palette of 256 colours reduces the file to a third of its size.
    Image.open(png).convert('RGB').quantize().save(f, 'png')


if __name__ == '__main__':
    cli.run(main)
