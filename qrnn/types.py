"""Type aliases for the signatures of functions and links."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import chainer
from chainer.backends import cuda
import numpy


#: A NumPy or CuPy array.
NDArray: TypeAlias = numpy.ndarray | cuda.ndarray

#: Input of a differentiable function.
Input: TypeAlias = chainer.Variable | NDArray

#: Mapping from names to arrays.
Arrays: TypeAlias = Mapping[str, numpy.ndarray]

#: Number of steps of each sequence of a batch.
Lengths: TypeAlias = Sequence[int] | NDArray

#: Name of a pooling.
Pooling: TypeAlias = Literal['f', 'fo', 'if', 'ifo']

#: Mapping from some of the gates z, o and i to their activations.
Activations: TypeAlias = Mapping[str, str]

#: Initializer of a parameter. Chainer's own alias does not allow a float.
Initializer: TypeAlias = Any

#: One number for all layers, or a sequence with one number per layer.
PerLayer: TypeAlias = int | Sequence[int]
