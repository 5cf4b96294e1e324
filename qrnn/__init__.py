"""Quasi-recurrent neural networks for Chainer."""

from qrnn import chainer_compat  # NOQA  imported first to patch Chainer

from qrnn.functions import attention_sum  # NOQA
from qrnn.functions import attention_sum_ref  # NOQA
from qrnn.functions import masked_convolution  # NOQA
from qrnn.functions import masked_convolution_ref  # NOQA
from qrnn.functions import qrnn_pooling  # NOQA
from qrnn.functions import qrnn_pooling_ref  # NOQA
from qrnn.functions import strnn  # NOQA
from qrnn.functions import strnn_ref  # NOQA
from qrnn.functions import STRNNFunction  # NOQA
from qrnn.functions import zoneout  # NOQA
from qrnn.functions import zoneout_ref  # NOQA
from qrnn.links import BiQRNNLayer  # NOQA
from qrnn.links import BiQRNNStack  # NOQA
from qrnn.links import LSTMLayer  # NOQA
from qrnn.links import LSTMStack  # NOQA
from qrnn.links import LSTMState  # NOQA
from qrnn.links import NStepBiQRNN  # NOQA
from qrnn.links import NStepQRNN  # NOQA
from qrnn.links import QRNN  # NOQA
from qrnn.links import QRNNLayer  # NOQA
from qrnn.links import QRNNStack  # NOQA
from qrnn.links import QRNNState  # NOQA
from qrnn.links import STRONGLY_TYPED  # NOQA


__version__ = '0.1.0'
