"""CUDA kernels: recurrences, poolings and what goes with them, on CuPy arrays.

``strnn_forward``, ``strnn_backward``, ``pooling_forward`` and
``pooling_backward`` compute on a GPU what the functions of the same names in
:mod:`qrnn.functions` compute on any device; ``unfold`` and ``fold`` lay out
the convolution's windows, in a launch each; ``step_forward`` needs a product
and two launches; ``lstm_forward`` and ``lstm_backward`` need a product and a
launch for each step; ``dropout``, ``softmax_cross_entropy``, ``mean_loss``,
``attention_weights`` and ``attention_weights_backward`` a launch each. They
take and return CuPy arrays, launch on the current stream, never synchronise,
and, but for the products of the LSTM, give the same bits at every run.

How it is made
    A recurrence (``strnn.cu``, ``pooling_forward.cu``,
    ``pooling_backward.cu``) says what happens at one step; ``scan.cu`` runs it
    over time in one of three regimes; ``plans.py`` says which regime, on what
    grid, with which arguments; ``launch.py`` alone compiles and launches.

What it moves
    Bytes per element (b, t, c) in float32, half of them in float16; "least"
    reads every input and writes every output once. Counted from the source, in
    ``traffic.py``, and by the kernels themselves as they run on the host.

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

    With lengths, f- and if-pooling write outputs beside states, 4 bytes more.
    Where a gradient of the states arrives, backward reads it: 4 bytes more, 8
    in a chunked scan. Padding past a sequence's end is never read.

Limits
    Fewer than 2 ** 30 steps and 2 ** 31 bytes in a row (of gates times
    channels); offsets are of 64 bits. Where time is split, gates are
    multiplied with each other ahead of the carry: products of gates between -1
    and 1 only underflow, to 0, but such as exceed the dtype's range give
    infinities that a step-by-step recurrence may not have met.
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
    philox.zoneout_mask, xp=cupy)  # as the kernels draw it
