from typing import Any


#: Dict that maps names of strongly-typed RNNs to arguments of
#: :class:`~qrnn.QRNNLayer`.
#:
#: The equations are
#:
#: ============  =================================  =============
#: name          state                              output
#: ============  =================================  =============
#: ``'T-RNN'``   c_t = f_t c_{t-1} + (1 - f_t) z_t  h_t = c_t
#: ``'T-GRU'``   c_t = f_t c_{t-1} + i_t z_t        h_t = c_t
#: ``'T-LSTM'``  c_t = f_t c_{t-1} + (1 - f_t) z_t  h_t = o_t c_t
#: ============  =================================  =============
#:
#: where f has the activation sigmoid, z has no activation, and i and o have
#: the activation tanh. All gates depend on the current input. In T-GRU and
#: T-LSTM, they also depend on the previous input. The equations are from
#: `Strongly-Typed Recurrent Neural Networks
#: <https://arxiv.org/abs/1602.02218>`_. They correspond to if-pooling (T-GRU)
#: and fo-pooling (T-LSTM). The QRNN paper states fo-pooling (T-GRU) and
#: ifo-pooling (T-LSTM) instead.
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
