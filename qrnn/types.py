"""The types in the signatures of the functions and links."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import chainer
from chainer.backends import cuda
import numpy


#: An array, NumPy's or CuPy's.
NDArray: TypeAlias = numpy.ndarray | cuda.ndarray

#: Input of a differentiable function.
Input: TypeAlias = chainer.Variable | NDArray

#: Named arrays.
Arrays: TypeAlias = Mapping[str, numpy.ndarray]

#: Number of steps of every sequence of a batch.
Lengths: TypeAlias = Sequence[int] | NDArray

#: Name of a pooling, its gates.
Pooling: TypeAlias = Literal['f', 'fo', 'if', 'ifo']

#: The activation of some of the gates z, o and i, by name.
Activations: TypeAlias = Mapping[str, str]

#: Initializer. Chainer's own alias leaves out float.
Initializer: TypeAlias = Any

#: A number for every layer, or one for each.
PerLayer: TypeAlias = int | Sequence[int]
