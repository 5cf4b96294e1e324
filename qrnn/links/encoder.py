from typing import NamedTuple

import chainer
from chainer import backend
import chainer.functions as F

from qrnn.functions.attention import attention_sum
from qrnn.types import NDArray


class Encoder(NamedTuple):
    """States of its encoder layer that a decoder layer holds.

    The decoder's batch may be larger by a factor: sequences that share a
    source, as the hypotheses of a beam search do, are neighbours in it.

    Attributes:
        h (~chainer.Variable): Outputs, ``(B, S, m)``, or the last one.
        last_h (~chainer.Variable): Output at the last valid step, ``(B, m)``.
        last_c (~chainer.Variable): State to start from, ``(B, m)``, or None.
        lengths (:ref:`ndarray`): Valid steps of every source, for attention,
            or None.
        bias (~chainer.Variable): Bias of every step's gates that depends on
            ``last_h``, ``(B, gates * m)``, or None.
    """

    h: chainer.Variable
    last_h: chainer.Variable
    last_c: chainer.Variable | None
    lengths: NDArray | None
    bias: chainer.Variable | None

    def n_sharing(self, batch_size):
        """Return how many sequences of a decoder's batch share a source."""
        n_sources = len(self.last_h)
        n = batch_size // n_sources if n_sources else 1
        if n == 0 or n * n_sources != batch_size:
            raise ValueError(
                f'the encoder read {n_sources} sequences, but x has '
                f'{batch_size}: it must have as many, or the same number for '
                'each')
        return n

    def repeat(self, part, batch_size):
        """Repeat rows of the encoder, one per sequence of a decoder's batch.
        """
        n = self.n_sharing(batch_size)
        return part if part is None or n == 1 else F.repeat(part, n, axis=0)

    def attend(self, query):
        """Return the context of a query, both ``(B', T, m)``."""
        # To attention, sequences that share a source are steps of one.
        n = self.n_sharing(len(query))
        steps = query.reshape(len(self.h), n * query.shape[1], query.shape[2])
        return attention_sum(self.h, steps, self.lengths).reshape(query.shape)

    def reorder(self, indices, batch_size):
        """Return the states that go with a reordered decoder's batch."""
        n = self.n_sharing(batch_size)
        if n > 1:
            xp = backend.get_array_module(self.h)
            indices = xp.asarray(indices[::n], 'i') // n
        return map_parts(lambda part: part[indices], self)


def map_parts(function, parts):
    """Apply a function to the parts of a named tuple that are not None."""
    if parts is None:
        return None
    return type(parts)(*(
        None if part is None else function(part) for part in parts))


def last_valid_step(states, lengths, default=None):
    """Return the state at each sequence's last step: (B, S, m) -> (B, m).

    Where there is no step it is ``default``, or 0 if that is omitted.
    """
    if states.ndim == 2:
        return states
    if lengths is None:
        return states[:, -1]
    xp = backend.get_array_module(states.array)
    B, S, m = states.shape
    if default is None:
        default = xp.zeros((B, m), states.dtype)
    if S == 0:
        return chainer.as_variable(default)
    last = xp.asarray(lengths) - 1
    h = states[xp.arange(B), last]
    return F.where(
        xp.broadcast_to((last >= 0)[:, None], h.shape), h, default)
