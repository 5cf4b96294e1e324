import numpy

from chainer import backend


def valid_steps(lengths, x):
    """Tells which steps of each sequence lie before its end.

    Args:
        lengths: Number of steps of every sequence: ``B`` integers from 0 to
            ``T``, as a list or an array. Values in an array on a GPU are
            trusted: looking at them would make the host wait.
        x (:ref:`ndarray`): The padded batch, ``(B, T, ...)``.

    Returns:
        Booleans ``(B, T)`` on the device of ``x``.

    Raises:
        ValueError: If the lengths do not fit the batch.

    """
    xp = backend.get_array_module(x)
    B, T = x.shape[:2]
    lengths = as_lengths(lengths, B, T)
    return xp.arange(T) < xp.asarray(lengths)[:, None]


def as_lengths(lengths, B, T):
    """Checks lengths and returns them as int32 of shape ``(B,)``.

    They stay on their device, and an array of that dtype is not copied.
    """
    xp = backend.get_array_module(lengths)
    lengths = xp.asarray(lengths)
    if lengths.shape != (B,) or (B > 0 and lengths.dtype.kind not in 'iu'):
        raise ValueError(
            'lengths must be {} integers, one per sequence, but it has shape '
            '{} and dtype {}'.format(B, lengths.shape, lengths.dtype))
    if xp is numpy and B > 0 and not (
            0 <= lengths.min() and lengths.max() <= T):
        raise ValueError(
            'lengths must lie between 0 and the {} steps of the batch, but '
            'they range from {} to {}'.format(
                T, lengths.min(), lengths.max()))
    return lengths.astype(numpy.int32, copy=False)
