import numpy

import chainer
from chainer import backend
from chainer import function_node
import chainer.functions as F
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.float16 import apply_matmul
from qrnn.functions.float16 import matmul
from qrnn.functions.last_steps import last_steps
from qrnn.functions.lengths import send_lengths
from qrnn.functions.node import Node
from qrnn.types import Input
from qrnn.types import Lengths


def masked_convolution(x: Input, W: Input, x0: Input | None = None,
                       lengths: Lengths | None = None,
                       lookahead: int = 0) -> chainer.Variable:
    """Apply a masked (causal) convolution along time.

    Without ``lookahead``, the function computes

    .. math::

        y_t = \\sum_{j=1}^{k} W_j^\\top x_{t-k+j}.

    Therefore :math:`y_t` depends only on :math:`x_{t-k+1}` to :math:`x_t`
    (equations 1 and 2 of the paper). All steps are computed by a single matrix
    product. The bias is added by :func:`~qrnn.qrnn_pooling`.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs,
            ``(B, T, n)``, of dtype float16, float32 or float64.
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Filters,
            ``(k, n, m)`` with ``k >= 1``. ``W[0]`` is the filter of the oldest
            step.
        x0 (:class:`~chainer.Variable` or :ref:`ndarray`): The ``k - 1``
            inputs before the first step, ``(B, k - 1, n)``. Zeros if omitted.
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence, ``(B,)``. All sequences have T steps if omitted. Past the
            end of a sequence, inputs are treated as zeros, and outputs are 0.
        lookahead (int): Number of future steps in the window, at most
            ``k - 1``. Use 0 for a masked convolution. Use ``k // 2`` for a
            convolution that is not masked, as in the encoder of the paper's
            translation model.

    Returns:
        ~chainer.Variable: Outputs, ``(B, T, m)``.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If ``lengths`` or ``lookahead`` is invalid, or if ``x0`` is
            given and ``lookahead`` is not 0.

    See: `Quasi-Recurrent Neural Networks
    <https://arxiv.org/abs/1611.01576>`_.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import masked_convolution
        >>> x = np.array([[[1], [2], [3]]], np.float32)
        >>> W = np.array([[[10]], [[1]]], np.float32)  # k = 2
        >>> masked_convolution(x, W).array.ravel()
        array([ 1., 12., 23.], dtype=float32)

    """
    if check_lookahead(lookahead, len(W)) and x0 is not None:
        raise ValueError(
            'x0 requires a masked convolution, but lookahead is '
            f'{lookahead}; omit x0 or set lookahead to 0')
    inputs = (x, W) if x0 is None else (x, W, x0)
    return _MaskedConvolution(lengths, lookahead).apply(inputs)[0]


def streaming_convolution(
        x: Input, W: Input, x0: Input | None = None,
        lengths: Lengths | None = None
) -> tuple[chainer.Variable, chainer.Variable]:
    """Apply a masked convolution, and return ``x0`` for the next call.

    A sequence can be split over several calls: pass the second output of a
    call as ``x0`` of the next call. Outputs and gradients are then the same as
    in a single call.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs, as in
            :func:`~qrnn.masked_convolution`, ``(B, T, n)``.
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Filters,
            ``(k, n, m)``.
        x0 (:class:`~chainer.Variable` or :ref:`ndarray`): The ``k - 1``
            inputs before the first step, ``(B, k - 1, n)``. Zeros if omitted.
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence, ``(B,)``. All sequences have T steps if omitted.

    Returns:
        tuple of ~chainer.Variable: Outputs, ``(B, T, m)``, and a copy of the
        last ``k - 1`` inputs of each sequence, ``(B, k - 1, n)``.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If ``lengths`` is invalid for the batch.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import streaming_convolution
        >>> x = np.array([[[1], [2], [3]]], np.float32)
        >>> W = np.array([[[10]], [[1]]], np.float32)  # k = 2
        >>> y, x0 = streaming_convolution(x[:, :2], W)
        >>> y.array.ravel()
        array([ 1., 12.], dtype=float32)
        >>> y, _ = streaming_convolution(x[:, 2:], W, x0)
        >>> y.array.ravel()
        array([23.], dtype=float32)

    """
    inputs = (x, W) if x0 is None else (x, W, x0)
    return _MaskedConvolution(lengths, 0, returns_last=True).apply(inputs)


