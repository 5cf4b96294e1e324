"""Attention weights and their gradients for NumPy arrays."""
import math

import numpy

from qrnn.kernels.cpu.compilation import compiled
from qrnn.kernels.cpu.rows import computed_in
from qrnn.kernels.cpu.rows import ends_of
from qrnn.kernels.cpu.softmax import exp
from qrnn.kernels.cpu.threads import share


def clear_padding(x, lengths):
    """Return a padded batch whose padding contains no infinity and no NaN.

    If ``lengths`` is None, or if the padding is finite and the dtype is not
    float16, ``x`` is returned. Otherwise, the result is a copy in which the
    padding is 0. The loop that checks the padding does not support float16.
    """
    if lengths is None:
        return x
    ends = ends_of(lengths, *x.shape[:2])
    if x.dtype == computed_in(x.dtype) and _is_padding_finite(x, ends):
        return x
    x = x.copy()
    for row, end in zip(x, ends):
        row[end:] = 0
    return x


def attention_weights(scores, lengths):
    """Replace scores by their softmax along the last axis, in place."""
    B, T, S = scores.shape
    share(_attention_weights, B * T, scores.size, T, ends_of(lengths, B, S),
          scores.reshape(B * T, S))


def attention_weights_backward(weights, gweights):
    """Replace gradients of weights by gradients of scores, in place."""
    B, T, S = weights.shape
    share(_attention_weights_backward, B * T, weights.size,
          weights.reshape(B * T, S), gweights.reshape(B * T, S))


_LANES = 16  # number of partial sums, which are computed in parallel


@compiled
def _is_padding_finite(x, ends):
    for s in range(len(x)):
        for t in range(ends[s], x.shape[1]):
            row, n_others = x[s, t], 0
            for j in range(len(row)):
                n_others += row[j] - row[j] != 0  # infinity or NaN
            if n_others:
                return False
    return True


@compiled
def _attention_weights(first, last, T, ends, scores):
    lanes = numpy.empty(_LANES, scores.dtype)
    for n in range(first, last):
        end = ends[n // T]
        scores[n, end:] = 0
        row = scores[n, :end]
        lanes[:] = -math.inf
        for start in range(0, end, _LANES):
            some = row[start:start + _LANES]
            for j in range(len(some)):
                lanes[j] = some[j] if some[j] > lanes[j] else lanes[j]
        largest = lanes.max()
        lanes[:] = 0
        for start in range(0, end, _LANES):
            some = row[start:start + _LANES]
            for j in range(len(some)):
                some[j] = exp(some[j] - largest)
                lanes[j] += some[j]
        total = lanes.sum()
        for j in range(end):
            row[j] /= total


@compiled
def _attention_weights_backward(first, last, weights, gweights):
    lanes = numpy.empty(_LANES, weights.dtype)
    S = weights.shape[1]
    for n in range(first, last):
        w, g = weights[n], gweights[n]
        lanes[:] = 0
        for start in range(0, S, _LANES):
            w_some = w[start:start + _LANES]
            g_some = g[start:start + _LANES]
            for j in range(len(w_some)):
                lanes[j] += w_some[j] * g_some[j]
        mean = lanes.sum()
        for j in range(S):
            g[j] = w[j] * (g[j] - mean)
