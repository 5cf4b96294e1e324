import numpy

import chainer
from chainer import backend
import chainer.functions as F


def valid_steps(lengths, x):
    """Return which steps of each sequence lie before its end, None for None.

    Args:
        lengths (sequence of int or :ref:`ndarray`): Number of steps of every
            sequence: ``B`` integers from 0 to ``T``, or booleans, where true
            means ``T`` and false 0. Integers on a GPU are not checked, because
            reading them would make the host wait.
        x (:ref:`ndarray`): The padded batch, ``(B, T, ...)``.

    Returns:
        :ref:`ndarray`: Booleans ``(B, T)`` on the device of ``x``.

    Raises:
        ValueError: If the lengths do not fit the batch.

    """
    if lengths is None:
        return None
    xp = backend.get_array_module(x)
    B, T = x.shape[:2]
    lengths = as_lengths(lengths, B, T)
    return xp.arange(T) < xp.asarray(lengths)[:, None]


def clear_padding(x, valid):
    """Return a padded batch, a Variable, with 0 at steps that are not valid.

    The values there may be anything, NaN included.
    """
    if valid is None:
        return x
    xp = backend.get_array_module(valid)
    return F.where(xp.broadcast_to(valid[:, :, None], x.shape), x,
                   xp.zeros_like(x.array))


def clear_padding_in_debug_mode(x, lengths):
    """Return a padded batch whose padding Chainer's debug mode accepts.

    Functions that keep or move the padding would make it raise, because it
    checks all their outputs for NaN. Without debug mode nothing is computed.
    """
    if not chainer.is_debug():
        return x
    return clear_padding(x, valid_steps(lengths, x.array))


def send_lengths(lengths, x):
    """Return the lengths of a padded batch on its device, None for None.

    Lengths that are there already are not copied, so that a caller of several
    functions sends them once.

    Args:
        lengths: As in :func:`valid_steps`.
        x (:class:`~chainer.Variable` or :ref:`ndarray`): The padded batch,
            ``(B, T, ...)``.

    Returns:
        :ref:`ndarray`: int32 of ``(B,)`` on the device of ``x``.

    Raises:
        ValueError: If the lengths do not fit the batch.

    """
    if lengths is None:
        return None
    return backend.get_array_module(x).asarray(
        as_lengths(lengths, *x.shape[:2]))


def as_lengths(lengths, B, T):
    """Return lengths as int32 of shape ``(B,)``, if they fit the batch.

    They stay on their device, and an array of that dtype is not copied. Of
    booleans, true means all ``T`` steps and false none.
    """
    xp = backend.get_array_module(lengths)
    lengths = xp.asarray(lengths)
    if lengths.shape != (B,) or (B > 0 and lengths.dtype.kind not in 'iub'):
        raise ValueError(
            f'lengths must be {B} integers, one for each sequence, but their '
            f'shape is {lengths.shape} and their dtype {lengths.dtype}')
    if lengths.dtype.kind == 'b':
        return lengths * numpy.int32(T)
    if xp is numpy and B > 0 and not (
            0 <= lengths.min() and lengths.max() <= T):
        raise ValueError(
            f'lengths must lie between 0 and the {T} steps of the batch, but '
            f'they range from {lengths.min()} to {lengths.max()}')
    return lengths.astype(numpy.int32, copy=False)
