from typing import Any

import chainer
import chainer.functions as F
from chainer import link
import numpy

from qrnn.functions.lengths import send_lengths
from qrnn.functions.sequences import last_valid_step
from qrnn.functions.sequences import take_rows
from qrnn.links.encoder import Encoder
from qrnn.links.state import detached
from qrnn.links.state import map_parts
from qrnn.links.state import own
from qrnn.links.state import ValuesOnly
from qrnn.types import Input
from qrnn.types import Lengths
from qrnn.types import NDArray


class StatefulLayer(link.Chain):
    """Base class of layers that keep their state between calls.

    A decoder layer also keeps the states of its encoder layer.

    A subclass defines :attr:`state_type`, a named tuple of Variables whose
    first axis is the batch, and ``_state_shapes()``, which returns the shapes
    of the state's parts without the batch axis. A subclass that supports
    decoders also defines ``_initial_state(batch_size)``, and may override
    ``_encoder_size()`` and ``_encoder_bias(last_h)``.
    """

    state_type: Any = None

    def __init__(self, out_size: int, attention: bool, decoder: bool,
                 save_state: bool) -> None:
        super().__init__()
        self.out_size = out_size
        self.attention = attention
        self.decoder = decoder or attention
        self.save_state = save_state
        self.encoder: Encoder | None = None
        self._state: Any = None  # None, state_type or ValuesOnly

    @property
    def state(self) -> Any:
        """State after the previous call; None before the first call.

        The state is a named tuple of Variables whose first axis is the batch.
        After you set the state, the next step continues from it. With
        ``save_state=True``, the next sequences also continue from it. The
        arrays that you assign are copied.
        """
        state = self._state
        return state.get() if isinstance(state, ValuesOnly) else state

    @state.setter
    def state(self, state: Any) -> None:
        if state is not None:
            state = map_parts(
                lambda part: own(part, self.device), self.checked(state))
        self._state = state

    def start(self, ndim):
        """Return the state that a call continues from; None if there is none.

        ``ndim`` is the number of axes of the input of the call: 3 for
        sequences, 2 for one step.
        """
        if ndim == 3 and not self.save_state:
            return None
        if chainer.config.in_recomputing or chainer.config._will_recompute:
            raise RuntimeError(
                f'{type(self).__name__} cannot carry its state inside '
                'F.forget, which calls it twice; remove F.forget, or call '
                'the layer on whole sequences with save_state=False')
        return self.state

    def keep(self, state, ndim):
        """Store the new state at the end of a call.

        With ``save_state=False``, the state after a call on sequences does
        not keep the computational graph of the call alive.
        """
        if ndim == 3 and not self.save_state and any(
                part is not None and part.creator_node for part in state):
            state = ValuesOnly(state)
        self._state = state

    def reset_state(self, rows: NDArray | None = None) -> None:
        """Reset all or some sequences to the initial state.

        Args:
            rows (sequence of int or :ref:`ndarray`): Sequences to reset, as
                indices or as booleans ``(B,)``. If omitted, all sequences are
                reset, and the next call may have a different batch size.

        Raises:
            ValueError: If ``rows`` is invalid for the state.

        """
        state = self.state
        if rows is None or state is None:
            self._state = None
            return
        with chainer.using_device(self.device):
            self._state = self._with_rows_reset(state, rows)

    def _with_rows_reset(self, state, rows):
        xp, batch_size = self.xp, _batch_size(state)
        is_reset = xp.zeros(batch_size, bool)
        is_reset[xp.asarray(_row_numbers(rows, batch_size))] = True
        initial = (self._initial_state(batch_size) if self.decoder
                   else len(state) * (None,))
        return self.state_type(*(
            None if part is None else F.where(
                xp.broadcast_to(is_reset.reshape(
                    (-1,) + (1,) * (part.ndim - 1)), part.shape),
                xp.zeros_like(part.array) if start is None else start, part)
            for part, start in zip(state, initial)))

    def reorder_state(self, indices: NDArray, encoder: bool = True) -> None:
        """Select and reorder the sequences of the state.

        Args:
            indices (:ref:`ndarray` or list of int): For each sequence of the
                new batch, the index of the old sequence whose state it
                receives, ``(B',)``. Integers on a GPU are not checked, because
                reading them would make the host wait.
            encoder (bool): If True, a decoder layer also reorders the states
                of its encoder. If False, each sequence must receive a state
                that belongs to its own source.

        Raises:
            ValueError: If ``indices`` is invalid, or if decoder sequences that
                share a source would receive states that belong to different
                sources.

        """
        state, sources = self.state, self.encoder
        with chainer.using_device(self.device):
            if state is not None:
                batch_size = _batch_size(state)
            elif sources is not None:
                batch_size = len(sources.last_h)
            else:
                return
            numbers = _row_numbers(indices, batch_size)
            if sources is not None:
                sources = sources.reorder(numbers, batch_size, encoder)
            # The state is assigned after all checks, which may raise.
            numbers = self.xp.asarray(numbers)
            self._state = map_parts(
                lambda part: take_rows(part, numbers), state)
            self.encoder = sources

    def unchain_state(self) -> None:
        """Detach the state from its history (truncated backpropagation)."""
        self._state = map_parts(detached, self.state)

    def checked(self, state):
        """Check a given state, and return it as a named tuple of Variables."""
        names = self.state_type._fields
        if not isinstance(state, (tuple, list)) or len(state) != len(names):
            raise ValueError(
                f'the state must be a {self.state_type.__name__}'
                f'({", ".join(names)}), not an object of type '
                f'{type(state).__name__}')
        dtype = self._dtype()
        parts = []
        for name, part, shape in zip(names, state, self._state_shapes()):
            if part is None:
                parts.append(None)
                continue
            if part.ndim != 1 + len(shape) or any(
                    size not in (None, found)
                    for size, found in zip(shape, part.shape[1:])):
                expected = ', '.join(
                    'n' if size is None else str(size) for size in shape)
                raise ValueError(
                    f'the state {name} must be of shape (B, {expected}), but '
                    f'its shape is {part.shape}')
            if dtype is not None and part.dtype != dtype:
                raise ValueError(
                    f'the state {name} must be of dtype {dtype} as the '
                    f"layer's parameters, but its dtype is {part.dtype}")
            parts.append(chainer.as_variable(part))
        sizes = {len(part) for part in parts if part is not None}
        if len(sizes) > 1:
            raise ValueError(
                'the parts of the state must have the same number of '
                f'sequences, but they have {sorted(sizes)}')
        return self.state_type(*parts)

    def _dtype(self):
        """Return the dtype of the parameters, or None if it is unknown."""
        return next((param.dtype for param in self.params()
                     if param.array is not None), None)

    def init(self, encoder_c: Input | None = None,
             encoder_h: Input | None = None,
             lengths: Lengths | None = None) -> None:
        """Set the encoder states of a decoder layer, and reset its own state.

        Without arguments, the states of the encoder layer are removed. The
        decoder may have ``n`` times as many sequences as the encoder. Then the
        first ``n`` sequences share the first sequence of the encoder, and so
        on. This is useful for the hypotheses of a beam search.

        Args:
            encoder_c (~chainer.Variable): All pooled states of the encoder,
                ``(B, S, m)``, or the last state, ``(B, m)``. The recurrence
                starts from the last state, or from zero if ``encoder_c`` is
                omitted.
            encoder_h (~chainer.Variable): All outputs of the encoder,
                ``(B, S, m')``. The last output enters every step of a QRNN
                layer, and is the previous output of an LSTM layer's first
                step. Attention uses all outputs. Without attention, you can
                pass only the last output, ``(B, m')``. If ``encoder_h`` is
                omitted, ``encoder_c`` is used instead. With attention, the
                recurrence then starts from zero, as in the code published by
                the paper's authors.
            lengths (sequence of int or :ref:`ndarray`): Number of valid
                encoder steps of every sequence. If omitted and ``encoder_h``
                was returned by an encoder, the lengths that were passed to the
                encoder are used. Otherwise, all steps are valid.

        Raises:
            ValueError: If the layer is not a decoder layer, or if shapes or
                ``lengths`` are invalid. The layer is then unchanged.

        """
        encoder = None
        if encoder_c is not None or encoder_h is not None:
            encoder = self._encoder(encoder_c, encoder_h, lengths)
        self._state, self.encoder = None, encoder

    def _encoder(self, encoder_c, encoder_h, lengths):
        if not self.decoder:
            raise ValueError(
                'only a decoder layer accepts the states of an encoder; '
                'create it with decoder=True or attention=True')
        if encoder_h is None:
            encoder_h = encoder_c
            if self.attention:
                encoder_c = None
        h = chainer.as_variable(encoder_h)
        if self.attention and h.ndim != 3:
            raise ValueError(
                'attention requires all encoder steps, (B, S, m), but '
                f'encoder_h is of shape {h.shape}')
        self._check_encoder('encoder_h', h, self._encoder_size())
        if encoder_c is not None:
            self._check_encoder('encoder_c', encoder_c, self.out_size)
        with chainer.using_device(self.device):
            if h.ndim == 3:
                if lengths is None:
                    lengths = getattr(encoder_h, 'lengths', None)
                lengths = send_lengths(lengths, h)
            last_h = self._last(h, lengths)
            last_c = None if encoder_c is None else self._last(
                chainer.as_variable(encoder_c), lengths)
            if not self.attention:
                h = lengths = None
            elif h.creator_node is None:
                h = own(h, self.device)
            return Encoder(
                h, last_h, last_c, lengths, self._encoder_bias(last_h))

    def _last(self, states, lengths):
        if states.ndim == 2:
            return own(states, self.device)
        return last_valid_step(states, lengths)

    def _check_encoder(self, name, states, size):
        if states.ndim not in (2, 3) or states.shape[-1] != size:
            raise ValueError(
                f'{name} must be of shape (B, S, {size}) or (B, {size}) for '
                f'{self}, but its shape is {states.shape}')

    def _encoder_size(self):
        return self.out_size

    def _encoder_bias(self, last_h):
        return None

    def device_resident_accept(self, visitor):
        super().device_resident_accept(visitor)
        self._state = map_parts(
            lambda part: chainer.Variable(
                visitor.visit_array(part.array), requires_grad=False),
            self.state)
        if self.encoder is None:
            return
        for part in self.encoder:
            if isinstance(part, chainer.Variable):
                visitor.visit_variable(part)
        if self.encoder.lengths is not None:
            self.encoder = self.encoder._replace(
                lengths=visitor.visit_array(self.encoder.lengths))


def _batch_size(state):
    return next(part.shape[0] for part in state if part is not None)


def _row_numbers(rows, batch_size):
    """Return the indices of selected rows; check their range on a CPU."""
    xp = chainer.backend.get_array_module(rows)
    rows = xp.asarray(rows)
    if rows.ndim == 1 and rows.dtype == bool and len(rows) == batch_size:
        return xp.flatnonzero(rows)
    if rows.ndim != 1 or rows.size and rows.dtype.kind not in 'iu':
        raise ValueError(
            f'rows of the state must be given as integers, or as {batch_size} '
            f'booleans, not as an array of shape {rows.shape} and dtype '
            f'{rows.dtype}')
    rows = rows.astype(int, copy=False)
    if xp is numpy and rows.size and not (
            0 <= rows.min() and rows.max() < batch_size):
        raise ValueError(
            f'the state has rows 0 to {batch_size - 1}, but the given ones '
            f'range from {rows.min()} to {rows.max()}')
    return rows
