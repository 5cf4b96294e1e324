import operator
from typing import NamedTuple

import chainer
from chainer import backend
import chainer.functions as F
from chainer import initializer
from chainer import initializers
import chainer.links as L
from chainer import variable

from qrnn.functions.linear import linear
from qrnn.functions.masked_convolution import check_lookahead
from qrnn.functions.masked_convolution import masked_convolution
from qrnn.functions.masked_convolution import streaming_convolution
from qrnn.functions.pooling import qrnn_pooling
from qrnn.functions.qrnn_step import qrnn_step
from qrnn.functions.zoneout import check_ratio
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.links.hooks import with_hooks
from qrnn.links.recurrent_layer import apply_linear
from qrnn.links.recurrent_layer import RecurrentLayer
from qrnn.types import Activations
from qrnn.types import Initializer
from qrnn.types import Pooling


class QRNNState(NamedTuple):
    """State of a :class:`QRNNLayer` from which a sequence can continue.

    Attributes:
        c (~chainer.Variable): Pooled state, ``(B, m)``. None means zeros.
        x (~chainer.Variable): The last ``k - 1`` inputs, ``(B, k - 1, n)``.
            None means zeros. Always None if ``k = 1``.
    """

    c: chainer.Variable | None
    x: chainer.Variable | None