def masked_convolution_ref(x: numpy.ndarray, W: numpy.ndarray,
                           x0: numpy.ndarray | None = None,
                           lengths: Lengths | None = None,
                           lookahead: int = 0) -> numpy.ndarray:
    """Reference of :func:`masked_convolution` in NumPy and float64.

    ===========  =================  ==============================
    array        shape              meaning
    ===========  =================  ==============================
    ``x``        ``(B, T, n)``      inputs
    ``W``        ``(k, n, m)``      filters, the oldest step first
    ``x0``       ``(B, k - 1, n)``  inputs before the first step
    ``lengths``  ``(B,)``           number of steps
    return       ``(B, T, m)``      outputs, float64
    ===========  =================  ==============================
    """
    x = numpy.asarray(x, numpy.float64)
    W = numpy.asarray(W, numpy.float64)
    if x0 is not None:
        x0 = numpy.asarray(x0, numpy.float64)
    B, T, _ = x.shape
    k, _, m = W.shape
    y = numpy.zeros((B, T, m))
    for b in range(B):
        end = T if lengths is None else lengths[b]
        for t in range(end):
            for j in range(k):
                s = t - (k - 1) + lookahead + j
                if 0 <= s < end:
                    y[b, t] += x[b, s] @ W[j]
                elif s < 0 and x0 is not None:
                    y[b, t] += x0[b, k - 1 + s] @ W[j]
    return y


def check_lookahead(lookahead, kernel_size):
    """Return the lookahead, or raise ValueError if it is out of range."""
    if not 0 <= lookahead < max(1, kernel_size):
        raise ValueError(
            f'lookahead must be between 0 and {kernel_size - 1} '
            f'(kernel_size - 1), not {lookahead}')
    return lookahead


