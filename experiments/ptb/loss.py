"""The last layer and its loss in one node, for a large vocabulary."""
import chainer
import chainer.functions as F
import numpy

from experiments.common.precision import in_float32
from qrnn.functions.blocks import each_block


def linear_softmax_cross_entropy(x, t, W, b):
    """Cross entropy of the softmax of a linear layer, averaged over rows.

    It equals ``F.softmax_cross_entropy(F.linear(x, W, b), t)``. On the CPU
    the ``(N, V)`` array of scores, by far the largest of a language model,
    is gone through on every core in blocks that fit in the cache, and
    becomes the gradient in place, where the two functions make some ten
    passes over it in memory on one core. On a GPU they are called.

    Args:
        x (Variable or :ref:`ndarray`): Rows of shape ``(N, n)``.
        t (:ref:`ndarray`): Integer labels of shape ``(N,)``, each in
            ``[0, V)``.
        W (Variable or :ref:`ndarray`): Weight of shape ``(V, n)``.
        b (Variable or :ref:`ndarray`): Bias of shape ``(V,)``.

    Returns:
        ~chainer.Variable: The mean loss, of shape ``()``, in float32 at
        least.

    """
    if chainer.backend.get_array_module(x) is not numpy:
        return F.softmax_cross_entropy(
            in_float32(F.linear(x, W, b)), t, enable_double_backprop=False)
    return _LinearSoftmaxCrossEntropy(t).apply((x, W, b))[0]


class _LinearSoftmaxCrossEntropy(chainer.FunctionNode):

    def __init__(self, t):
        super(_LinearSoftmaxCrossEntropy, self).__init__()
        self.t = t

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        x, W, b = map(_in_float32, inputs)
        score = x.dot(W.T)
        losses = numpy.empty(len(x))

        def turn(block):
            rows = block[1]
            losses[rows] = _turn_into_gradient(
                score[rows], b, self.t[rows], len(x))

        each_block(turn, (1,) + score.shape)
        self._gscore = score
        return numpy.asarray(losses.mean(), x.dtype),

    def backward(self, indexes, grad_outputs):
        # The gradient itself is not differentiated further.
        dtype = self.inputs[0].dtype
        x, W = (_in_float32(variable.array)
                for variable in self.get_retained_inputs())
        gloss = grad_outputs[0].array
        gx = self._gscore.dot(W)
        gx *= gloss
        gW = self._gscore.T.dot(x * gloss)
        gb = self._gscore.T.dot(numpy.full(len(x), gloss, x.dtype))
        return [chainer.as_variable(g.astype(dtype, copy=False))
                for g in (gx, gW, gb)]


def _in_float32(array):
    """An array in float32 at least: NumPy has no fast product of halves."""
    return array.astype(
        numpy.promote_types(array.dtype, numpy.float32), copy=False)


def _turn_into_gradient(score, b, t, n):
    """Turns ``(R, V)`` scores without bias into their gradient.

    Returns the losses of the rows, ``(R,)``. ``n`` is the number of rows
    that the mean is taken over.
    """
    each = numpy.arange(len(score)), t
    score += b
    score -= score.max(axis=1, keepdims=True)
    picked = score[each]
    numpy.exp(score, out=score)
    total = score.sum(axis=1)
    score *= (1 / (n * total))[:, None].astype(score.dtype)
    score[each] -= 1 / n
    return numpy.log(total) - picked
