from typing import NamedTuple

import chainer
from chainer import backend
import numpy

from qrnn.functions.attention import attention_sum
from qrnn.functions.sequences import repeat_rows
from qrnn.links.state import map_parts
from qrnn.types import NDArray


class Encoder(NamedTuple):
    """States of an encoder layer, stored by its decoder layer.

    A source is a sequence of the encoder. The decoder may have n sequences for
    each source, such as the hypotheses of a beam search. Decoder sequences
    that share a source are adjacent.

    Attributes:
        h (~chainer.Variable): All outputs, ``(B, S, m)``. None without
            attention.
        last_h (~chainer.Variable): Output at the last valid step, ``(B, m)``.
        last_c (~chainer.Variable): Pooled state or cell state from which the
            decoder starts, ``(B, m)``. None means zeros.
        lengths (:ref:`ndarray`): Number of valid steps of every source. None
            without attention, or if all steps are valid.
        bias (~chainer.Variable): Bias of the gates plus the projection of
            ``last_h``, ``(B, gates * m)``. None for an LSTM layer.
    """

    h: chainer.Variable | None
    last_h: chainer.Variable
    last_c: chainer.Variable | None
    lengths: NDArray | None
    bias: chainer.Variable | None

    def n_sharing(self, batch_size):
        """Return how many decoder sequences share each source."""
        n_sources = len(self.last_h)
        n = batch_size // n_sources if n_sources else 1
        if n == 0 or n * n_sources != batch_size:
            raise ValueError(
                f'the encoder has states of {n_sources} sequences, but x has '
                f'{batch_size}; it must have as many or a multiple of it')
        return n

    def repeat(self, part, batch_size):
        """Repeat the row of each source for each of its decoder sequences."""
        n = self.n_sharing(batch_size)
        return part if part is None or n == 1 else repeat_rows(part, n)

    def attend(self, query):
        """Return the attention sums for queries ``(B', T, m)`` or ``(B', m)``.

        B' is the number of sequences of the decoder.
        """
        return attention_sum(self.h, query, self.lengths)

    def reorder(self, indices, batch_size, selects_sources):
        """Return the encoder states for a selected or reordered batch.

        Args:
            indices (:ref:`ndarray`): For each sequence of the decoder's new
                batch, the index of its state in the old batch.
            batch_size (int): Size of the old batch.
            selects_sources (bool): If True, the sources are selected and
                reordered in the same way as the sequences of the decoder. If
                False, the sources do not change.

        """
        n = self.n_sharing(batch_size)
        xp = backend.get_array_module(indices)
        is_known = xp is numpy  # reading from a GPU would make the host wait
        sources = indices // n
        if not selects_sources:
            n = self.n_sharing(len(indices))
            if is_known and (sources != numpy.arange(len(sources)) // n).any():
                raise ValueError(
                    'with encoder=False each sequence must keep its source, '
                    f'but indices {indices} belong to other sources')
            return self
        if len(indices) % n:
            raise ValueError(
                f'{n} sequences share each source, so the number of indices '
                f'must be a multiple of {n}, but it is {len(indices)}')
        sources = sources.reshape(-1, n)
        if is_known and (sources != sources[:, :1]).any():
            raise ValueError(
                f'{n} adjacent sequences share each source, so their indices '
                f'must belong to one old source, but they are {indices}')
        rows = self.last_h.xp.asarray(sources[:, 0])
        return map_parts(lambda part: part[rows], self)
