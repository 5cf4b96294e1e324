from collections.abc import Callable

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
from qrnn.functions.strnn import strnn
from qrnn.functions.zoneout import check_ratio
from qrnn.functions.zoneout import draw_seed
from qrnn.functions.zoneout import expected_gate
from qrnn.functions.zoneout import zoneout as apply_zoneout
from qrnn.functions.zoneout import zoneout_ref
from qrnn.gates import ACTIVATIONS
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.types import Activations
from qrnn.types import Input
from qrnn.types import Lengths
from qrnn.types import NDArray
from qrnn.types import Pooling


def qrnn_pooling(
        u: Input, b: Input | None = None, c0: Input | None = None,
        lengths: Lengths | None = None, pooling: Pooling = 'fo',
        zoneout: float = 0., mask: NDArray | None = None,
        activations: Activations | None = None,
        zoneout_expectation: bool = False, gated: bool = True
) -> tuple[chainer.Variable, chainer.Variable, chainer.Variable]:
    """Apply the gate activations and the pooling of a QRNN layer.

    The input :math:`u` is the output of the convolution: the pre-activations
    of the gates, concatenated along channels in the order f, z, o, i. The
    function computes :math:`z = \\tanh(u_z + b_z)`, the gates
    :math:`f, o, i = \\sigma(u + b)`, and one of these poolings:

    ===========  =================================  =============
    ``pooling``  state                              output
    ===========  =================================  =============
    ``'f'``      c_t = f_t c_{t-1} + (1 - f_t) z_t  h_t = c_t
    ``'fo'``     c_t = f_t c_{t-1} + (1 - f_t) z_t  h_t = o_t c_t
    ``'if'``     c_t = f_t c_{t-1} + i_t z_t        h_t = c_t
    ``'ifo'``    c_t = f_t c_{t-1} + i_t z_t        h_t = o_t c_t
    ===========  =================================  =============

    ``'f'``, ``'fo'`` and ``'ifo'`` are equations 3, 4 and 5 of the paper,
    respectively. ``'if'`` is the pooling of the T-GRU (see
    :data:`~qrnn.links.strongly_typed.STRONGLY_TYPED`). Past the end of a
    sequence, the state does not change, and outputs and gradients are 0.

    Args:
        u (:class:`~chainer.Variable` or :ref:`ndarray`): Pre-activations,
            ``(B, T, G * C)``, of dtype float16, float32 or float64. G is the
            number of gates: 2 for f-pooling, 3 for fo- and if-pooling, and 4
            for ifo-pooling.
        b (:class:`~chainer.Variable` or :ref:`ndarray`): Bias, ``(G * C,)``,
            or a separate bias for each sequence, ``(B, G * C)``. No bias if
            omitted.
        c0 (:class:`~chainer.Variable` or :ref:`ndarray`): Initial state,
            ``(B, C)``. Zero if omitted.
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence, ``(B,)``. All sequences have T steps if omitted.
        pooling (str): ``'f'``, ``'fo'``, ``'if'`` or ``'ifo'``.
        zoneout (float): Probability that a channel keeps its state at a step,
            in training only. See :func:`~qrnn.zoneout`.
        mask (:ref:`ndarray`): Zoneout mask, booleans ``(B, T, C)``, true where
            a channel keeps its state. Drawn in training if omitted.
        activations (dict): A dict that maps some of the gates ``'z'``, ``'o'``
            and ``'i'`` to ``'tanh'``, ``'sigmoid'`` or ``'identity'``. Gates
            that are not in the dict have the activations above.
        zoneout_expectation (bool): If True, evaluation replaces the gate f by
            its expectation under zoneout. See :func:`~qrnn.zoneout`.
        gated (bool): If True, ``h`` is the output in the table above. If
            False, ``h`` is the output gate :math:`o_t`, and the caller applies
            the gate. Layers with attention use False.

    Returns:
        tuple of ~chainer.Variable: Outputs ``h`` and all states ``c``, both
        ``(B, T, C)``, and the state after the last step of each sequence,
        ``(B, C)``. The recurrence is computed in float32 or wider.

    Raises:
        chainer.utils.type_check.InvalidType: If shapes or dtypes are invalid.
        ValueError: If ``pooling``, ``zoneout``, ``lengths``, ``activations``
            or ``gated`` is invalid.

    See: `Quasi-Recurrent Neural Networks
    <https://arxiv.org/abs/1611.01576>`_.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import qrnn_pooling
        >>> u = np.zeros((1, 2, 3), np.float32)  # f = o = 0.5
        >>> u[:, :, 1] = 9.                      # z is almost 1
        >>> h, c, c_last = qrnn_pooling(u)
        >>> c.array.ravel().round(3)
        array([0.5 , 0.75], dtype=float32)
        >>> h.array.ravel().round(3)
        array([0.25 , 0.375], dtype=float32)

    """
    activations = check_pooling(pooling, activations, gated)
    optional = {'b': b, 'c0': c0}
    names = tuple(n for n in optional if optional[n] is not None)
    node = QRNNPooling(pooling, activations, names, lengths, zoneout, mask,
                       zoneout_expectation, gated)
    return node.apply((u,) + tuple(optional[n] for n in names))


