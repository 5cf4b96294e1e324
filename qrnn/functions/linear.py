import math

import chainer
import chainer.functions as F
from chainer.utils import type_check
import numpy

from qrnn import kernels
from qrnn.functions.float16 import apply_matmul
from qrnn.functions.float16 import matmul
from qrnn.functions.node import Node
from qrnn.types import Input


def linear(x: Input, W: Input, b: Input | None = None) -> chainer.Variable:
    """Apply a linear map to the last axis, as one function node.

    Unlike :func:`chainer.functions.linear`, this function supports inputs
    without rows and inputs with any number of axes. On a CPU, products of
    float16 arrays are computed in float32.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs,
            ``(..., n)``.
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Weights, ``(m, n)``.
        b (:class:`~chainer.Variable` or :ref:`ndarray`): Bias, ``(m,)``. No
            bias if omitted.

    Returns:
        ~chainer.Variable: Outputs, ``(..., m)``.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import linear
        >>> linear(np.ones((2, 7, 3), 'f'), np.ones((5, 3), 'f')).shape
        (2, 7, 5)

    """
    return _Linear().apply((x, W) if b is None else (x, W, b))[0]


class _Linear(Node):

    def check_type_forward(self, in_types):
        type_check.expect(2 <= in_types.size(), in_types.size() <= 3)
        type_check._argname(in_types[:2], ('x', 'W'))
        x_type, W_type = in_types[:2]
        type_check.expect(
            x_type.dtype.kind == 'f',
            x_type.ndim >= 1,
            W_type.dtype == x_type.dtype,
            W_type.ndim == 2,
        )
        type_check.expect(W_type.shape[1] == x_type.shape[-1])
        if type_check.eval(in_types.size()) == 3:
            type_check._argname(in_types[2:], ('b',))
            type_check.expect(
                in_types[2].dtype == x_type.dtype,
                in_types[2].ndim == 1,
            )
            type_check.expect(in_types[2].shape[0] == W_type.shape[0])

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        x, W, *b = inputs
        y = kernels.linear(x.reshape(_as_rows(x)), W, *b)
        return y.reshape(*x.shape[:-1], len(W)).astype(x.dtype, copy=False),

    def backward(self, indexes, grad_outputs):
        x, W = self.get_retained_inputs()
        gy, = grad_outputs
        if chainer.config.enable_backprop:
            return self._differentiable_backward(indexes, x, W, gy)
        x, W, gy = (v.array for v in (x, W, gy))
        rows, grows = (a.reshape(_as_rows(a)) for a in (x, gy))
        grads = []
        for i in indexes:
            if i == 0:
                grad = matmul(grows, W, x.dtype).reshape(x.shape)
            elif i == 1:
                grad = matmul(grows.T, rows, x.dtype)
            else:
                grad = grows.sum(axis=0, dtype=numpy.promote_types(
                    x.dtype, numpy.float32)).astype(x.dtype, copy=False)
            grads.append(chainer.as_variable(grad))
        return tuple(grads)

    def _differentiable_backward(self, indexes, x, W, gy):
        rows, grows = (F.reshape(v, _as_rows(v)) for v in (x, gy))
        grads = {
            0: lambda: F.reshape(apply_matmul(F.matmul, grows, W), x.shape),
            1: lambda: apply_matmul(F.matmul, grows.T, rows),
            2: lambda: F.sum(grows, axis=0)}
        return tuple(grads[i]() for i in indexes)


def _as_rows(x):
    """Return the 2-D shape of x, with all axes but the last merged."""
    return math.prod(x.shape[:-1]), x.shape[-1]
