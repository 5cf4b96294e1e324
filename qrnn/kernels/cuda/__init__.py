"""CUDA kernels of the functions in :mod:`qrnn.kernels`, for CuPy arrays.

The kernels run on the current stream and never synchronise. Their results are
bit-identical in every run, except for the matrix products of ``lstm_*``,
``step_forward`` and ``linear``, which cuBLAS computes. For each step,
``lstm_*`` use a matrix product and a launch. ``step_forward`` uses a matrix
product and two launches. ``zoneout_mask`` consists of CuPy operations. The
launches of ``strnn_*`` and ``pooling_*`` are described below. Every other
function is a single launch.

Structure
    ``strnn.cu``, ``pooling_forward.cu`` and ``pooling_backward.cu`` define one
    step of a recurrence. ``scan.cu`` runs it over time in one of three
    regimes. ``plans.py`` selects the regime, the grid and the arguments.
    ``launch.py`` is the only module that compiles and launches.

Memory traffic
    The table lists bytes per element (b, t, c) in float32; float16 needs half
    as many. "least" is the traffic of reading every input and writing every
    output once. ``traffic.py`` derives the numbers from the source. The tests
    run the kernels on the host and compare the bytes that they access.

    =====================  =====  ==============  ================
    operation              least  ``sequential``  ``chunked_scan``
                                  ``block_scan``
    =====================  =====  ==============  ================
    ``strnn_forward``         12              12               20
    ``strnn_backward``        20              20               28
    ``pooling_forward``
    - f                       12              12               20
    - fo                      20              20               28
    - if                      16              16               28
    - ifo                     24              24               36
    ``pooling_backward``
    - f                       24              24               32
    - fo                      32              32               44
    - if                      32              32               40
    - ifo                     40              40               52
    =====================  =====  ==============  ================

    With lengths, f- and if-pooling write outputs in addition to states: 4 more
    bytes. If the states have a gradient, backward reads it: 4 more bytes, or 8
    in a chunked scan. Pre-activations past the end of a sequence are never
    read.

Limits
    A sequence must have fewer than 2 ** 30 steps. A row (gates times channels)
    must have fewer than 2 ** 31 bytes. Offsets have 64 bits. If the time axis
    is split, the gates of each part are multiplied together before the state
    from the previous part is applied. The product of gates between -1 and 1
    can only underflow to 0. The product of larger gates may overflow to
    infinity even if a step-by-step recurrence would not.
"""
import functools

from chainer.backends.cuda import cupy

from qrnn.kernels import philox
from qrnn.kernels.cuda.attention import attention_weights  # NOQA
from qrnn.kernels.cuda.attention import attention_weights_backward  # NOQA
from qrnn.kernels.cuda.attention import clear_padding  # NOQA
from qrnn.kernels.cuda.dropout import dropout  # NOQA
from qrnn.kernels.cuda.launch import device  # NOQA
from qrnn.kernels.cuda.launch import POOLINGS  # NOQA
from qrnn.kernels.cuda.lstm import lstm_backward  # NOQA
from qrnn.kernels.cuda.lstm import lstm_forward  # NOQA
from qrnn.kernels.cuda.pooling import pooling_backward  # NOQA
from qrnn.kernels.cuda.pooling import pooling_forward  # NOQA
from qrnn.kernels.cuda.products import linear  # NOQA
from qrnn.kernels.cuda.softmax import mean_loss  # NOQA
from qrnn.kernels.cuda.softmax import softmax_cross_entropy  # NOQA
from qrnn.kernels.cuda.step import step_forward  # NOQA
from qrnn.kernels.cuda.strnn import strnn_backward  # NOQA
from qrnn.kernels.cuda.strnn import strnn_forward  # NOQA
from qrnn.kernels.cuda.windows import fold  # NOQA
from qrnn.kernels.cuda.windows import last_steps  # NOQA
from qrnn.kernels.cuda.windows import unfold  # NOQA

zoneout_mask = functools.partial(
    philox.zoneout_mask, xp=cupy)  # gives the same mask as the kernels
