import numpy

import chainer
from chainer import backend
from chainer.utils import type_check

from qrnn import kernels
from qrnn.functions.float16 import matmul
from qrnn.functions.masked_convolution import masked_convolution_ref
from qrnn.functions.masked_convolution import streaming_convolution
from qrnn.functions.node import Node
from qrnn.functions.pooling import qrnn_pooling
from qrnn.functions.pooling import qrnn_pooling_ref
from qrnn.functions.zoneout import check_ratio
from qrnn.functions.zoneout import draw_seed
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.types import Activations
from qrnn.types import Input
from qrnn.types import Pooling


def qrnn_step(
        x: Input, W: Input, b: Input | None = None, c0: Input | None = None,
        x0: Input | None = None, pooling: Pooling = 'fo', zoneout: float = 0.,
        activations: Activations | None = None,
        zoneout_expectation: bool = False, gated: bool = True
) -> tuple[chainer.Variable, chainer.Variable, chainer.Variable]:
    """Apply a QRNN layer to a single step, as one function node.

    The result is the same as from :func:`~qrnn.masked_convolution` followed by
    :func:`~qrnn.qrnn_pooling` for sequences of one step. The outputs share no
    memory with the inputs.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs, ``(B, n)``,
            of dtype float16, float32 or float64.
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Filters,
            ``(k, n, G * C)`` with G gates. The filter of the oldest step is
            first. The gates are in the order f, z, o, i.
        b (:class:`~chainer.Variable` or :ref:`ndarray`): Bias, ``(G * C,)``,
            or a separate bias for each sequence, ``(B, G * C)``. No bias if
            omitted.
        c0 (:class:`~chainer.Variable` or :ref:`ndarray`): Previous state,
            ``(B, C)``. Zero if omitted.
        x0 (:class:`~chainer.Variable` or :ref:`ndarray`): The ``k - 1``
            previous inputs, ``(B, k - 1, n)``. Zeros if omitted.
        pooling (str): ``'f'``, ``'fo'``, ``'if'`` or ``'ifo'``.
        zoneout (float): Probability that a channel keeps its state, in
            training only. See :func:`~qrnn.zoneout`.
        activations (dict): Activations of some of the gates. See
            :func:`~qrnn.qrnn_pooling`.
        zoneout_expectation (bool): If True, evaluation replaces the gate f by
            its expectation under zoneout. See :func:`~qrnn.zoneout`.
        gated (bool): If True, ``h`` is the output of the pooling. If False,
            ``h`` is the output gate. See :func:`~qrnn.qrnn_pooling`.

    Returns:
        tuple of ~chainer.Variable: Output ``h`` and state ``c``, both
        ``(B, C)``, and the last ``k - 1`` inputs, ``(B, k - 1, n)``. Pass
        these inputs as ``x0`` of the next step.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If ``pooling``, ``zoneout``, ``activations`` or ``gated``
            is invalid.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import qrnn_step
        >>> W = np.ones((2, 3, 15), np.float32)  # k = 2, fo-pooling
        >>> c = x0 = None
        >>> for x in np.ones((4, 1, 3), np.float32):
        ...     h, c, x0 = qrnn_step(x, W, None, c, x0)
        >>> h.shape, c.shape, x0.shape
        ((1, 5), (1, 5), (1, 1, 3))

    """
    activations = check_pooling(pooling, activations, gated)
    optional = {'b': b, 'c0': c0, 'x0': x0}
    names = tuple([n for n in optional if optional[n] is not None])
    node = _QRNNStep(names, pooling, activations, check_ratio(zoneout),
                     zoneout_expectation, gated)
    return node.apply((x, W, *[optional[n] for n in names]))


