from typing import Any


#: Arguments of :class:`~qrnn.QRNNLayer` for strongly-typed RNNs.
#:
#: With :math:`f = \sigma`,
#:
#: ============  =================================  =============
#: name          state                              output
#: ============  =================================  =============
#: ``'T-RNN'``   c_t = f_t c_{t-1} + (1 - f_t) z_t  h_t = c_t
#: ``'T-GRU'``   c_t = f_t c_{t-1} + i_t z_t        h_t = c_t
#: ``'T-LSTM'``  c_t = f_t c_{t-1} + (1 - f_t) z_t  h_t = o_t c_t
#: ============  =================================  =============
#:
#: where z is linear and i and o are tanh. All gates depend on the current
#: input, in T-GRU and T-LSTM also on the previous input. These are the
#: equations of `Strongly-Typed Recurrent Neural Networks
#: <https://arxiv.org/abs/1602.02218>`_; the text of the QRNN paper pairs T-GRU
#: with fo-pooling and T-LSTM with ifo-pooling.
#:
#: >>> from qrnn import QRNNLayer, STRONGLY_TYPED
#: >>> layer = QRNNLayer(3, 5, **STRONGLY_TYPED['T-LSTM'])
STRONGLY_TYPED: dict[str, dict[str, Any]] = {
    'T-RNN': {'kernel_size': 1, 'pooling': 'f',
              'activations': {'z': 'identity'}},
    'T-GRU': {'kernel_size': 2, 'pooling': 'if',
              'activations': {'z': 'identity', 'i': 'tanh'}},
    'T-LSTM': {'kernel_size': 2, 'pooling': 'fo',
               'activations': {'z': 'identity', 'o': 'tanh'}},
}
