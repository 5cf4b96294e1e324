"""Recurrences, poolings and losses, computed on GPUs and CPUs.

CUDA kernels process CuPy arrays (:mod:`qrnn.kernels.cuda`), and loops compiled
by Numba process NumPy arrays (:mod:`qrnn.kernels.cpu`). In both backends, the
backward pass of a pooling recomputes the gates, so the forward pass does not
store them. The state that a recurrence carries from step to step is float32 or
wider. Both backends use the same random number generator for zoneout and
dropout, so a seed gives the same mask on every device. Results do not depend
on the number of threads.
"""
from qrnn.kernels.attention import attention_weights  # NOQA
from qrnn.kernels.attention import attention_weights_backward  # NOQA
from qrnn.kernels.attention import clear_padding  # NOQA
from qrnn.kernels.masks import dropout  # NOQA
from qrnn.kernels.masks import zoneout_mask  # NOQA
from qrnn.kernels.philox import expected_ratio  # NOQA
from qrnn.kernels.products import linear  # NOQA
from qrnn.kernels.recurrence import lstm_backward  # NOQA
from qrnn.kernels.recurrence import lstm_forward  # NOQA
from qrnn.kernels.recurrence import pooling_backward  # NOQA
from qrnn.kernels.recurrence import pooling_forward  # NOQA
from qrnn.kernels.recurrence import step_forward  # NOQA
from qrnn.kernels.recurrence import strnn_backward  # NOQA
from qrnn.kernels.recurrence import strnn_forward  # NOQA
from qrnn.kernels.softmax import mean_loss  # NOQA
from qrnn.kernels.softmax import softmax_cross_entropy  # NOQA
from qrnn.kernels.windows import fold  # NOQA
from qrnn.kernels.windows import last_steps  # NOQA
from qrnn.kernels.windows import unfold  # NOQA
