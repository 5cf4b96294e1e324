"""Weights of other QRNN implementations, in and out, without their packages.

===============================  ==========================================
:func:`load_state_dict`          weights of torchqrnn or fastai into a link
:func:`from_state_dict`          a link made of them
:func:`to_state_dict`            a link's weights, as theirs
:func:`load_chainer_core`        weights of the authors' published core
:func:`read_arrays`              arrays from ``.npz`` or ``.safetensors``
:func:`write_arrays`             and into them
===============================  ==========================================
"""

from qrnn.interop.arrays import read_arrays  # NOQA
from qrnn.interop.arrays import write_arrays  # NOQA
from qrnn.interop.chainer_core import load_chainer_core  # NOQA
from qrnn.interop.state_dict import from_state_dict  # NOQA
from qrnn.interop.state_dict import load_state_dict  # NOQA
from qrnn.interop.state_dict import to_state_dict  # NOQA
