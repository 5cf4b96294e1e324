"""Draws Figure 3: ``python -m experiments.imdb.visualize --help``."""
import os
import sys

import chainer
from chainer.backends import cuda
import numpy

from experiments.common import arguments
from experiments.common import best_model
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.common.files import decode
from experiments.common.files import replacing
from experiments.common.precision import linear
from experiments.imdb import heat_map
from experiments.imdb import model as model_module
from experiments.imdb import reviews
from experiments.imdb import sample
from experiments.imdb.predict import describe
from experiments.imdb.tokens import tokenize


_MAX_WORDS = 5000  # browsers draw no page much wider


def main(argv=None):
    """Draws the states of the last layer over a review."""
    args = parse(argv)
    words = tokenize(_review(args))
    if not words:
        raise Problem('there is no word in the review; give one as an '
                      'argument or on standard input')
    if len(words) > _MAX_WORDS:
        raise Problem('the review has {:,} words; no more than {:,} can be '
                      'drawn'.format(len(words), _MAX_WORDS))
    device = arguments.use_device(args.device)
    model, _ = model_module.load(args.model)
    if not isinstance(model, model_module.SentimentClassifier):
        raise Problem('a model that reads in both directions has no states '
                      'to follow along a review; choose one of another '
                      'configuration')
    model.to_device(device)
    states, p = trace(model, [model.number(word) for word in words])
    order = heat_map.channel_order(states)
    for name, draw in (('png', heat_map.draw_png),
                       ('html', heat_map.draw_html)):
        path = '{}.{}'.format(args.out, name)
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        with replacing(path) as f:
            draw(f, words, states, p, order)
        print('Written to {}'.format(path))
    print(describe(p[-1]))


def parse(argv=None):
    parser = arguments.Parser(
        prog='python -m experiments.imdb.visualize',
        description='Draws c_t of the last layer over a review, as a picture '
        'and as a page on which the mouse tells word, channel and value.')
    parser.add_argument(
        'text', nargs='?', metavar='REVIEW',
        help='the review (default: standard input)')
    parser.add_argument(
        '--find', metavar='PHRASE',
        help='draw the first test review that says this, instead; the '
             "paper's says 'not exactly a bad story'")
    parser.add_argument(
        '--data', metavar='SOURCE',
        help='where --find looks, as in training (default: what the model '
             'was trained on)')
    arguments.add_model(parser)
    parser.add_argument(
        '--out', '-o', metavar='NAME', default='out/states',
        help='what to write, without .png and .html (default: out/states)')
    arguments.add_device(parser)
    args = parser.parse_args(argv)
    if args.find is not None and args.text is not None:
        parser.error('give a review or --find, not both')
    return args


def _review(args):
    """The text that the command line asks for."""
    if args.find is not None:
        trained_on = best_model.load_description(args.model, 'imdb')['data']
        return find(args.data or trained_on['source'], args.find)
    text = (sys.stdin.buffer.read() if args.text is None
            else os.fsencode(args.text))
    return decode(text, 'the review', 'words')


def find(source, phrase):
    """The first test review with a phrase in it.

    Args:
        source (str): As ``--data`` takes it.
        phrase (str): The phrase, upper and lower case told apart.

    Raises:
        Problem: If there is none.

    """
    texts = (sample.sample() if source == 'sample'
             else reviews.read(reviews.files(source)))
    for text, _ in texts['test']:
        if phrase in text:
            return text
    raise Problem('no test review of {} says {!r}'.format(source, phrase))


def trace(model, words):
    """Follows a model through a review, word by word.

    Args:
        model (SentimentClassifier): The model.
        words (list of int): The review, ``T`` words.

    Returns:
        tuple: States c of the last layer, float32 of ``(T, m)``, and the
        probability that the review is positive if it ended with each word,
        ``(T,)``.

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


if __name__ == '__main__':
    errors.run(main)
