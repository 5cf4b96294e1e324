import numpy

import chainer
from chainer import backend
import chainer.functions as F
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.node import Node
from qrnn.types import Input


def strnn(f: Input, x: Input, h0: Input | None = None,
          reverse: bool = False) -> chainer.Variable:
    """Apply the strongly-typed recurrence, a gated sum over time.

    For every sequence, time step and channel, the function computes

    .. math::

        h_t = f_t h_{t-1} + x_t,

    where :math:`h_0` is ``h0``. With ``reverse=True``, the function computes
    :math:`h_t = f_t h_{t+1} + x_t` from the last step to the first. Then
    ``h0`` is the state :math:`h_{T+1}` after the last step.

    This recurrence is the only sequential part of a quasi-recurrent layer. All
    poolings are special cases. For example, f-pooling uses the inputs
    :math:`x_t = (1 - f_t) z_t`. The gradient of the recurrence is the same
    recurrence in the opposite direction. Therefore, the function can be
    differentiated any number of times.

    Args:
        f (:class:`~chainer.Variable` or :ref:`ndarray`): Forget gates,
            ``(B, T, C)``, of dtype float16, float32 or float64.
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs with the shape
            and dtype of ``f``.
        h0 (:class:`~chainer.Variable` or :ref:`ndarray`): Initial state,
            ``(B, C)``. Zero if omitted.
        reverse (bool): Whether to run from the last step to the first.

    Returns:
        ~chainer.Variable: All states :math:`h_t`, ``(B, T, C)``. The
        recurrence is computed in float32 or wider.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.

    See: `Strongly-Typed Recurrent Neural Networks
    <https://arxiv.org/abs/1602.02218>`_ and `Quasi-Recurrent Neural Networks
    <https://arxiv.org/abs/1611.01576>`_.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import strnn
        >>> f = np.full((1, 4, 1), 0.5, np.float32)
        >>> x = np.ones((1, 4, 1), np.float32)
        >>> strnn(f, x).array.ravel()
        array([1.   , 1.5  , 1.75 , 1.875], dtype=float32)

    """
    inputs = (f, x) if h0 is None else (f, x, h0)
    return STRNNFunction(reverse).apply(inputs)[0]


def strnn_ref(f: numpy.ndarray, x: numpy.ndarray,
              h0: numpy.ndarray | None = None,
              reverse: bool = False) -> numpy.ndarray:
    """Reference of :func:`strnn` in NumPy and float64.

    ======  =============  =======================
    array   shape          meaning
    ======  =============  =======================
    ``f``   ``(B, T, C)``  forget gates
    ``x``   ``(B, T, C)``  inputs
    ``h0``  ``(B, C)``     initial state, or None
    return  ``(B, T, C)``  states, float64
    ======  =============  =======================
    """
    f = numpy.asarray(f, numpy.float64)
    x = numpy.asarray(x, numpy.float64)
    B, T, C = x.shape
    state = numpy.zeros((B, C)) if h0 is None else numpy.asarray(
        h0, numpy.float64)
    h = numpy.empty((B, T, C))
    for t in (reversed(range(T)) if reverse else range(T)):
        state = f[:, t] * state + x[:, t]
        h[:, t] = state
    return h


class STRNNFunction(Node):
    """Function node that implements :func:`strnn`.

    ``STRNNFunction()(f, x, h0)`` computes ``strnn(f, x, h0)``, as in the code
    published by the authors of the QRNN paper.
    """

    def __init__(self, reverse: bool = False) -> None:
        self.reverse = reverse

    def __call__(self, *inputs: Input) -> chainer.Variable:
        return self.apply(inputs)[0]

    def check_type_forward(self, in_types):
        type_check.expect(2 <= in_types.size(), in_types.size() <= 3)
        type_check._argname(in_types[:2], ('f', 'x'))
        f_type, x_type = in_types[:2]
        type_check.expect(
            f_type.dtype.kind == 'f',
            x_type.dtype == f_type.dtype,
            f_type.ndim == 3,
            x_type.shape == f_type.shape,
        )
        if type_check.eval(in_types.size()) == 3:
            type_check._argname(in_types[2:], ('h0',))
            h0_type = in_types[2]
            type_check.expect(
                h0_type.dtype == f_type.dtype,
                h0_type.ndim == 2,
                h0_type.shape[0] == f_type.shape[0],
                h0_type.shape[1] == f_type.shape[2],
            )

    def forward(self, inputs):
        self.retain_inputs(tuple(range(len(inputs))))
        self.retain_outputs((0,))
        f, x = inputs[:2]
        h0 = inputs[2] if len(inputs) == 3 else None
        return kernels.strnn_forward(f, x, h0, self.reverse),

    def backward(self, indexes, grad_outputs):
        f, h0 = self.get_retained_inputs()[0], None
        if len(self.inputs) == 3:
            h0 = self.get_retained_inputs()[2]
        h, = self.get_retained_outputs()
        gh, = grad_outputs
        if not chainer.config.enable_backprop:
            grads = kernels.strnn_backward(
                f.array, h.array, None if h0 is None else h0.array, gh.array,
                self.reverse)
            return tuple(chainer.as_variable(grads[i]) for i in indexes)

        B, T, C = f.shape
        if h0 is None:
            xp = backend.get_array_module(f.array)
            h0 = chainer.as_variable(xp.zeros((B, C), f.dtype))
        if T == 0:
            return tuple(
                gh if i < 2 else chainer.as_variable(h0.array * 0)
                for i in indexes)

        # dL/dx_t = gh_t + f_{t+1} dL/dx_{t+1}
        gx = strnn(_delay(f, h0 * 0, not self.reverse), gh,
                   reverse=not self.reverse)
        grads = []
        for i in indexes:
            if i == 0:
                grads.append(gx * _delay(h, h0, self.reverse))
            elif i == 1:
                grads.append(gx)
            else:
                first = -1 if self.reverse else 0
                grads.append(f[:, first] * gx[:, first])
        return tuple(grads)


def _delay(h, h0, reverse):
    """Shift h to one step later (earlier if reverse), and insert h0."""
    h0 = F.expand_dims(h0, 1)
    parts = (h[:, 1:], h0) if reverse else (h0, h[:, :-1])
    return F.concat(parts, axis=1)
