import numpy

import chainer
from chainer import backend
import chainer.functions as F
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.lengths import clear_padding
from qrnn.functions.lengths import send_lengths
from qrnn.functions.lengths import valid_steps
from qrnn.functions.node import Node
from qrnn.types import Input
from qrnn.types import Lengths


def lstm(u: Input, W: Input, c0: Input | None = None,
         h0: Input | None = None, lengths: Lengths | None = None,
         ) -> tuple[chainer.Variable, chainer.Variable, chainer.Variable]:
    """Apply the recurrence of an LSTM to sequences, as one function node.

    The input :math:`u` contains the pre-activations of the gates, except the
    recurrent term :math:`W h_{t-1}`. The gates are concatenated along channels
    in the order i, f, o, z. The function computes

    .. math::

        a_t &= u_t + W h_{t-1} \\\\
        i_t, f_t, o_t, z_t &= \\sigma(a_i), \\sigma(a_f), \\sigma(a_o),
            \\tanh(a_z) \\\\
        c_t &= f_t c_{t-1} + i_t z_t \\\\
        h_t &= o_t \\tanh(c_t)

    In contrast to a QRNN, each step requires a matrix product with the
    previous output. The gradient of W is computed by a single matrix product
    over all steps.

    Args:
        u (:class:`~chainer.Variable` or :ref:`ndarray`): Pre-activations
            with the bias, without the recurrent term, ``(B, T, 4 * m)``.
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Recurrent weights,
            ``(4 * m, m)``.
        c0 (:class:`~chainer.Variable` or :ref:`ndarray`): Initial cell state,
            ``(B, m)``. Zero if omitted.
        h0 (:class:`~chainer.Variable` or :ref:`ndarray`): Output before the
            first step, ``(B, m)``. Zero if omitted.
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence, ``(B,)``. All sequences have T steps if omitted. Past the
            end of a sequence, the state does not change, and outputs and
            gradients are 0.

    Returns:
        tuple of ~chainer.Variable: Outputs, ``(B, T, m)``, last cell state of
        each sequence, ``(B, m)``, and last output of each sequence,
        ``(B, m)``. The recurrence is computed in float32 or wider.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If ``lengths`` is invalid for the batch.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import lstm
        >>> u = np.zeros((2, 7, 12), np.float32)
        >>> h, c, h_last = lstm(u, np.zeros((12, 3), np.float32))
        >>> h.shape, c.shape
        ((2, 7, 3), (2, 3))

    """
    u, W = map(chainer.as_variable, (u, W))
    shape, xp = (u.shape[0], W.shape[-1]), backend.get_array_module(u)
    with chainer.using_device(u.device):
        c0, h0 = (xp.zeros(shape, u.dtype) if state is None else state
                  for state in (c0, h0))
    return _LSTM(lengths).apply((u, W, c0, h0))


def lstm_ref(u: numpy.ndarray, W: numpy.ndarray,
             c0: numpy.ndarray | None = None,
             h0: numpy.ndarray | None = None, lengths: Lengths | None = None,
             ) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Reference of :func:`lstm` in NumPy and float64.

    ===========  ===================  =====================================
    array        shape                meaning
    ===========  ===================  =====================================
    ``u``        ``(B, T, 4 * m)``    pre-activations of i, f, o and z
    ``W``        ``(4 * m, m)``       recurrent weights
    ``c0``       ``(B, m)``           initial cell state, or None
    ``h0``       ``(B, m)``           previous output, or None
    ``lengths``  ``(B,)``             number of steps, or None
    return       ``(B, T, m)``,       outputs, last cell state, last output
                 two ``(B, m)``
    ===========  ===================  =====================================
    """
    u, W = (numpy.asarray(a, numpy.float64) for a in (u, W))
    B, T, _ = u.shape
    m = W.shape[1]
    c, h = (numpy.zeros((B, m)) if state is None else numpy.array(
        state, numpy.float64) for state in (c0, h0))
    hs = numpy.zeros((B, T, m))
    for b in range(B):
        for t in range(T if lengths is None else lengths[b]):
            i, f, o, z = numpy.split(u[b, t] + W @ h[b], 4)
            i, f, o = (1 / (1 + numpy.exp(-a)) for a in (i, f, o))
            c[b] = f * c[b] + i * numpy.tanh(z)
            h[b] = hs[b, t] = o * numpy.tanh(c[b])
    return hs, c, h


class _LSTM(Node):

    def __init__(self, lengths):
        self.lengths = lengths

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('u', 'W', 'c0', 'h0'))
        u_type, W_type, c_type, h_type = in_types
        type_check.expect(
            u_type.dtype.kind == 'f',
            u_type.ndim == 3,
            W_type.dtype == u_type.dtype,
            W_type.ndim == 2,
        )
        type_check.expect(
            W_type.shape[0] == u_type.shape[2],
            W_type.shape[0] == 4 * W_type.shape[1],
        )
        for state in c_type, h_type:
            type_check.expect(
                state.dtype == u_type.dtype,
                state.ndim == 2,
            )
            type_check.expect(
                state.shape[0] == u_type.shape[0],
                state.shape[1] == W_type.shape[1],
            )

    def forward(self, inputs):
        self.retain_inputs((0, 1, 2, 3))
        self.lengths = send_lengths(self.lengths, inputs[0])
        *outputs, self.saved = kernels.lstm_forward(*inputs, self.lengths)
        return tuple(outputs)

    def backward(self, indexes, grad_outputs):
        inputs = self.get_retained_inputs()
        if chainer.config.enable_backprop:
            outputs = _differentiable_lstm(*inputs, self.lengths)
            arrived = [(y, g) for y, g in zip(outputs, grad_outputs)
                       if g is not None]
            grads = chainer.grad(
                [y for y, _ in arrived], inputs, [g for _, g in arrived],
                enable_double_backprop=True)
            grads = [chainer.as_variable(v.array * 0) if g is None else g
                     for v, g in zip(inputs, grads)]
        else:
            grads = [chainer.as_variable(g) for g in kernels.lstm_backward(
                inputs[1].array, self.lengths, self.saved,
                *(None if g is None else g.array for g in grad_outputs),
                inputs[0].dtype)]
        return tuple(grads[i] for i in indexes)


def _differentiable_lstm(u, W, c, h, lengths):
    """Compute the LSTM with support for double backprop."""
    xp = backend.get_array_module(u.array)
    B, T, _ = u.shape
    valid = valid_steps(lengths, u.array)
    u = clear_padding(u, valid)
    hs = []
    for t in range(T):
        i, f, o, z = F.split_axis(u[:, t] + F.linear(h, W), 4, axis=1)
        c_next = F.sigmoid(f) * c + F.sigmoid(i) * F.tanh(z)
        h_next = F.sigmoid(o) * F.tanh(c_next)
        y = h_next
        if valid is not None:
            here = xp.broadcast_to(valid[:, t, None], c.shape)
            y = F.where(here, h_next, xp.zeros_like(h.array))
            c_next = F.where(here, c_next, c)
            h_next = F.where(here, h_next, h)
        c, h = c_next, h_next
        hs.append(y)
    if not hs:
        return u[:, :, :c.shape[1]], F.identity(c), F.identity(h)
    return F.stack(hs, axis=1), c, h
