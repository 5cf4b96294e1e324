"""CUDA kernels."""
from qrnn.kernels.launch import cuda  # NOQA
from qrnn.kernels.launch import take  # NOQA
from qrnn.kernels.philox import zoneout_mask  # NOQA
from qrnn.kernels.pooling import pooling_backward  # NOQA
from qrnn.kernels.pooling import pooling_forward  # NOQA
from qrnn.kernels.strnn import strnn_backward  # NOQA
from qrnn.kernels.strnn import strnn_forward  # NOQA
