import collections

import chainer.functions as F
import chainer.links as L

from qrnn.functions.attention import attention_sum
from qrnn.functions.lengths import valid_steps
from qrnn.links.recurrent_layer import RecurrentLayer


class LSTMState(collections.namedtuple('LSTMState', ('c', 'h'))):
    """State of an :class:`LSTMLayer`: cells and outputs, ``(B, m)`` each."""


class LSTMLayer(RecurrentLayer):
    """LSTM layer with the interface of :class:`~qrnn.QRNNLayer`.

    The baseline of the paper's experiments; the recurrence is Chainer's
    :class:`~chainer.links.NStepLSTM`. A decoder layer starts from the last
    state of its encoder layer, and with ``attention=True`` returns
    :math:`\\tanh(W_k k_t + W_h h_t + b)` with the
    :func:`~qrnn.attention_sum` :math:`k_t` for the query :math:`h_t`.

    Args:
        in_size (int): Number of input channels n.
        out_size (int): Number of hidden channels m.
        attention (bool): Whether to attend to the encoder's outputs.
        decoder (bool): Whether this is a decoder layer.
        save_state (bool): Whether a sequence goes on from where the last call
            ended. Single steps always do.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import LSTMLayer
        >>> layer = LSTMLayer(3, 5)
        >>> layer(np.zeros((4, 7, 3), np.float32)).shape
        (4, 7, 5)

    """

    state_type = LSTMState

    def __init__(self, in_size, out_size, attention=False, decoder=False, *,
                 save_state=False):
        super(LSTMLayer, self).__init__(
            in_size, out_size, attention, decoder, save_state)
        with self.init_scope():
            self.lstm = L.NStepLSTM(1, in_size, out_size, dropout=0.)
            if attention:
                self.attend = L.Linear(2 * out_size, out_size)

    def initial_state(self, batch_size):
        """The state to start from: None for zeros."""
        if self.encoder_c is None:
            return None
        return LSTMState(self.encoder_c, self._last(self.encoder_h))

    def _advance(self, x, lengths):
        B, T, _ = x.shape
        if B == 0 or T == 0:
            return self.xp.zeros((B, T, self.out_size), x.dtype)
        xs = F.separate(x, axis=0)
        if lengths is not None:
            xs = [x[:int(n)] for x, n in zip(xs, lengths)]
        c0, h0 = (
            None if part is None else F.expand_dims(part, 0)
            for part in self._state or (None, None))
        h_last, c_last, hs = self.lstm(h0, c0, list(xs))
        self._state = LSTMState(c_last[0], h_last[0])
        h = F.pad_sequence(hs, length=T)
        if self.attention:
            h = self._attend(h)
            if lengths is not None:
                h = h * valid_steps(lengths, h.array)[:, :, None].astype(
                    h.dtype)
        return h

    def _attend(self, h):
        context = attention_sum(self.encoder_h, h, self.encoder_lengths)
        return F.tanh(
            self.attend(F.concat((context, h), axis=2), n_batch_axes=2))
