"""Differentiable functions without parameters."""

from qrnn.functions.attention import attention_sum  # NOQA
from qrnn.functions.attention import attention_sum_ref  # NOQA
from qrnn.functions.dropout import dropout  # NOQA
from qrnn.functions.last_steps import last_steps  # NOQA
from qrnn.functions.linear_softmax_cross_entropy import (  # NOQA
    linear_softmax_cross_entropy)
from qrnn.functions.linear_softmax_cross_entropy import (  # NOQA
    linear_softmax_cross_entropy_ref)
from qrnn.functions.linear import linear  # NOQA
from qrnn.functions.lstm import lstm  # NOQA
from qrnn.functions.lstm import lstm_ref  # NOQA
from qrnn.functions.lstm_step import lstm_step  # NOQA
from qrnn.functions.lstm_step import lstm_step_ref  # NOQA
from qrnn.functions.masked_convolution import masked_convolution  # NOQA
from qrnn.functions.masked_convolution import masked_convolution_ref  # NOQA
from qrnn.functions.masked_convolution import streaming_convolution  # NOQA
from qrnn.functions.pooling import qrnn_pooling  # NOQA
from qrnn.functions.pooling import qrnn_pooling_ref  # NOQA
from qrnn.functions.qrnn_step import qrnn_step  # NOQA
from qrnn.functions.qrnn_step import qrnn_step_ref  # NOQA
from qrnn.functions.sequences import last_valid_step  # NOQA
from qrnn.functions.sequences import reverse_sequences  # NOQA
from qrnn.functions.sequences import unpad_sequence  # NOQA
from qrnn.functions.strnn import strnn  # NOQA
from qrnn.functions.strnn import strnn_ref  # NOQA
from qrnn.functions.strnn import STRNNFunction  # NOQA
from qrnn.functions.zoneout import zoneout  # NOQA
from qrnn.functions.zoneout import zoneout_ref  # NOQA