class _MaskedConvolution(Node):
    """Convolution as one function node; more nodes would cost host time."""

    def __init__(self, lengths, lookahead, returns_last=False):
        self.lengths = lengths
        self.lookahead = lookahead
        self.returns_last = returns_last  # if True, also return the next x0

    def check_type_forward(self, in_types):
        type_check.expect(2 <= in_types.size(), in_types.size() <= 3)
        type_check._argname(in_types[:2], ('x', 'W'))
        x_type, W_type = in_types[:2]
        type_check.expect(
            x_type.dtype.kind == 'f',
            x_type.ndim == 3,
            W_type.ndim == 3,
        )
        type_check.expect(
            W_type.shape[0] >= 1,
            W_type.dtype == x_type.dtype,
            W_type.shape[1] == x_type.shape[2],
        )
        if type_check.eval(in_types.size()) == 3:
            type_check._argname(in_types[2:], ('x0',))
            x0_type = in_types[2]
            type_check.expect(
                x0_type.dtype == x_type.dtype,
                x0_type.ndim == 3,
            )
            type_check.expect(
                x0_type.shape[0] == x_type.shape[0],
                x0_type.shape[1] == W_type.shape[0] - 1,
                x0_type.shape[2] == x_type.shape[2],
            )

    def forward(self, inputs):
        self.retain_inputs(tuple(range(len(inputs))))
        x, W = inputs[:2]
        x0 = inputs[2] if len(inputs) == 3 else None
        B, T, _ = x.shape
        k, n, m = W.shape
        self.lengths = send_lengths(self.lengths, x)
        y = matmul(
            self._windows(x, k, x0), W.reshape(k * n, m), x.dtype)
        y = y.reshape(B, T, m)
        if not self.returns_last:
            return y,
        return y, kernels.last_steps(x, x0, k - 1, self.lengths)

    def _windows(self, x, k, x0=None):
        B, T, n = x.shape
        return kernels.unfold(x, x0, k, self.lookahead, self.lengths).reshape(
            B * T, k * n)

    def backward(self, indexes, grad_outputs):
        inputs = self.get_retained_inputs()
        if chainer.config.enable_backprop:
            grads = self._differentiable_backward(inputs, grad_outputs)
        else:
            grads = self._backward(indexes, inputs, grad_outputs)
        return tuple(grads[i] for i in indexes)

    def _backward(self, indexes, inputs, grad_outputs):
        x, W, *x0 = (variable.array for variable in inputs)
        gy, glast = (None if g is None else g.array
                     for g in (*grad_outputs, None)[:2])
        B, T, _ = x.shape
        k, n, m = W.shape
        xp = backend.get_array_module(x)
        if gy is None:
            gy = xp.zeros((B, T, m), x.dtype)
        gy = gy.reshape(B * T, m)
        grads = {}
        if 1 in indexes:
            # The windows are k times as large as the inputs. Therefore,
            # forward does not store them, and backward computes them again.
            grads[1] = matmul(
                self._windows(x, k, *x0).T, gy, W.dtype).reshape(k, n, m)
        if 0 in indexes or 2 in indexes:
            gwindows = matmul(gy, W.reshape(k * n, m).T, x.dtype)
            grads[0], grads[2] = kernels.fold(
                gwindows.reshape(B, T, k, n), x.shape, self.lookahead,
                self.lengths, glast)
        return {i: chainer.as_variable(g) for i, g in grads.items()}

    def _differentiable_backward(self, inputs, grad_outputs):
        x, W, *x0 = inputs
        outputs = [_differentiable_convolution(
            self.lengths, self.lookahead, *inputs)]
        if self.returns_last:
            outputs.append(last_steps(x, len(W) - 1, *x0, self.lengths)
                           if x0 else last_steps(
                               x, len(W) - 1, lengths=self.lengths))
        given = [(y, g) for y, g in zip(outputs, grad_outputs)
                 if g is not None]
        return chainer.grad(
            [y for y, _ in given], inputs, [g for _, g in given],
            enable_double_backprop=True)


def _differentiable_convolution(lengths, lookahead, x, W, x0=None):
    """Compute the convolution with support for double backprop."""
    k, n, m = W.shape
    B, T, _ = x.shape
    windows, = _Windows(k, lengths, lookahead).apply(
        (x,) if x0 is None else (x, x0))
    y = apply_matmul(F.matmul, F.reshape(windows, (B * T, k * n)),
                     F.reshape(W, (k * n, m)))
    return F.reshape(y, (B, T, m))


class _Windows(function_node.FunctionNode):
    """Unfold x into windows: (B, T, n) -> (B, T, k, n)."""

    def __init__(self, k, lengths, lookahead):
        self.k = k
        self.lengths = lengths
        self.lookahead = lookahead

    def forward(self, inputs):
        x = inputs[0]
        x0 = inputs[1] if len(inputs) == 2 else None
        self.x_shape = x.shape
        self.lengths = send_lengths(self.lengths, x)
        windows = kernels.unfold(
            x, x0, self.k, self.lookahead, self.lengths)
        return windows.astype(x.dtype, copy=False),

    def backward(self, indexes, grad_outputs):
        grads = _Fold(self).apply(grad_outputs)
        return tuple(grads[i] for i in indexes)


class _Fold(function_node.FunctionNode):
    """Gradient of :class:`_Windows`: add up overlapping windows."""

    def __init__(self, windows):
        self.windows = windows

    def forward(self, inputs):
        gwindows, = inputs
        w = self.windows
        return kernels.fold(gwindows, w.x_shape, w.lookahead, w.lengths)

    def backward(self, indexes, grad_outputs):
        w = self.windows
        ggx, ggx0 = grad_outputs
        if ggx is None:
            xp = backend.get_array_module(ggx0.array)
            ggx = chainer.as_variable(xp.zeros(w.x_shape, ggx0.dtype))
        inputs = (ggx,) if ggx0 is None else (ggx, ggx0)
        return _Windows(w.k, w.lengths, w.lookahead).apply(inputs)
