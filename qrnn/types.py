"""The types in the signatures of the functions and links."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Literal
from typing import TypeAlias

import chainer
from chainer.backends import cuda
import numpy


#: An array, NumPy's or CuPy's.
NDArray: TypeAlias = numpy.ndarray | cuda.ndarray

#: What a differentiable function takes.
Input: TypeAlias = chainer.Variable | NDArray

#: Named arrays.
Arrays: TypeAlias = Mapping[str, numpy.ndarray]

#: Number of steps of every sequence of a batch.
Lengths: TypeAlias = Sequence[int] | NDArray

#: The gates that a pooling has.
Pooling: TypeAlias = Literal['f', 'fo', 'if', 'ifo']

#: The activation of some of the gates z, o and i, by name.
Activations: TypeAlias = Mapping[str, str]

#: What Chainer takes for an initializer. Its own alias has no room for a
#: float.
Initializer: TypeAlias = Any

#: A number for every layer, or one for each.
PerLayer: TypeAlias = int | Sequence[int]
