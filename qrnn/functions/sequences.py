import math

import numpy

import chainer
from chainer import backend
import chainer.functions as F
from chainer.utils import type_check

from qrnn.functions.last_steps import last_steps
from qrnn.functions.lengths import as_lengths
from qrnn.functions.node import Node
from qrnn.types import Input
from qrnn.types import Lengths


def reverse_sequences(
        x: Input, lengths: Lengths | None = None) -> chainer.Variable:
    """Reverse each sequence of a padded batch within its own length.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Sequences,
            ``(B, T, ...)``.
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence, ``(B,)``. All sequences have T steps if omitted.

    Returns:
        ~chainer.Variable: Reversed sequences, ``(B, T, ...)``. The padding
        stays at the end.

    Raises:
        ValueError: If ``lengths`` is invalid for the batch.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import reverse_sequences
        >>> x = np.array([[1, 2, 3], [4, 5, 0]], np.float32)
        >>> reverse_sequences(x, [3, 2]).array
        array([[3., 2., 1.],
               [5., 4., 0.]], dtype=float32)

    """
    if lengths is None:
        return chainer.as_variable(x)[:, ::-1]
    return _ReverseSequences(lengths).apply((x,))[0]


def last_valid_step(
        x: Input, lengths: Lengths | None = None,
        default: Input | None = None) -> chainer.Variable:
    """Return the last valid step of each sequence of a padded batch.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Sequences, such as
            the outputs of a layer, ``(B, T, m)``.
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence, ``(B,)``. All sequences have T steps if omitted.
        default (:class:`~chainer.Variable` or :ref:`ndarray`): Result for
            sequences without steps, ``(B, m)``. Zeros if omitted.

    Returns:
        ~chainer.Variable: A copy of the last valid steps, ``(B, m)``.

    Raises:
        ValueError: If ``lengths`` is invalid for the batch.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import last_valid_step
        >>> x = np.array([[[1], [2], [3]], [[4], [0], [0]]], np.float32)
        >>> last_valid_step(x, [3, 1]).array.ravel()
        array([3., 4.], dtype=float32)

    """
    x = chainer.as_variable(x)
    B, T = x.shape[:2]
    if default is not None:
        default = F.reshape(default, (B, 1, -1)) if B else None
    last = last_steps(F.reshape(x, (B, T, math.prod(x.shape[2:]))), 1,
                      default, lengths)
    return F.reshape(last, (B, *x.shape[2:]))


def unpad_sequence(
        x: Input, lengths: Lengths) -> tuple[chainer.Variable, ...]:
    """Split a padded batch into a tuple of sequences.

    This function is the inverse of :func:`chainer.functions.pad_sequence`.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Sequences,
            ``(B, T, ...)``.
        lengths (sequence of int): Number of steps of each sequence, ``(B,)``.

    Returns:
        tuple of ~chainer.Variable: Sequences, ``(L_i, ...)``, where L_i is the
        number of steps of sequence i.

    Raises:
        ValueError: If ``lengths`` is invalid for the batch.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.functions import unpad_sequence
        >>> x = np.array([[1, 2, 3], [4, 5, 0]], np.float32)
        >>> [y.shape for y in unpad_sequence(x, [3, 2])]
        [(3,), (2,)]

    """
    return _UnpadSequence(lengths).apply((x,))


def take_rows(x, indices):
    """Copy the rows with the given indices from a Variable."""
    return _TakeRows(indices).apply((x,))[0]


class _TakeRows(Node):

    def __init__(self, indices):
        self.indices = indices

    def forward(self, inputs):
        x, = inputs
        self.shape = x.shape
        return x.take(self.indices, axis=0),

    def backward(self, indexes, grad_outputs):
        gy, = grad_outputs
        xp = backend.get_array_module(gy)
        with chainer.using_device(gy.device):
            zeros = xp.zeros(self.shape, gy.dtype)
        return F.scatter_add(zeros, self.indices, gy),


def repeat_rows(x, n):
    """Repeat each row of a Variable n times."""
    return _RepeatRows(n).apply((x,))[0]


class _RepeatRows(Node):

    def __init__(self, n):
        self.n = n

    def forward(self, inputs):
        x, = inputs
        return x.repeat(self.n, axis=0),

    def backward(self, indexes, grad_outputs):
        gy, = grad_outputs
        N, *shape = gy.shape
        return F.sum(
            F.reshape(gy, (N // self.n, self.n, *shape)), axis=1),


class _Node(Node):
    """Base class of functions that take a padded batch and its lengths."""

    def __init__(self, lengths):
        self.lengths = lengths

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('x',))
        type_check.expect(in_types[0].ndim >= 2)


class _ReverseSequences(_Node):

    def forward(self, inputs):
        x, = inputs
        xp = backend.get_array_module(x)
        lengths = as_lengths(self.lengths, *x.shape[:2])
        if xp is numpy:
            y = x.copy()
            for y_b, x_b, n in zip(y, x, lengths):
                y_b[:n] = x_b[:n][::-1]
            return y,
        step = xp.arange(x.shape[1])
        mirrored = xp.asarray(lengths)[:, None] - 1 - step
        return x[xp.arange(len(x))[:, None],
                 xp.where(mirrored >= 0, mirrored, step)],

    def backward(self, indexes, grad_outputs):
        return _ReverseSequences(self.lengths).apply(grad_outputs)


class _UnpadSequence(_Node):

    def forward(self, inputs):
        x, = inputs
        self.shape = x.shape
        as_lengths(self.lengths, *x.shape[:2])
        return tuple(x_b[:n].copy() for x_b, n in zip(x, self.lengths))

    def backward(self, indexes, grad_outputs):
        given = next(g for g in grad_outputs if g is not None)
        xp = backend.get_array_module(given)
        with chainer.using_device(given.device):
            grads = [
                xp.zeros((n,) + self.shape[2:], given.dtype) if g is None
                else g for g, n in zip(grad_outputs, self.lengths)]
            return F.pad_sequence(grads, length=self.shape[1]),
