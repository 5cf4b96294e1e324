"""Conversion of weights from and to other QRNN implementations.

The other implementations and their frameworks need not be installed.

==========================  =================================================
:func:`load_state_dict`     loads weights of torchqrnn or fastai into a link
:func:`from_state_dict`     creates a link from weights of torchqrnn or fastai
:func:`to_state_dict`       converts weights of a link to torchqrnn or fastai
:func:`load_chainer_core`   loads weights of the paper authors' Chainer code
:func:`read_arrays`         reads arrays from ``.npz`` or ``.safetensors``
:func:`write_arrays`        writes arrays to ``.npz`` or ``.safetensors``
==========================  =================================================
"""

from qrnn.interop.arrays import read_arrays  # NOQA
from qrnn.interop.arrays import write_arrays  # NOQA
from qrnn.interop.chainer_core import load_chainer_core  # NOQA
from qrnn.interop.state_dict import from_state_dict  # NOQA
from qrnn.interop.state_dict import load_state_dict  # NOQA
from qrnn.interop.state_dict import to_state_dict  # NOQA
