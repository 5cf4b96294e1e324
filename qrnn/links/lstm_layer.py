import collections

import chainer
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

    def _initial_state(self):
        last_h, last_c = self.encoder.last_h, self.encoder.last_c
        if last_c is None:
            last_c = self.xp.zeros_like(last_h.array)
        return LSTMState(chainer.as_variable(last_c), last_h)

    def _advance(self, x, lengths):
        B, T, _ = x.shape
        if B == 0 or T == 0:
            return chainer.as_variable(
                self.xp.zeros((B, T, self.out_size), x.dtype))
        before = self._state or LSTMState(*(
            chainer.Variable(self.xp.zeros((B, self.out_size), x.dtype))
            for _ in range(2)))
        if lengths is None:
            steps = B * [T]
        else:
            # NStepLSTM takes no sequence without a step: it gets one, whose
            # outcome is dropped.
            valid = valid_steps(lengths, x.array)
            x = self._where(valid[:, :, None], x)
            steps = [max(1, int(n)) for n in lengths]
        h_last, c_last, hs = self.lstm(
            F.expand_dims(before.h, 0), F.expand_dims(before.c, 0),
            [x_b[:n] for x_b, n in zip(F.separate(x, axis=0), steps)])
        after = LSTMState(c_last[0], h_last[0])
        if lengths is not None:
            moved = valid[:, :1]
            after = LSTMState(*(
                self._where(moved, a, b) for a, b in zip(after, before)))
        self._state = after
        h = F.pad_sequence(hs, length=T)
        if self.attention:
            h = self._attend(h)
        return h if lengths is None else self._where(valid[:, :, None], h)

    def _attend(self, h):
        context = attention_sum(self.encoder.h, h, self.encoder.lengths)
        return F.tanh(
            self.attend(F.concat((context, h), axis=2), n_batch_axes=2))

    def _where(self, condition, a, b=None):
        """a where the condition, of fewer columns, holds; else b, or 0."""
        return F.where(
            self.xp.broadcast_to(condition, a.shape), a,
            self.xp.zeros_like(a.array) if b is None else b)
