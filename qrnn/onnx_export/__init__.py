"""Trained links as ONNX models, which run without Chainer.

:func:`export` writes a layer or a stack. A model around one is built with
:class:`Graph` and :func:`add_link`, a decoder with :func:`add_encoder`.

Chainer 7 has an exporter of its own, ``onnx_chainer``. It imports
``onnx.mapping``, which newer versions of onnx no longer have (it says "ONNX is
not installed", and asks for one before 1.7, which is older than every Python
that is supported here); it stops at opset 11; and it records the nodes of one
call, with that call's batch size and number of steps. A converter for the
pooling would fix none of these, so the links are translated here.
"""

from qrnn.onnx_export.graph import Graph  # NOQA
from qrnn.onnx_export.links import add_encoder  # NOQA
from qrnn.onnx_export.links import add_last_step  # NOQA
from qrnn.onnx_export.links import add_link  # NOQA
from qrnn.onnx_export.links import Encoded  # NOQA
from qrnn.onnx_export.links import export  # NOQA
