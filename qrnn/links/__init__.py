"""Layers with parameters."""

from qrnn.links.bi_qrnn_layer import BiQRNNLayer  # NOQA
from qrnn.links.bi_qrnn_layer import BiQRNNStack  # NOQA
from qrnn.links.lstm_layer import LSTMLayer  # NOQA
from qrnn.links.lstm_layer import LSTMState  # NOQA
from qrnn.links.n_step_qrnn import NStepBiQRNN  # NOQA
from qrnn.links.n_step_qrnn import NStepQRNN  # NOQA
from qrnn.links.qrnn import QRNN  # NOQA
from qrnn.links.qrnn_layer import QRNNLayer  # NOQA
from qrnn.links.qrnn_layer import QRNNState  # NOQA
from qrnn.links.stack import LSTMStack  # NOQA
from qrnn.links.stack import QRNNStack  # NOQA
from qrnn.links.strongly_typed import STRONGLY_TYPED  # NOQA
