import numpy

import chainer
from chainer import backend
import chainer.functions as F


def valid_steps(lengths, x):
    """Return a mask that is true for the valid steps of each sequence.

    Args:
        lengths (sequence of int or :ref:`ndarray`): Number of steps of each
            sequence: ``B`` integers from 0 to ``T``, or ``B`` booleans. True
            means ``T``, and false means 0. May be None. Integers on a GPU are
            not checked, because reading them would make the host wait.
        x (:ref:`ndarray`): Padded batch, ``(B, T, ...)``.

    Returns:
        :ref:`ndarray`: Booleans ``(B, T)`` on the device of ``x``, or None if
        ``lengths`` is None.

    Raises:
        ValueError: If the lengths are invalid for the batch.

    """
    if lengths is None:
        return None
    xp = backend.get_array_module(x)
    B, T = x.shape[:2]
    lengths = as_lengths(lengths, B, T)
    return xp.arange(T) < xp.asarray(lengths)[:, None]


def clear_padding(x, valid):
    """Set the padding of a batch to 0.

    Args:
        x (~chainer.Variable): Padded batch, ``(B, T, C)``. The padding may
            contain any values, including NaN.
        valid (:ref:`ndarray`): Mask from :func:`valid_steps`, or None.

    Returns:
        ~chainer.Variable: Batch with zeros at steps that are not valid.

    """
    if valid is None:
        return x
    xp = backend.get_array_module(valid)
    return F.where(xp.broadcast_to(valid[:, :, None], x.shape), x,
                   xp.zeros_like(x.array))


def clear_padding_in_debug_mode(x, lengths):
    """Set the padding of a batch to 0, but only in Chainer's debug mode.

    Debug mode checks the outputs of all functions for NaN. A function that
    copies NaN from the padding would therefore raise an exception.
    """
    if not chainer.is_debug():
        return x
    return clear_padding(x, valid_steps(lengths, x.array))


def send_lengths(lengths, x):
    """Send the lengths of a padded batch to the device of the batch.

    Lengths that are already int32 on the device are not copied. To avoid
    repeated transfers, pass the result of one call to several functions.

    Args:
        lengths: See :func:`valid_steps`.
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Padded batch,
            ``(B, T, ...)``.

    Returns:
        :ref:`ndarray`: int32 ``(B,)`` on the device of ``x``, or None if
        ``lengths`` is None.

    Raises:
        ValueError: If the lengths are invalid for the batch.

    """
    if lengths is None:
        return None
    return backend.get_array_module(x).asarray(
        as_lengths(lengths, *x.shape[:2]))


def as_lengths(lengths, B, T):
    """Check lengths, and convert them to int32 without changing the device.

    Args:
        lengths: See :func:`valid_steps`. An int32 array is not copied.
        B (int): Number of sequences.
        T (int): Number of steps of the batch.

    Returns:
        :ref:`ndarray`: int32 ``(B,)``.

    Raises:
        ValueError: If the lengths are invalid for the batch.

    """
    xp = backend.get_array_module(lengths)
    lengths = xp.asarray(lengths)
    if lengths.shape != (B,) or (B > 0 and lengths.dtype.kind not in 'iub'):
        raise ValueError(
            f'lengths must be {B} integers, one for each sequence, but they '
            f'have shape {lengths.shape} and dtype {lengths.dtype}')
    if lengths.dtype.kind == 'b':
        return lengths * numpy.int32(T)
    if xp is numpy and B > 0 and not (
            0 <= lengths.min() and lengths.max() <= T):
        raise ValueError(
            f'lengths must be between 0 and {T}, the number of steps of the '
            f'batch, but they range from {lengths.min()} to {lengths.max()}')
    return lengths.astype(numpy.int32, copy=False)
