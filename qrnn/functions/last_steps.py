import chainer
from chainer import backend
from chainer import function_node
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.lengths import send_lengths
from qrnn.types import Input
from qrnn.types import Lengths


def last_steps(x: Input, n_steps: int, x0: Input | None = None,
               lengths: Lengths | None = None) -> chainer.Variable:
    """Return the last steps of each sequence.

    If a sequence is split over several calls of a convolution, each call needs
    the last inputs of the previous call.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs,
            ``(B, T, n)``.
        n_steps (int): Number of steps to return: k - 1 for a convolution
            whose window has k steps.
        x0 (:class:`~chainer.Variable` or :ref:`ndarray`): The ``n_steps``
            inputs before the first step, ``(B, n_steps, n)``. Zeros if
            omitted.
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence, ``(B,)``. All sequences have T steps if omitted.

    Returns:
        ~chainer.Variable: The last ``n_steps`` steps of each sequence,
        ``(B, n_steps, n)``. If a sequence has fewer steps, the missing steps
        are the last steps of ``x0``. The result is a copy, so ``x`` may be
        overwritten.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If ``lengths`` is invalid for the batch.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import last_steps
        >>> x = np.array([[[1], [2], [3]], [[4], [0], [0]]], np.float32)
        >>> last_steps(x, 2, lengths=[3, 1]).array[:, :, 0]
        array([[2., 3.],
               [0., 4.]], dtype=float32)

    """
    inputs = (x,) if x0 is None else (x, x0)
    return _LastSteps(n_steps, lengths).apply(inputs)[0]


class _LastSteps(function_node.FunctionNode):

    def __init__(self, n_steps, lengths):
        self.n_steps = n_steps
        self.lengths = lengths

    def check_type_forward(self, in_types):
        type_check.expect(1 <= in_types.size(), in_types.size() <= 2)
        type_check._argname(in_types[:1], ('x',))
        x_type = in_types[0]
        type_check.expect(x_type.ndim == 3)
        if type_check.eval(in_types.size()) == 2:
            type_check._argname(in_types[1:], ('x0',))
            x0_type = in_types[1]
            type_check.expect(
                x0_type.dtype == x_type.dtype,
                x0_type.ndim == 3,
            )
            type_check.expect(
                x0_type.shape[0] == x_type.shape[0],
                x0_type.shape[1] == self.n_steps,
                x0_type.shape[2] == x_type.shape[2],
            )

    def forward(self, inputs):
        x, *x0 = inputs
        self.x_shape = x.shape
        self.lengths = send_lengths(self.lengths, x)
        return kernels.last_steps(
            x, x0[0] if x0 else None, self.n_steps, self.lengths),

    def backward(self, indexes, grad_outputs):
        grads = _Gradient(self).apply(grad_outputs)
        return tuple(grads[i] for i in indexes)


class _Gradient(function_node.FunctionNode):
    """Differentiable gradient of :class:`_LastSteps`."""

    def __init__(self, node):
        self.node = node

    def forward(self, inputs):
        glast, = inputs
        node = self.node
        return kernels.fold(None, node.x_shape, 0, node.lengths, glast)

    def backward(self, indexes, grad_outputs):
        ggx, ggx0 = grad_outputs
        node = self.node
        if ggx is None:
            xp = backend.get_array_module(ggx0.array)
            ggx = chainer.as_variable(xp.zeros(node.x_shape, ggx0.dtype))
        inputs = (ggx,) if ggx0 is None else (ggx, ggx0)
        return _LastSteps(node.n_steps, node.lengths).apply(inputs)
