"""Export of trained links to ONNX models, which run without Chainer.

:func:`export` converts a layer or a stack. To build a larger model that
contains a link, use :class:`Graph` and :func:`add_link`; to export a decoder,
use :func:`add_encoder`.

Chainer's own exporter, ``onnx_chainer``, cannot be used for three reasons. It
requires a version of onnx before 1.7, which no supported Python can install
(with newer versions it reports "ONNX is not installed"). It supports opsets up
to 11 only. It records the nodes of a single call, so the batch size and the
number of steps are fixed.
"""

from qrnn.onnx_export.graph import Graph  # NOQA
from qrnn.onnx_export.links import add_encoder  # NOQA
from qrnn.onnx_export.links import add_last_step  # NOQA
from qrnn.onnx_export.links import add_link  # NOQA
from qrnn.onnx_export.links import Encoded  # NOQA
from qrnn.onnx_export.links import export  # NOQA
