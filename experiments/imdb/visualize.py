"""Draw Figure 3: ``python -m experiments.imdb.visualize --help``."""
import base64
import json
import os
import string
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
from experiments.imdb import model as model_module
from experiments.imdb import reviews
from experiments.imdb.data import tokenize
from experiments.imdb.predict import describe
from experiments.imdb.sample import sample


_MAX_WORDS = 5000  # browsers draw no page much wider
_WORDS_PER_ROW = 75  # of the picture
_COLORS = 'RdBu_r'
_RED, _BLUE = (178, 24, 43), (33, 102, 172)  # where _COLORS ends


def main(argv=None):
    """Draw the states of the last layer over a review."""
    args = parse(argv)
    words = tokenize(_review(args))
    if not words:
        raise Problem('there is no word in the review; give one as an '
                      'argument or on standard input')
    if len(words) > _MAX_WORDS:
        raise Problem(f'the review has {len(words):,} words; no more than '
                      f'{_MAX_WORDS:,} can be drawn')
    device = arguments.use_device(args.device)
    model, _ = model_module.load(args.model)
    if not isinstance(model, model_module.SentimentClassifier):
        raise Problem('a model that reads in both directions has no states '
                      'to follow along a review; choose one of another '
                      'configuration')
    model.to_device(device)
    states, p = trace(model, [model.number(word) for word in words])
    order = channel_order(states)
    os.makedirs(os.path.dirname(args.out) or '.', exist_ok=True)
    for name, draw in ('png', draw_png), ('html', draw_html):
        with replacing(f'{args.out}.{name}') as f:
            draw(f, words, states, p, order)
        print(f'Written to {args.out}.{name}')
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
    """Return the text that the command line asks for."""
    if args.find is None:
        text = (sys.stdin.buffer.read() if args.text is None
                else os.fsencode(args.text))
        return decode(text, 'the review', 'words')
    source = args.data or best_model.load_description(
        args.model, 'imdb')['data']['source']
    texts = (sample() if source == 'sample'
             else reviews.read(reviews.find_files(source)))
    for text, _ in texts['test']:
        if args.find in text:
            return text
    raise Problem(f'no test review of {source} says {args.find!r}')


def trace(model, words):
    """Follow a model through a review, word by word.

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


def channel_order(states):
    """Return an order of channels in which similar ones are neighbours.

    Channels are points on a sphere, their courses over time freed of mean and
    scale; they are sorted by their angle in the plane of the first two
    principal axes.

    Args:
        states (numpy.ndarray): ``(T, m)``.

    Returns:
        numpy.ndarray: Indices of channels, ``(m,)``.

    """
    courses = states.T.astype('f8')
    courses -= courses.mean(axis=1, keepdims=True)
    norm = numpy.linalg.norm(courses, axis=1, keepdims=True)
    u = numpy.linalg.svd(courses / numpy.maximum(norm, 1e-12),
                         full_matrices=False)[0]
    return numpy.argsort(numpy.arctan2(u[:, min(1, u.shape[1] - 1)], u[:, 0]),
                         kind='stable')


def draw_png(f, words, states, p, order):
    """Draw rows of words, the probability above the states.

    Args:
        f (file): Binary file to write to.
        words (list of str): The ``T`` words.
        states (numpy.ndarray): ``(T, m)``.
        p (numpy.ndarray): Probability after each word, ``(T,)``.
        order (numpy.ndarray): Order of channels, ``(m,)``.

    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Problem('matplotlib is not installed; pip install matplotlib')
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
            states[row, order].T, cmap=_COLORS, vmin=-limit, vmax=limit,
            aspect='auto', interpolation='nearest')
        below.set(xlim=(-.5, width - .5), yticks=[], ylabel='channel')
        labels = [word.replace('$', r'\$') for word in words[row]]  # no TeX
        below.set_xticks(x, labels, rotation=90, fontsize=7)
        for each in above, below:
            each.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes.tolist(), label='c', fraction=.01)
    figure.savefig(f, format='png', dpi=110)


def draw_html(f, words, states, p, order):
    """Write a self-contained page; arguments are those of `draw_png`."""
    limit = float(abs(states).max()) or 1.
    levels = numpy.rint(states[:, order].T / limit * 127).astype('i1')
    data = json.dumps({
        'words': words, 'p': [round(float(each), 4) for each in p],
        'order': order.tolist(), 'limit': limit,
        'levels': base64.b64encode(levels.tobytes()).decode(),
        'red': _RED, 'blue': _BLUE})
    # No text of a review can end the script.
    f.write(_PAGE.substitute(
        data=data.replace('<', '\\u003c')).encode('utf-8'))


_PAGE = string.Template('''<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>States of the last layer over a review</title>
<style>
body { font: 15px/1.5 sans-serif; margin: 2em; color: #222; }
p { max-width: 60em; min-height: 1.5em; }
#review .at { outline: 2px solid #222; }
#map { overflow-x: auto; }
canvas { display: block; cursor: crosshair; }
</style>
<p>Each word is shaded by the probability that the review is positive if it
ended there: red negative, blue positive. Below, a column for each word and a
row for each channel of c in the last layer, similar channels side by side:
blue below 0, red above.</p>
<p id="review"></p>
<p id="value">Point at a word or at the map.</p>
<div id="map"><canvas></canvas></div>
<script>
"use strict";
const data = $data;
const levels = Int8Array.from(atob(data.levels), c => c.charCodeAt(0));
const T = data.words.length, m = data.order.length;
const W = Math.max(6, Math.min(24, Math.floor(1200 / T)));
const H = Math.max(2, Math.floor(512 / m));
const mix = (to, share) =>
  "rgb(" + to.map(v => Math.round(255 + (v - 255) * share)) + ")";

const spans = data.words.map((word, t) => {
  const span = document.createElement("span");
  span.textContent = word;
  const lean = 2 * data.p[t] - 1;
  span.style.background =
    mix(lean < 0 ? data.red : data.blue, .6 * Math.abs(lean));
  span.onmouseenter = () => show(t);
  document.getElementById("review").append(span, " ");
  return span;
});

const canvas = document.querySelector("canvas");
canvas.width = T * W;
canvas.height = m * H;
const context = canvas.getContext("2d");
for (let j = 0; j < m; j++)
  for (let t = 0; t < T; t++) {
    const v = levels[j * T + t] / 127;
    context.fillStyle = mix(v < 0 ? data.blue : data.red, Math.abs(v));
    context.fillRect(t * W, j * H, W, H);
  }

function show(t, j) {
  spans.forEach((span, i) => span.className = i === t ? "at" : "");
  let text = "word " + (t + 1) + " of " + T + ": \\u201c" + data.words[t] +
    "\\u201d, p(positive) = " + data.p[t].toFixed(3);
  if (j !== undefined)
    text += ", channel " + data.order[j] + ": c = " +
      (levels[j * T + t] / 127 * data.limit).toFixed(2);
  document.getElementById("value").textContent = text;
}
canvas.onmousemove = event => show(
  Math.min(T - 1, Math.floor(event.offsetX / W)),
  Math.min(m - 1, Math.floor(event.offsetY / H)));
</script>
</html>
''')


if __name__ == '__main__':
    errors.run(main)
