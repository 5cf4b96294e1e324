"""The last layer and its loss in one node, for a large vocabulary."""
import chainer
import chainer.functions as F
import numpy


def linear_softmax_cross_entropy(x, t, W, b):
    """Cross entropy of the softmax of a linear layer, averaged over rows.

    It equals
    ``F.softmax_cross_entropy(F.linear(x, W, b), t)``. On the CPU the
    ``(N, V)`` array of scores, by far the largest of a language model, is
    gone through in blocks that fit in the cache, and becomes the gradient
    in place, where the two functions make some ten passes over it in
    memory. On a GPU the two functions are called.

    Args:
        x (Variable or :ref:`ndarray`): Rows of shape ``(N, n)``.
        t (:ref:`ndarray`): Integer labels of shape ``(N,)``, each in
            ``[0, V)``.
        W (Variable or :ref:`ndarray`): Weight of shape ``(V, n)``.
        b (Variable or :ref:`ndarray`): Bias of shape ``(V,)``.

    Returns:
        ~chainer.Variable: The mean loss, of shape ``()``.

    """
    if chainer.backend.get_array_module(x) is not numpy:
        return F.softmax_cross_entropy(F.linear(x, W, b), t,
                                       enable_double_backprop=False)
    return _LinearSoftmaxCrossEntropy(t).apply((x, W, b))[0]


class _LinearSoftmaxCrossEntropy(chainer.FunctionNode):

    _BLOCK = 16  # rows of the scores handled at a time, about 0.6 MB

    def __init__(self, t):
        super(_LinearSoftmaxCrossEntropy, self).__init__()
        self.t = t

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        x, W, b = inputs
        score = x.dot(W.T)
        gb = numpy.zeros_like(b)
        loss = 0.
        for start in range(0, len(x), self._BLOCK):
            rows = slice(start, start + self._BLOCK)
            loss += _loss_and_gradient(
                score[rows], b, self.t[rows], len(x), gb)
        self._gscore = score
        self._gb = gb
        return numpy.asarray(loss / len(x), x.dtype),

    def backward(self, indexes, grad_outputs):
        # The gradient itself is not differentiated further.
        x, W = [variable.array for variable in self.get_retained_inputs()]
        gloss = grad_outputs[0].array
        gx = self._gscore.dot(W)
        gx *= gloss
        gW = self._gscore.T.dot(x * gloss)
        return [chainer.as_variable(g) for g in (gx, gW, self._gb * gloss)]


def _loss_and_gradient(score, b, t, n, gb):
    """Turns ``(R, V)`` scores without bias into their gradient.

    Adds the bias' gradient to ``gb`` and returns the sum of the rows'
    losses. ``n`` is the number of rows that the mean is taken over.
    """
    each = numpy.arange(len(score)), t
    score += b
    score -= score.max(axis=1, keepdims=True)
    picked = score[each]
    numpy.exp(score, out=score)
    total = score.sum(axis=1)
    loss = numpy.log(total).sum(dtype='f8') - picked.sum(dtype='f8')
    score *= (1 / (n * total))[:, None].astype(score.dtype)
    score[each] -= 1 / n
    gb += score.sum(axis=0)
    return loss
