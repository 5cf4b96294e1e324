import numpy

import chainer
from chainer import backend
from chainer import function_node
import chainer.functions as F
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.float16 import cast
from qrnn.types import Input
from qrnn.types import NDArray


def linear_softmax_cross_entropy(
        x: Input, t: NDArray, W: Input, b: Input,
        ignore_label: int = -1) -> chainer.Variable:
    """Compute the softmax cross entropy of a linear layer's output.

    .. math::

        y_n = W x_n + b, \\qquad
        L = \\frac{1}{|\\{n\\}|} \\sum_n \\Bigl(
            \\log \\sum_v e^{y_{n,v}} - y_{n,t_n} \\Bigr)

    where the sum is over the rows whose label is not ``ignore_label``. The
    result equals ``F.softmax_cross_entropy(F.linear(x, W, b), t)``, computed
    in float32 or wider.

    The function is intended for large vocabularies. With a large vocabulary,
    the logits, ``(N, V)``, are by far the largest array of a language model.
    To save memory, the function overwrites the logits with their gradient.
    This step is a single kernel launch on a GPU, and uses all CPU cores.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs of the linear
            layer, one per row, ``(N, n)``.
        t (:ref:`ndarray`): Integer labels, ``(N,)``, each in ``[0, V)`` or
            ``ignore_label``. On a GPU, labels are not checked, and rows with
            an invalid label are ignored.
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Weights, ``(V, n)``,
            of the dtype of ``x``.
        b (:class:`~chainer.Variable` or :ref:`ndarray`): Bias, ``(V,)``.
        ignore_label (int): Label of rows to ignore.

    Returns:
        ~chainer.Variable: Mean loss, ``()``, of the dtype of ``x``. 0 if all
        rows are ignored.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If a label is out of range (on a CPU only).

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import linear_softmax_cross_entropy
        >>> x, W = np.zeros((2, 3), np.float32), np.zeros((8, 3), np.float32)
        >>> loss = linear_softmax_cross_entropy(
        ...     x, np.array([5, 0]), W, np.zeros(8, np.float32))
        >>> float(loss.array).__round__(4)  # log(8)
        2.0794

    """
    return _LinearSoftmaxCrossEntropy(t, ignore_label).apply((x, W, b))[0]


def linear_softmax_cross_entropy_ref(
        x: numpy.ndarray, t: numpy.ndarray, W: numpy.ndarray,
        b: numpy.ndarray, ignore_label: int = -1) -> float:
    """Reference of :func:`linear_softmax_cross_entropy` in NumPy and float64.

    ======  ==========  ===========================
    array   shape       meaning
    ======  ==========  ===========================
    ``x``   ``(N, n)``  inputs
    ``t``   ``(N,)``    labels, or ``ignore_label``
    ``W``   ``(V, n)``  weights
    ``b``   ``(V,)``    bias
    return  ``()``      mean loss
    ======  ==========  ===========================
    """
    x, W, b = (numpy.asarray(a, numpy.float64) for a in (x, W, b))
    losses = [numpy.logaddexp.reduce(W @ row + b) - (W @ row + b)[label]
              for row, label in zip(x, t) if label != ignore_label]
    return float(numpy.mean(losses)) if losses else 0.


class _LinearSoftmaxCrossEntropy(function_node.FunctionNode):

    def __init__(self, t, ignore_label):
        self.t = t
        self.ignore_label = ignore_label

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('x', 'W', 'b'))
        x_type, W_type, b_type = in_types
        t_type = type_check.make_variable(
            type_check.TypeInfo(self.t.shape, self.t.dtype), 't')
        type_check.expect(
            x_type.dtype.kind == 'f',
            x_type.ndim == 2,
            W_type.dtype == x_type.dtype,
            W_type.ndim == 2,
            b_type.dtype == x_type.dtype,
            b_type.ndim == 1,
            t_type.dtype.kind == 'i',
            t_type.ndim == 1,
        )
        type_check.expect(
            t_type.shape[0] == x_type.shape[0],
            W_type.shape[1] == x_type.shape[1],
            b_type.shape[0] == W_type.shape[0],
        )

    def forward(self, inputs):
        self.retain_inputs((0, 1, 2))
        x, W, b = map(_in_float32, inputs)
        self.glogits = x.dot(W.T)  # still logits; the kernel overwrites them
        losses = kernels.softmax_cross_entropy(
            self.glogits, b, self.t, self.ignore_label)
        loss, self.weights = kernels.mean_loss(
            losses, self.t, len(W), self.ignore_label)
        return backend.get_array_module(x).asarray(loss, x.dtype),

    def backward(self, indexes, grad_outputs):
        inputs = self.get_retained_inputs()
        if chainer.config.enable_backprop:
            loss = _differentiable_loss(
                inputs[0], self.t, *inputs[1:], self.ignore_label)
            return chainer.grad(
                [loss], [inputs[i] for i in indexes], grad_outputs,
                enable_double_backprop=True)
        x, W, _ = (variable.array for variable in inputs)
        weights = (self.weights * grad_outputs[0].array).astype(
            self.glogits.dtype, copy=False)
        grads = {}
        if 0 in indexes:
            grads[0] = self.glogits.dot(_in_float32(W)) * weights[:, None]
        if 1 in indexes:
            grads[1] = self.glogits.T.dot(x * weights[:, None])
        if 2 in indexes:
            grads[2] = self.glogits.T.dot(weights)
        return [chainer.as_variable(
            grads[i].astype(inputs[i].dtype, copy=False)) for i in indexes]


def _in_float32(array):
    """Cast float16 to float32, because NumPy is slow for float16."""
    return array.astype(
        numpy.promote_types(array.dtype, numpy.float32), copy=False)


def _differentiable_loss(x, t, W, b, ignore_label):
    """Compute the loss with support for double backprop."""
    dtype = numpy.promote_types(x.dtype, numpy.float32)
    x, W, b = (cast(chainer.as_variable(a), dtype) for a in (x, W, b))
    xp = backend.get_array_module(t)
    t = t.astype(numpy.int64, copy=False)
    t = xp.where((0 <= t) & (t < len(W)), t, numpy.int64(ignore_label))
    return F.softmax_cross_entropy(
        F.linear(x, W, b), t, ignore_label=ignore_label,
        enable_double_backprop=True)
