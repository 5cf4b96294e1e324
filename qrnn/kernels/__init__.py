"""How the recurrence and the poolings are computed: CUDA kernels so far."""
from qrnn.kernels.philox import zoneout_mask  # NOQA