class QRNNLayer(RecurrentLayer):
    """Quasi-recurrent layer: a causal convolution, gates and pooling.

    With a filter width of :math:`k` and fo-pooling, the layer computes

    .. math::

        z_t, f_t, o_t &= \\tanh(W_z * x)_t, \\sigma(W_f * x)_t,
            \\sigma(W_o * x)_t \\\\
        c_t &= f_t c_{t-1} + (1 - f_t) z_t \\\\
        h_t &= o_t c_t

    and returns all :math:`h_t`. Here :math:`*` is a convolution along time
    over :math:`x_{t-k+1}` to :math:`x_t`. The state consists of :math:`c` and
    the last :math:`k - 1` inputs. Therefore a sequence can be split anywhere,
    even into single steps, without a change of outputs and gradients.

    In a decoder layer (``decoder=True``), every gate also depends on the last
    output :math:`\\tilde h` of the encoder layer, which :meth:`init` sets:
    :math:`z_t = \\tanh((W_z * x)_t + V_z \\tilde h)`, and so on. With
    ``attention=True``, which implies ``decoder=True``, the output is

    .. math::

        h_t = o_t (W_k k_t + W_c c_t + b)

    where :math:`k_t` is the :func:`~qrnn.attention_sum` of the encoder's
    outputs for the query :math:`c_t`.

    Args:
        in_size (int or None): Number of input channels n. If None, it is
            inferred from the first input.
        out_size (int): Number of hidden channels m.
        kernel_size (int): Filter width k.
        attention (bool): Whether to attend to the encoder's outputs.
        decoder (bool): Whether this is a decoder layer.
        pooling (str): ``'f'``, ``'fo'``, ``'if'`` or ``'ifo'``. See
            :func:`~qrnn.qrnn_pooling`.
        zoneout (float): Probability that a channel keeps its state at a step,
            in training only. See :func:`~qrnn.zoneout`.
        zoneout_expectation (bool): If True, evaluation replaces the gate f by
            its expectation under zoneout, as torchqrnn does.
        save_state (bool): If True, sequences continue from the state after
            the previous call. Otherwise, they start from the initial state.
            Single steps always continue from the state.
        lookahead (int): Number of future steps in the filter's window: 0 for
            a causal layer. A layer with lookahead requires whole sequences.
        encoder_size (int): Number of channels of the encoder's outputs,
            ``out_size`` if omitted.
        activations (dict): A dict that maps names of gates to activations,
            which replace the defaults. See :func:`~qrnn.qrnn_pooling`.
        initialW (:ref:`initializer <initializer>`): Initializer of all
            weights. The filters are initialized as one matrix
            ``(gates * m, k * n)``. If omitted,
            :class:`~chainer.initializers.LeCunNormal` is used.
        initial_bias (:ref:`initializer <initializer>`): Initializer of the
            bias, ``(gates * m,)``. Zero if omitted.

    Attributes:
        W (~chainer.Parameter): Filters, ``(k, n, gates * m)``. The filter of
            the oldest step is first. The gates are in the order f, z, o, i.
        b (~chainer.Parameter): Bias, ``(gates * m,)``.
        V (~chainer.links.Linear): Projection of the encoder's last output
            (only in decoder layers).
        attend (~chainer.links.Linear): Weights :math:`(W_k, W_c)` and bias
            :math:`b` (only with attention).

    Raises:
        ValueError: If ``pooling``, ``activations``, ``kernel_size``,
            ``zoneout`` or ``lookahead`` is invalid; if ``attention`` is
            combined with a pooling without output gate, or with an
            ``encoder_size`` other than ``out_size``; or if ``lookahead`` is
            combined with ``save_state``.

    See: `Quasi-Recurrent Neural Networks
    <https://arxiv.org/abs/1611.01576>`_.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNLayer
        >>> layer = QRNNLayer(3, 5, kernel_size=2)
        >>> print(layer)
        QRNNLayer(in_size=3, out_size=5, kernel_size=2, pooling=fo)
        >>> x = np.random.randn(4, 7, 3).astype(np.float32)
        >>> layer(x).shape             # a batch of sequences
        (4, 7, 5)
        >>> layer(x[:, 0]).shape       # one more step
        (4, 5)

    """

    state_type = QRNNState
    _sizes = 'in_size', 'out_size', 'kernel_size', 'pooling'
    _options = ('zoneout', 'zoneout_expectation', 'lookahead', 'activations',
                *RecurrentLayer._options)

    #: Maps parameter paths to the arguments that set the size of each axis.
    axes = {
        '/W': ('kernel_size', 'in_size', 'out_size or pooling'),
        '/b': ('out_size or pooling',),
        '/V/W': ('out_size or pooling', 'encoder_size'),
        '/attend/W': ('out_size', 'out_size'), '/attend/b': ('out_size',)}

    def __init__(self, in_size: int | None, out_size: int,
                 kernel_size: int = 2, attention: bool = False,
                 decoder: bool = False, *, pooling: Pooling = 'fo',
                 zoneout: float = 0., zoneout_expectation: bool = False,
                 save_state: bool = False, lookahead: int = 0,
                 encoder_size: int | None = None,
                 activations: Activations | None = None,
                 initialW: Initializer | None = None,
                 initial_bias: Initializer | None = None) -> None:
        check_pooling(pooling, activations)
        out_size = operator.index(out_size)
        kernel_size = operator.index(kernel_size)
        if kernel_size < 1:
            raise ValueError(
                f'kernel_size must be at least 1, not {kernel_size}')
        if attention and 'o' not in GATES[pooling]:
            raise ValueError(
                "attention needs a pooling with an output gate, 'fo' or "
                f"'ifo', not {pooling!r}")
        if lookahead and save_state:
            raise ValueError(
                'a layer with lookahead cannot keep its state between calls; '
                'omit lookahead or save_state')
        super().__init__(out_size, attention, decoder, save_state)
        self.kernel_size = kernel_size
        self.pooling = pooling
        self.zoneout = check_ratio(zoneout)
        self.zoneout_expectation = zoneout_expectation
        self.lookahead = check_lookahead(lookahead, kernel_size)
        self.activations = activations
        gates_size = len(GATES[pooling]) * out_size
        encoder_size = encoder_size or out_size
        with self.init_scope():
            self.W = variable.Parameter(_FilterInitializer(initialW))
            self.b = variable.Parameter(
                0 if initial_bias is None else initial_bias,  # type: ignore
                gates_size)
            if self.decoder:
                self.V = L.Linear(
                    encoder_size, gates_size, nobias=True, initialW=initialW)
            if attention:
                if encoder_size != out_size:
                    raise ValueError(
                        'attention compares encoder and decoder states, so '
                        f'encoder_size ({encoder_size}) must equal out_size '
                        f'({out_size})')
                self.attend = L.Linear(
                    2 * out_size, out_size, initialW=initialW)
        if in_size is not None:
            self._initialize_params(operator.index(in_size))

    def _initialize_params(self, in_size):
        self.W.initialize((self.kernel_size, in_size, self.b.size))

    @property
    def in_size(self) -> int | None:
        """Number of input channels n; None if it is not known yet."""
        return None if self.W.array is None else self.W.shape[1]

    def known_shape(self, path: str) -> tuple[int | None, ...]:
        """Return the shape of W before initialization, with None for n."""
        return self.kernel_size, None, self.b.size

    def _state_shapes(self):
        return (self.out_size,), (self.kernel_size - 1, self.in_size)

    def _encoder_size(self):
        return self.V.W.shape[1]

    def _initial_state(self, batch_size):
        encoder = self.encoder
        return QRNNState(encoder.repeat(encoder.last_c, batch_size), None)

    def _encoder_bias(self, last_h):
        # V h~ is the same at every step, so it is added to the bias once.
        return with_hooks(
            self.V, 'forward', lambda h: linear(h, self.V.W, self.b), last_h)

    def _step(self, x, state):
        if self.lookahead:
            raise ValueError(
                'a layer with lookahead cannot run step by step; call it on '
                'whole sequences, (B, T, n)')
        if self.W.array is None:
            self._initialize_params(x.shape[1])
        c0, x0 = state or (None, None)
        has_window = self.kernel_size > 1
        h, c, x_last = qrnn_step(
            x, self.W, self._bias(len(x)), c0, x0 if has_window else None,
            self.pooling, self.zoneout, self.activations,
            self.zoneout_expectation, gated=not self.attention)
        if self.attention:
            h = self._attend(h, c)
        return h, QRNNState(c, x_last if has_window else None)

    def _advance(self, x, state, lengths):
        if self.W.array is None:
            self._initialize_params(x.shape[2])
        c0, x0 = state or (None, None)
        x_last = None
        if self.kernel_size == 1 or self.lookahead:
            u = masked_convolution(x, self.W, None, lengths, self.lookahead)
        else:
            u, x_last = streaming_convolution(x, self.W, x0, lengths)
        h, c, c_last = qrnn_pooling(
            u, self._bias(len(x)), c0, lengths, self.pooling, self.zoneout,
            None, self.activations, self.zoneout_expectation,
            gated=not self.attention)
        if self.attention:
            h = self._attend(h, c)
        return h, QRNNState(c_last, x_last)

    def _bias(self, batch_size):
        if not self.decoder:
            return self.b
        return self.encoder.repeat(self.encoder.bias, batch_size)

    def _attend(self, o, c):
        # The output gate multiplies W_k k + W_c c + b, not c alone. Past the
        # end of a sequence, o is 0, and so is the output.
        return o * apply_linear(
            self.attend, F.concat((self.encoder.attend(c), c), axis=-1))


class _FilterInitializer(initializer.Initializer):
    """Initialize filters (k, n, m) as one matrix of shape (m, k * n)."""

    def __init__(self, initialW):
        self.fill = initializers._get_initializer(initialW)
        super().__init__(getattr(self.fill, 'dtype', None))

    def __call__(self, array):
        xp = backend.get_array_module(array)
        k, n, m = array.shape
        matrix = xp.empty((m, k * n), array.dtype)
        self.fill(matrix)
        array[...] = matrix.T.reshape(k, n, m)
