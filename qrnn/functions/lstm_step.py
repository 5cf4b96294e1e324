import numpy

import chainer
from chainer import backend
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.float16 import matmul
from qrnn.functions.linear import linear
from qrnn.functions.lstm import lstm
from qrnn.functions.lstm import lstm_ref
from qrnn.functions.node import Node
from qrnn.types import Input


def lstm_step(x: Input, V: Input, b: Input, W: Input, c0: Input | None = None,
              h0: Input | None = None,
              ) -> tuple[chainer.Variable, chainer.Variable, chainer.Variable]:
    """Apply an LSTM layer to a single step, as one function node.

    The result is the same as from :func:`~qrnn.functions.lstm` for sequences
    of one step, with the pre-activations :math:`u = V x + b`.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs, ``(B, n)``,
            of dtype float16, float32 or float64.
        V (:class:`~chainer.Variable` or :ref:`ndarray`): Weights of the input,
            ``(4 * m, n)``. The gates are in the order i, f, o, z.
        b (:class:`~chainer.Variable` or :ref:`ndarray`): Bias, ``(4 * m,)``.
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Recurrent weights,
            ``(4 * m, m)``.
        c0 (:class:`~chainer.Variable` or :ref:`ndarray`): Previous cell state,
            ``(B, m)``. Zero if omitted.
        h0 (:class:`~chainer.Variable` or :ref:`ndarray`): Previous output,
            ``(B, m)``. Zero if omitted.

    Returns:
        tuple of ~chainer.Variable: Output, cell state, and a copy of the
        output, each ``(B, m)``. Pass the copy as ``h0`` of the next step.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import lstm_step
        >>> V, b = np.ones((20, 3), 'f'), np.zeros(20, 'f')
        >>> W, c, h = np.ones((20, 5), 'f'), None, None
        >>> for x in np.ones((4, 1, 3), np.float32):
        ...     y, c, h = lstm_step(x, V, b, W, c, h)
        >>> y.shape, c.shape
        ((1, 5), (1, 5))

    """
    shape, xp = (x.shape[0], W.shape[-1]), backend.get_array_module(x)
    c0, h0 = (xp.zeros(shape, x.dtype) if state is None else state
              for state in (c0, h0))
    return _LSTMStep().apply((x, V, b, W, c0, h0))


def lstm_step_ref(x: numpy.ndarray, V: numpy.ndarray, b: numpy.ndarray,
                  W: numpy.ndarray, c0: numpy.ndarray | None = None,
                  h0: numpy.ndarray | None = None,
                  ) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Reference of :func:`lstm_step` in NumPy and float64.

    ======  ==============  ================================
    array   shape           meaning
    ======  ==============  ================================
    ``x``   ``(B, n)``      inputs
    ``V``   ``(4 * m, n)``  weights of the input
    ``b``   ``(4 * m,)``    bias
    ``W``   ``(4 * m, m)``  recurrent weights
    ``c0``  ``(B, m)``      previous cell state, or None
    ``h0``  ``(B, m)``      previous output, or None
    return  all ``(B, m)``  output, cell state, output again
    ======  ==============  ================================
    """
    x, V, b = (numpy.asarray(a, numpy.float64) for a in (x, V, b))
    h, c, h_last = lstm_ref((x @ V.T + b)[:, None], W, c0, h0)
    return h[:, 0], c, h_last


class _LSTMStep(Node):

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('x', 'V', 'b', 'W', 'c0', 'h0'))
        x_type, V_type, b_type, W_type, c_type, h_type = in_types
        type_check.expect(
            x_type.dtype.kind == 'f',
            x_type.ndim == 2,
            V_type.ndim == 2,
            b_type.ndim == 1,
            W_type.ndim == 2,
            *[t.dtype == x_type.dtype for t in in_types[1:]],
        )
        type_check.expect(
            V_type.shape[1] == x_type.shape[1],
            V_type.shape[0] == 4 * W_type.shape[1],
            b_type.shape[0] == V_type.shape[0],
            W_type.shape[0] == V_type.shape[0],
        )
        for state in c_type, h_type:
            type_check.expect(state.ndim == 2)
            type_check.expect(
                state.shape[0] == x_type.shape[0],
                state.shape[1] == W_type.shape[1],
            )

    def forward(self, inputs):
        self.retain_inputs(tuple(range(6)))
        x, V, b, W, c0, h0 = inputs
        u = kernels.linear(x, V, b)[:, None]
        y, c, h, self.saved = kernels.lstm_forward(u, W, c0, h0)
        return y[:, 0], c, h

    def backward(self, indexes, grad_outputs):
        inputs = self.get_retained_inputs()
        if chainer.config.enable_backprop:
            grads = self._differentiable_backward(inputs, grad_outputs)
        else:
            grads = self._backward(
                *(v.array for v in inputs[:4]),
                *(None if g is None else g.array for g in grad_outputs))
        return tuple(grads[i] for i in indexes)

    def _backward(self, x, V, b, W, gy, gc, gh):
        gu, gW, gc0, gh0 = kernels.lstm_backward(
            W, None, self.saved, None if gy is None else gy[:, None], gc, gh,
            x.dtype)
        gu = gu[:, 0]
        gb = gu.sum(axis=0, dtype=numpy.promote_types(
            x.dtype, numpy.float32)).astype(x.dtype, copy=False)
        grads = (matmul(gu, V, x.dtype), matmul(gu.T, x, x.dtype), gb, gW,
                 gc0, gh0)
        return [chainer.as_variable(g) for g in grads]

    def _differentiable_backward(self, inputs, grad_outputs):
        """Return the gradients of all inputs as differentiable Variables."""
        x, V, b, *rest = inputs
        h, c, h_last = lstm(linear(x, V, b)[:, None], *rest)
        arrived = [(y, g) for y, g in zip((h[:, 0], c, h_last), grad_outputs)
                   if g is not None]
        grads = chainer.grad(
            [y for y, _ in arrived], inputs, [g for _, g in arrived],
            enable_double_backprop=True)
        return [chainer.as_variable(v.array * 0) if g is None else g
                for v, g in zip(inputs, grads)]
