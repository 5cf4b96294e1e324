"""Heat maps of states over words, as a picture and as a page."""
import base64
import json
import string

import numpy

from experiments.common.errors import Problem


_WORDS_PER_ROW = 75
_COLORS = 'RdBu_r'
# Where red and blue of that map end, for the page
_RED, _BLUE = (178, 24, 43), (33, 102, 172)


def channel_order(states):
    """Order of channels in which neighbours behave alike.

    Channels are points on a sphere, their courses over time freed of mean and
    scale; they are ordered by their angle in the plane in which these points
    differ most.

    Args:
        states (numpy.ndarray): ``(T, m)``.

    Returns:
        numpy.ndarray: Indices of channels, ``(m,)``.

    """
    courses = states.T.astype('f8')
    courses = courses - courses.mean(axis=1, keepdims=True)
    norm = numpy.sqrt((courses ** 2).sum(axis=1, keepdims=True))
    courses /= numpy.maximum(norm, 1e-12)
    axes = numpy.linalg.svd(courses, full_matrices=False)[0][:, :2]
    if axes.shape[1] < 2:
        return numpy.argsort(axes[:, 0], kind='stable')
    return numpy.argsort(numpy.arctan2(axes[:, 1], axes[:, 0]), kind='stable')


def draw_png(f, words, states, p, order):
    """Draws a picture: rows of words, the verdict above their states.

    Args:
        f (file): Where to write.
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
    # Two axes for every row of words: the verdict above, the states below
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
        below.set_xticks(x, [_plain(word) for word in words[row]],
                         rotation=90, fontsize=7)
        for side in 'top', 'right', 'bottom', 'left':
            below.spines[side].set_visible(False)
            above.spines[side].set_visible(False)
    figure.colorbar(image, ax=axes.tolist(), label='c', fraction=.01)
    figure.savefig(f, format='png', dpi=110)


def draw_html(f, words, states, p, order):
    """Writes a page that needs nothing else. Arguments: :func:`draw_png`."""
    limit = float(abs(states).max()) or 1.
    levels = numpy.rint(states[:, order].T / limit * 127).astype('i1')
    page = _PAGE.substitute(
        data=json.dumps({
            'words': words,
            'p': [round(float(each), 4) for each in p],
            'order': order.tolist(),
            'limit': limit,
            'levels': base64.b64encode(levels.tobytes()).decode(),
            'red': _RED, 'blue': _BLUE,
            # No text of a review can end the script.
        }).replace('<', '\\u003c'))
    f.write(page.encode('utf-8'))


def _plain(word):
    return word.replace('$', r'\$')  # no formulas


_PAGE = string.Template('''<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>States of the last layer over a review</title>
<style>
body { font: 15px/1.5 sans-serif; margin: 2em; color: #222; }
#review { max-width: 60em; }
#review span { padding: 1px 2px; border-radius: 3px; }
#review .at { outline: 2px solid #222; }
#map { overflow-x: auto; margin: 1em 0; }
canvas { display: block; cursor: crosshair; }
#told { font-variant-numeric: tabular-nums; min-height: 1.5em; }
.note { color: #666; max-width: 60em; }
</style>
<p class="note">Each word is shaded by the probability that the review is
positive if it ended there: red negative, blue positive. Below, a column for
each word and a row for each channel of c in the last layer, similar channels
side by side: blue below 0, red above.</p>
<p id="review"></p>
<p id="told">Point at a word or at the map.</p>
<div id="map"><canvas></canvas></div>
<script>
"use strict";
const data = $data;
const levels = Int8Array.from(atob(data.levels), c => c.charCodeAt(0));
const T = data.words.length, m = data.order.length;
const W = Math.max(6, Math.min(24, Math.floor(1200 / T)));
const H = Math.max(2, Math.floor(512 / m));
const review = document.getElementById("review");
const told = document.getElementById("told");
const mix = (to, share) =>
  "rgb(" + to.map(v => Math.round(255 + (v - 255) * share)) + ")";

const spans = data.words.map((word, t) => {
  const span = document.createElement("span");
  span.textContent = word;
  const lean = 2 * data.p[t] - 1;
  span.style.background =
    mix(lean < 0 ? data.red : data.blue, .6 * Math.abs(lean));
  span.onmouseenter = () => tell(t);
  review.append(span, " ");
  return span;
});

const canvas = document.querySelector("canvas");
canvas.width = T * W;
canvas.height = m * H;
const context = canvas.getContext("2d");
function draw(marked) {
  for (let j = 0; j < m; j++)
    for (let t = 0; t < T; t++) {
      const v = levels[j * T + t] / 127;
      context.fillStyle = mix(v < 0 ? data.blue : data.red, Math.abs(v));
      context.fillRect(t * W, j * H, W, H);
    }
  if (marked !== undefined) {
    context.strokeStyle = "#222";
    context.strokeRect(marked * W + .5, .5, W - 1, m * H - 1);
  }
}

let last;
function tell(t, j) {
  if (last !== t) {
    if (last !== undefined) spans[last].className = "";
    spans[t].className = "at";
    draw(t);
    last = t;
  }
  let text = "word " + (t + 1) + " of " + T + ": \\u201c" + data.words[t] +
    "\\u201d, p(positive) = " + data.p[t].toFixed(3);
  if (j !== undefined)
    text += ", channel " + data.order[j] + ": c = " +
      (levels[j * T + t] / 127 * data.limit).toFixed(2);
  told.textContent = text;
}
canvas.onmousemove = event => tell(
  Math.min(T - 1, Math.floor(event.offsetX / W)),
  Math.min(m - 1, Math.floor(event.offsetY / H)));
draw();
</script>
</html>
''')