def qrnn_pooling_ref(
        u: numpy.ndarray, b: numpy.ndarray | None = None,
        c0: numpy.ndarray | None = None, lengths: Lengths | None = None,
        pooling: Pooling = 'fo', zoneout: float = 0.,
        mask: numpy.ndarray | None = None,
        activations: Activations | None = None,
        zoneout_expectation: bool = False, gated: bool = True
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Reference of :func:`qrnn_pooling` in NumPy and float64.

    ===========  =============================  ==============================
    array        shape                          meaning
    ===========  =============================  ==============================
    ``u``        ``(B, T, G * C)``              pre-activations of f, z, o, i
    ``b``        ``(G * C,)``, ``(B, G * C)``   bias
    ``c0``       ``(B, C)``                     initial state
    ``lengths``  ``(B,)``                       number of steps
    ``mask``     ``(B, T, C)``                  true where a state is kept
    return       two ``(B, T, C)``, ``(B, C)``  outputs, states, last state
    ===========  =============================  ==============================

    The reference does not draw a zoneout mask. Without ``mask``, it computes
    the gates as in evaluation.
    """
    names = GATES[pooling]
    u = numpy.asarray(u, numpy.float64)
    B, T, channels = u.shape
    C = channels // len(names)
    if b is not None:
        b = numpy.asarray(b, numpy.float64)
        u = u + (b if b.ndim == 1 else b[:, None])
    gates = {name: u[:, :, i * C:(i + 1) * C] for i, name in enumerate(names)}
    activations = dict(ACTIVATIONS, **(activations or {}))
    functions: dict[str, Callable] = {
        'tanh': numpy.tanh, 'identity': numpy.copy,
        'sigmoid': lambda a: 1 / (1 + numpy.exp(-a))}
    gates = {name: functions[activations[name]](a)
             for name, a in gates.items()}
    f = zoneout_ref(gates['f'], zoneout, mask, zoneout_expectation)
    h = numpy.zeros((B, T, C))
    c = numpy.zeros((B, T, C))
    last = numpy.zeros((B, C)) if c0 is None else numpy.array(
        c0, numpy.float64)
    for s in range(B):
        end = T if lengths is None else lengths[s]
        for t in range(T):
            if t < end:
                i = gates['i'][s, t] if 'i' in gates else 1 - f[s, t]
                o = gates['o'][s, t] if 'o' in gates else 1
                last[s] = f[s, t] * last[s] + i * gates['z'][s, t]
                h[s, t] = o * last[s] if gated else o
            c[s, t] = last[s]
    return h, c, last


class QRNNPooling(Node):
    """Function node that implements :func:`qrnn_pooling`."""

    def __init__(self, pooling, activations, names, lengths, zoneout, mask,
                 zoneout_expectation=False, gated=True):
        self.pooling = pooling
        self.activations = activations
        self.names = ('u',) + names  # names of the inputs
        self.lengths = lengths
        self.zoneout = check_ratio(zoneout)
        self.mask = mask
        self.zoneout_expectation = zoneout_expectation
        self.gated = gated
        self.type_options = self.names, pooling, getattr(mask, 'shape', None)

    def check_type_forward(self, in_types):
        type_check._argname(in_types, self.names)
        types = dict(zip(self.names, in_types))
        n_gates = len(GATES[self.pooling])
        u_type = types['u']
        type_check.expect(
            u_type.dtype.kind == 'f',
            u_type.ndim == 3,
        )
        type_check.expect(u_type.shape[2] % n_gates == 0)
        if 'b' in types:
            b_type = types['b']
            type_check.expect(
                b_type.dtype == u_type.dtype,
                b_type.ndim >= 1,
                b_type.ndim <= 2,
                b_type.shape[-1] == u_type.shape[2],
            )
            if type_check.eval(b_type.ndim) == 2:
                type_check.expect(b_type.shape[0] == u_type.shape[0])
        if 'c0' in types:
            c0_type = types['c0']
            type_check.expect(
                c0_type.dtype == u_type.dtype,
                c0_type.ndim == 2,
            )
            type_check.expect(
                c0_type.shape[0] == u_type.shape[0],
                c0_type.shape[1] == u_type.shape[2] // n_gates,
            )
        if self.mask is not None:
            mask_type = type_check.make_variable(
                type_check.TypeInfo(self.mask.shape, self.mask.dtype), 'mask')
            type_check.expect(mask_type.ndim == 3)
            type_check.expect(
                mask_type.shape[:2] == u_type.shape[:2],
                mask_type.shape[2] == u_type.shape[2] // n_gates,
            )

    def forward(self, inputs):
        self.retain_inputs(tuple(range(len(inputs))))
        self.retain_outputs((1,))
        arrays = dict(zip(self.names, inputs))
        u = arrays['u']
        self.lengths = send_lengths(self.lengths, u)
        self.zoneout, self.seed = (0., 0) if self.mask is not None else (
            draw_seed(self.zoneout, self.zoneout_expectation))
        return kernels.pooling_forward(
            u, arrays.get('b'), arrays.get('c0'), *self._settings(),
            self.activations, self.gated)

    def _settings(self):
        return (self.lengths, self.pooling, self.zoneout, self.seed,
                self.mask)

    def backward(self, indexes, grad_outputs):
        inputs = dict(zip(self.names, self.get_retained_inputs()))
        if chainer.config.enable_backprop:
            grads = self._differentiable_backward(inputs, grad_outputs)
        else:
            grads = self._backward(inputs, grad_outputs)
        return tuple(grads[self.names[i]] for i in indexes)

    def _backward(self, inputs, grad_outputs):
        c = self.get_retained_outputs()[0].array
        u, b, c0, gh, gc, gc_last = (
            None if variable is None else variable.array for variable in (
                [inputs.get(name) for name in ('u', 'b', 'c0')]
                + list(grad_outputs)))
        grads = kernels.pooling_backward(
            u, b, c0, *self._settings(), c, gh, gc, gc_last, self.activations,
            self.gated)
        return {name: None if g is None else chainer.as_variable(g)
                for name, g in zip(('u', 'b', 'c0'), grads)}

    def _differentiable_backward(self, inputs, grad_outputs):
        """Return the gradients of all inputs as differentiable Variables."""
        u, mask = inputs['u'].array, self.mask
        valid = valid_steps(self.lengths, u)
        expected = kernels.expected_ratio(self.zoneout, self.seed, mask)
        if mask is None and self.zoneout and not expected:
            B, T, channels = u.shape
            mask = kernels.zoneout_mask(
                self.seed, self.zoneout,
                (B, T, channels // len(GATES[self.pooling])),
                backend.get_array_module(u))
        outputs = _differentiable_pooling(
            self.pooling, self.activations, mask, expected, valid, self.gated,
            **inputs)
        given = [(y, g) for y, g in zip(outputs, grad_outputs)
                 if g is not None]
        grads = chainer.grad(
            [y for y, _ in given], list(inputs.values()),
            [g for _, g in given], enable_double_backprop=True)
        return dict(zip(inputs, grads))


_ACTIVATIONS = {
    'tanh': F.tanh, 'sigmoid': F.sigmoid, 'identity': F.identity}


def activate(name, x):
    """Apply an activation to a Variable."""
    return _ACTIVATIONS[name](x)


def _differentiable_pooling(
        pooling, activations, mask, expected, valid, gated, u, b=None,
        c0=None):
    """Compute the pooling with support for double backprop."""
    xp = backend.get_array_module(u.array)
    if b is not None:
        b = F.expand_dims(b, 0) if b.ndim == 1 else b
        u = u + F.broadcast_to(F.expand_dims(b, 1), u.shape)
    u = clear_padding(u, valid)
    names = GATES[pooling]
    gates = {name: activate(activations[name], a) for name, a in zip(
        names, F.split_axis(u, len(names), axis=2))}
    f = expected_gate(gates['f'], expected) if expected else gates['f']
    if mask is not None:
        f = apply_zoneout(f, mask=mask)
    x = clear_padding(gates.get('i', 1 - f) * gates['z'], valid)
    if valid is not None:
        f = apply_zoneout(
            f, mask=xp.broadcast_to(~valid[:, :, None], f.shape))
    c = strnn(f, x, c0)
    if not gated:
        h = gates['o']
    elif 'o' in gates:
        h = c * gates['o']
    else:  # a new Variable, because h and c have separate gradients
        h = F.identity(c)
    h = clear_padding(h, valid)
    if c.shape[1]:
        c_last = c[:, -1]
    elif c0 is not None:
        c_last = F.identity(c0)
    else:
        c_last = chainer.as_variable(xp.zeros((len(c), c.shape[2]), c.dtype))
    return h, c, c_last
