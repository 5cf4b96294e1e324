import functools

import numpy

import chainer
from chainer import backend
import chainer.functions as F
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.float16 import apply_matmul
from qrnn.functions.float16 import cast
from qrnn.functions.float16 import matmul
from qrnn.functions.lengths import clear_padding
from qrnn.functions.lengths import send_lengths
from qrnn.functions.lengths import valid_steps
from qrnn.functions.node import Node
from qrnn.types import Input
from qrnn.types import Lengths


def attention_sum(encoding: Input, query: Input,
                  lengths: Lengths | None = None) -> chainer.Variable:
    """Compute dot-product attention: weighted sums of encoder states.

    .. math::

        \\alpha_{s,t} = \\mathrm{softmax}_s (q_t \\cdot e_s), \\qquad
        k_t = \\sum_s \\alpha_{s,t} e_s

    The scores are not scaled (equation 8 of the paper). The softmax is
    computed in float32 or wider.

    Args:
        encoding (:class:`~chainer.Variable` or :ref:`ndarray`): Encoder
            states :math:`e`, ``(B, S, C)``.
        query (:class:`~chainer.Variable` or :ref:`ndarray`): Decoder states
            :math:`q`, ``(n B, T, C)``, or ``(n B, C)`` for one step. The n
            sequences that share an encoder sequence are adjacent.
        lengths (sequence of int or :ref:`ndarray`): Number of valid encoder
            steps of each sequence, ``(B,)``. All steps are valid if omitted.
            The padding past the end of a sequence has weight 0 and may contain
            any values, including NaN. If no step is valid, the sum is 0.

    Returns:
        ~chainer.Variable: The context :math:`k`, of the shape of ``query``.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If ``lengths`` is invalid for the batch.

    See: `Quasi-Recurrent Neural Networks
    <https://arxiv.org/abs/1611.01576>`_.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import attention_sum
        >>> encoding = np.array([[[1, 0], [0, 1], [9, 9]]], np.float32)
        >>> query = np.zeros((1, 1, 2), np.float32)
        >>> attention_sum(encoding, query, lengths=[2]).array
        array([[[0.5, 0.5]]], dtype=float32)

    """
    return _AttentionSum(lengths).apply((encoding, query))[0]


def attention_sum_ref(encoding: numpy.ndarray, query: numpy.ndarray,
                      lengths: Lengths | None = None) -> numpy.ndarray:
    """Reference of :func:`attention_sum` in NumPy and float64.

    ============  =================  ===============================
    array         shape              meaning
    ============  =================  ===============================
    ``encoding``  ``(B, S, C)``      encoder states
    ``query``     ``(n B, T, C)``    decoder states
                  or ``(n B, C)``
    ``lengths``   ``(B,)``           number of valid steps, or None
    return        shape of           context, float64
                  ``query``
    ============  =================  ===============================
    """
    encoding = numpy.asarray(encoding, numpy.float64)
    query = numpy.asarray(query, numpy.float64)
    context = numpy.zeros(query.shape)
    for i in numpy.ndindex(query.shape[:-1]):
        b = i[0] * len(encoding) // len(query)
        e = encoding[b] if lengths is None else encoding[b, :lengths[b]]
        if len(e):
            score = e @ query[i]
            weight = numpy.exp(score - score.max())
            context[i] = weight @ e / weight.sum()
    return context


class _AttentionSum(Node):

    def __init__(self, lengths):
        self.lengths = lengths

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('encoding', 'query'))
        e_type, q_type = in_types
        type_check.expect(
            e_type.dtype.kind == 'f',
            q_type.dtype == e_type.dtype,
            e_type.ndim == 3,
            2 <= q_type.ndim,
            q_type.ndim <= 3,
        )
        type_check.expect(q_type.shape[-1] == e_type.shape[2])
        if type_check.eval(e_type.shape[0]):
            type_check.expect(q_type.shape[0] % e_type.shape[0] == 0)
        else:
            type_check.expect(q_type.shape[0] == 0)

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        encoding, query = inputs
        dtype = query.dtype
        self.lengths = send_lengths(self.lengths, encoding)
        encoding = kernels.clear_padding(encoding, self.lengths)
        scores = matmul(query.reshape(_per_source(encoding, query)),
                        encoding.swapaxes(1, 2), dtype)
        # The exponential of a score may overflow in float16.
        scores = scores.astype(
            numpy.promote_types(dtype, numpy.float32), copy=False)
        kernels.attention_weights(scores, self.lengths)
        self.weights = scores
        context = matmul(scores.astype(dtype, copy=False), encoding, dtype)
        return context.reshape(query.shape),

    def backward(self, indexes, grad_outputs):
        inputs = self.get_retained_inputs()
        if chainer.config.enable_backprop:
            context = _differentiable_attention(*inputs, self.lengths)
            return chainer.grad(
                [context], [inputs[i] for i in indexes], grad_outputs,
                enable_double_backprop=True)
        encoding, query, gcontext = (
            v.array for v in (*inputs, *grad_outputs))
        dtype, shape = query.dtype, query.shape
        query, gcontext = (a.reshape(_per_source(encoding, a))
                           for a in (query, gcontext))
        encoding = kernels.clear_padding(encoding, self.lengths)
        gscores = matmul(gcontext, encoding.swapaxes(1, 2), dtype).astype(
            self.weights.dtype, copy=False)
        kernels.attention_weights_backward(self.weights, gscores)
        gscores = gscores.astype(dtype, copy=False)
        grads = {}
        if 0 in indexes:
            weights = self.weights.astype(dtype, copy=False)
            grads[0] = matmul(weights.swapaxes(1, 2), gcontext, dtype)
            grads[0] += matmul(gscores.swapaxes(1, 2), query, dtype)
        if 1 in indexes:
            grads[1] = matmul(gscores, encoding, dtype).reshape(shape)
        return tuple(chainer.as_variable(grads[i]) for i in indexes)


def _per_source(encoding, query):
    """Return the shape ``(B, T', C)`` of all queries of each encoding."""
    B, _, C = encoding.shape
    return B, query.size // (B * C) if B * C else 0, C


def _differentiable_attention(encoding, query, lengths):
    """Compute the attention with support for double backprop."""
    xp, dtype = backend.get_array_module(query.array), query.dtype
    shape, query = query.shape, F.reshape(query, _per_source(encoding, query))
    valid = valid_steps(lengths, encoding.array)
    encoding = clear_padding(encoding, valid)
    scores = apply_matmul(
        functools.partial(F.matmul, transb=True), query, encoding)
    scores = cast(scores, numpy.promote_types(dtype, numpy.float32))
    if valid is not None:
        lowest = xp.full(scores.shape, numpy.finfo(scores.dtype).min,
                         scores.dtype)
        scores = F.where(
            xp.broadcast_to(valid[:, None, :], scores.shape), scores, lowest)
    weights = F.softmax(scores, axis=2) if scores.size else scores
    context = apply_matmul(F.matmul, cast(weights, dtype), encoding)
    return F.reshape(context, shape)
