import operator
from typing import NamedTuple

import chainer
import chainer.functions as F
import chainer.links as L

from qrnn.functions.lengths import clear_padding
from qrnn.functions.lengths import valid_steps
from qrnn.functions.lstm import lstm
from qrnn.functions.lstm_step import lstm_step
from qrnn.links.hooks import with_hooks
from qrnn.links.recurrent_layer import apply_linear
from qrnn.links.recurrent_layer import RecurrentLayer


class LSTMState(NamedTuple):
    """State of :class:`LSTMLayer`: cell state and output, both ``(B, m)``."""

    c: chainer.Variable
    h: chainer.Variable


class LSTMLayer(RecurrentLayer):
    """LSTM layer with the interface of :class:`~qrnn.QRNNLayer`.

    The layer computes :func:`~qrnn.functions.lstm`. LSTMs are the baseline of
    the paper's experiments. A decoder layer starts from the last state of its
    encoder layer. With ``attention=True``, which implies ``decoder=True``, the
    layer returns :math:`\\tanh(W_k k_t + W_h h_t + b)`. Here :math:`k_t` is
    the :func:`~qrnn.attention_sum` for the query :math:`h_t`.

    Args:
        in_size (int or None): Number of input channels n. If None, it is
            inferred from the first input.
        out_size (int): Number of hidden channels m.
        attention (bool): Whether to attend to the encoder's outputs.
        decoder (bool): Whether this is a decoder layer.
        save_state (bool): If True, sequences continue from the state after
            the previous call. Otherwise, they start from the initial state.
            Single steps always continue from the state.

    Attributes:
        upward (~chainer.links.Linear): Weights of the input, ``(4 * m, n)``,
            and biases. The gates are in the order i, f, o, z.
        lateral (~chainer.links.Linear): Weights of the previous output,
            ``(4 * m, m)``.
        attend (~chainer.links.Linear): Weights :math:`(W_k, W_h)` and bias
            :math:`b` (only with attention).

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import LSTMLayer
        >>> layer = LSTMLayer(3, 5)
        >>> print(layer)
        LSTMLayer(in_size=3, out_size=5)
        >>> layer(np.zeros((4, 7, 3), np.float32)).shape
        (4, 7, 5)

    """

    state_type = LSTMState

    #: Maps parameter paths to the arguments that set the size of each axis.
    axes = {
        '/upward/W': ('out_size', 'in_size'), '/upward/b': ('out_size',),
        '/lateral/W': ('out_size', 'out_size'),
        '/attend/W': ('out_size', 'out_size'), '/attend/b': ('out_size',)}

    def __init__(self, in_size: int | None, out_size: int,
                 attention: bool = False, decoder: bool = False, *,
                 save_state: bool = False) -> None:
        out_size = operator.index(out_size)
        super().__init__(out_size, attention, decoder, save_state)
        with self.init_scope():
            self.upward = L.Linear(in_size, 4 * out_size)
            self.lateral = L.Linear(out_size, 4 * out_size, nobias=True)
            if attention:
                self.attend = L.Linear(2 * out_size, out_size)

    @property
    def in_size(self) -> int | None:
        """Number of input channels n; None if it is not known yet."""
        W = self.upward.W
        return None if W.array is None else W.shape[1]

    def known_shape(self, path: str) -> tuple[int | None, ...]:
        """Return the shape of uninitialized input weights, with None for n."""
        return 4 * self.out_size, None

    def _state_shapes(self):
        return 2 * ((self.out_size,),)

    def _initial_state(self, batch_size):
        last_h, last_c = self.encoder.last_h, self.encoder.last_c
        if last_c is None:
            last_c = chainer.as_variable(self.xp.zeros_like(last_h.array))
        return LSTMState(*(self.encoder.repeat(part, batch_size)
                           for part in (last_c, last_h)))

    def _step(self, x, state):
        if self.upward.W.array is None:
            self.upward._initialize_params(x.shape[1])
        h, *state = with_hooks(
            self.upward, 'forward', lambda x: with_hooks(
                self.lateral, 'forward', lambda x: lstm_step(
                    x, self.upward.W, self.upward.b, self.lateral.W,
                    *(state or (None, None))), x), x)
        if self.attention:
            h = self._attend(h)
        return h, LSTMState(*state)

    def _advance(self, x, state, lengths):
        if self.upward.W.array is None:
            self.upward._initialize_params(x.shape[2])
        valid = valid_steps(lengths, x.array)
        u = apply_linear(self.upward, clear_padding(x, valid))
        h, c_last, h_last = with_hooks(
            self.lateral, 'forward', lambda u: lstm(
                u, self.lateral.W, *(state or (None, None)), lengths), u)
        if self.attention:
            h = clear_padding(self._attend(h), valid)
        return h, LSTMState(c_last, h_last)

    def _attend(self, h):
        return F.tanh(apply_linear(
            self.attend, F.concat((self.encoder.attend(h), h), axis=-1)))