def qrnn_step_ref(
        x: numpy.ndarray, W: numpy.ndarray, b: numpy.ndarray | None = None,
        c0: numpy.ndarray | None = None, x0: numpy.ndarray | None = None,
        pooling: Pooling = 'fo', zoneout: float = 0.,
        activations: Activations | None = None,
        zoneout_expectation: bool = False, gated: bool = True
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Reference of :func:`qrnn_step` in NumPy and float64.

    ======  ============================  ==============================
    array   shape                         meaning
    ======  ============================  ==============================
    ``x``   ``(B, n)``                    inputs
    ``W``   ``(k, n, G * C)``             filters, the oldest step first
    ``b``   ``(G * C,)``, ``(B, G * C)``  bias
    ``c0``  ``(B, C)``                    previous state
    ``x0``  ``(B, k - 1, n)``             previous inputs
    return  two ``(B, C)``,               output, state,
            ``(B, k - 1, n)``             last inputs
    ======  ============================  ==============================

    The reference does not draw a zoneout mask. It always computes the gates as
    in evaluation.
    """
    x = numpy.asarray(x, numpy.float64)[:, None]
    h, _, c = qrnn_pooling_ref(
        masked_convolution_ref(x, W, x0), b, c0, None, pooling, zoneout, None,
        activations, zoneout_expectation, gated)
    if x0 is None:
        x0 = numpy.zeros((len(x), len(W) - 1, x.shape[2]))
    return h[:, 0], c, numpy.concatenate((x0, x), axis=1)[:, 1:]


class _QRNNStep(Node):

    def __init__(self, names, pooling, activations, zoneout,
                 zoneout_expectation, gated):
        self.names = ('x', 'W') + names  # names of the inputs
        self.pooling = pooling
        self.activations = activations
        self.zoneout = zoneout
        self.zoneout_expectation = zoneout_expectation
        self.gated = gated
        self.type_options = self.names, pooling

    def check_type_forward(self, in_types):
        type_check._argname(in_types, self.names)
        types = dict(zip(self.names, in_types))
        x_type, W_type = in_types[:2]
        n_gates = len(GATES[self.pooling])
        type_check.expect(
            x_type.dtype.kind == 'f',
            x_type.ndim == 2,
            W_type.ndim == 3,
        )
        type_check.expect(
            W_type.dtype == x_type.dtype,
            W_type.shape[0] >= 1,
            W_type.shape[1] == x_type.shape[1],
            W_type.shape[2] % n_gates == 0,
        )
        if 'b' in types:
            b_type = types['b']
            type_check.expect(
                b_type.dtype == x_type.dtype,
                b_type.ndim >= 1,
                b_type.ndim <= 2,
                b_type.shape[-1] == W_type.shape[2],
            )
            if type_check.eval(b_type.ndim) == 2:
                type_check.expect(b_type.shape[0] == x_type.shape[0])
        if 'c0' in types:
            c0_type = types['c0']
            type_check.expect(
                c0_type.dtype == x_type.dtype,
                c0_type.ndim == 2,
            )
            type_check.expect(
                c0_type.shape[0] == x_type.shape[0],
                c0_type.shape[1] == W_type.shape[2] // n_gates,
            )
        if 'x0' in types:
            x0_type = types['x0']
            type_check.expect(
                x0_type.dtype == x_type.dtype,
                x0_type.ndim == 3,
            )
            type_check.expect(
                x0_type.shape[0] == x_type.shape[0],
                x0_type.shape[1] == W_type.shape[0] - 1,
                x0_type.shape[2] == x_type.shape[1],
            )

    def forward(self, inputs):
        self.retain_inputs(tuple(range(len(inputs))))
        self.retain_outputs((1,))
        arrays = dict(zip(self.names, inputs))
        self.zoneout, self.seed = draw_seed(
            self.zoneout, self.zoneout_expectation)
        h, c, x_last, self.window, self.u = kernels.step_forward(
            *inputs[:2], *[arrays.get(name) for name in ('b', 'c0', 'x0')],
            self.pooling, self.zoneout, self.seed, self.activations,
            self.gated)
        return h, c, x_last

    def backward(self, indexes, grad_outputs):
        inputs = dict(zip(self.names, self.get_retained_inputs()))
        if chainer.config.enable_backprop:
            grads = self._differentiable_backward(inputs, grad_outputs)
        else:
            grads = self._backward(indexes, **{
                name: v.array for name, v in inputs.items()}, gradients=[
                    None if g is None else g.array for g in grad_outputs])
        return tuple(grads[self.names[i]] for i in indexes)

    def _backward(self, indexes, gradients, x, W, b=None, c0=None, x0=None):
        gh, gc, gx_last = gradients
        c = self.get_retained_outputs()[0].array
        gu, gb, gc0 = kernels.pooling_backward(
            self.u[:, None], b, c0, None, self.pooling, self.zoneout,
            self.seed, None, c[:, None], None if gh is None else gh[:, None],
            None, gc, self.activations, self.gated)
        k, n, channels = W.shape
        gu = gu[:, 0]
        grads = {name: None if g is None else g.astype(x.dtype, copy=False)
                 for name, g in (('b', gb), ('c0', gc0))}
        if 1 in indexes:
            grads['W'] = matmul(self.window.T, gu, W.dtype).reshape(W.shape)
        gwindow = matmul(gu, W.reshape(k * n, channels).T, x.dtype).reshape(
            len(x), k, n)
        if gx_last is not None:
            gwindow[:, 1:] += gx_last
        grads['x'], grads['x0'] = gwindow[:, -1], gwindow[:, :-1]
        return {name: None if g is None else chainer.as_variable(g)
                for name, g in grads.items()}

    def _differentiable_backward(self, inputs, grad_outputs):
        """Return the gradients of all inputs as differentiable Variables."""
        outputs = self._differentiable_step(**inputs)
        arrived = [(y, g) for y, g in zip(outputs, grad_outputs)
                   if g is not None]
        grads = chainer.grad(
            [y for y, _ in arrived], list(inputs.values()),
            [g for _, g in arrived], enable_double_backprop=True)
        return {
            name: chainer.as_variable(v.array * 0) if g is None else g
            for (name, v), g in zip(inputs.items(), grads)}

    def _differentiable_step(self, x, W, b=None, c0=None, x0=None):
        u, x_last = streaming_convolution(x[:, None], W, x0)
        mask = None
        if self.zoneout and self.seed is not None:
            C = u.shape[2] // len(GATES[self.pooling])
            mask = kernels.zoneout_mask(
                self.seed, self.zoneout, (len(x), 1, C),
                backend.get_array_module(x))
        with chainer.using_config('train', False):  # do not draw another mask
            h, _, c = qrnn_pooling(
                u, b, c0, None, self.pooling, self.zoneout, mask,
                self.activations, self.seed is None, self.gated)
        return h[:, 0], c, x_last
