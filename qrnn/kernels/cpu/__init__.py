"""The kernels on NumPy arrays: loops compiled by Numba."""
from qrnn.kernels.cpu.attention import attention_weights  # NOQA
from qrnn.kernels.cpu.attention import attention_weights_backward  # NOQA
from qrnn.kernels.cpu.attention import clear_padding  # NOQA
from qrnn.kernels.cpu.philox import dropout  # NOQA
from qrnn.kernels.cpu.philox import zoneout_mask  # NOQA
from qrnn.kernels.cpu.recurrence import lstm_backward  # NOQA
from qrnn.kernels.cpu.recurrence import lstm_forward  # NOQA
from qrnn.kernels.cpu.recurrence import pooling_backward  # NOQA
from qrnn.kernels.cpu.recurrence import pooling_forward  # NOQA
from qrnn.kernels.cpu.recurrence import step_forward  # NOQA
from qrnn.kernels.cpu.recurrence import strnn_backward  # NOQA
from qrnn.kernels.cpu.recurrence import strnn_forward  # NOQA
from qrnn.kernels.cpu.softmax import mean_loss  # NOQA
from qrnn.kernels.cpu.softmax import softmax_cross_entropy  # NOQA
from qrnn.kernels.cpu.windows import fold  # NOQA
from qrnn.kernels.cpu.windows import last_steps  # NOQA
from qrnn.kernels.cpu.windows import unfold  # NOQA
