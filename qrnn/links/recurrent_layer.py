from typing import Any
from typing import NamedTuple

import numpy

import chainer
from chainer import backend
import chainer.functions as F
from chainer import link

from qrnn.functions.attention import attention_sum
from qrnn.functions.float16 import apply_matmul
from qrnn.functions.lengths import send_lengths
from qrnn.types import Input
from qrnn.types import Lengths
from qrnn.types import NDArray


class Encoder(NamedTuple):
    """What a decoder layer keeps of its encoder layer.

    Attributes:
        h (~chainer.Variable): Outputs, ``(B, S, m)``, or the last one.
        last_h (~chainer.Variable): Output at the last valid step, ``(B, m)``.
        last_c (~chainer.Variable): State to start from, ``(B, m)``, or None.
        lengths (:ref:`ndarray`): Valid steps of every sequence, or None.
        bias (~chainer.Variable): What ``last_h`` adds to every step's gates,
            ``(B, gates * m)``, in layers that it enters so.
    """

    h: chainer.Variable
    last_h: chainer.Variable
    last_c: chainer.Variable | None
    lengths: NDArray | None
    bias: chainer.Variable | None


class RecurrentLayer(link.Chain):
    """What QRNN and LSTM layers share: calls, state and encoder.

    A subclass defines :attr:`state_type`, a named tuple of arrays with the
    batch first; ``_advance(x, lengths)``, which runs sequences from
    ``self._state`` on, sets it and returns the outputs; and, for decoders,
    ``_initial_state(batch_size)``.
    """

    state_type: Any = None

    def __init__(self, in_size: int | None, out_size: int, attention: bool,
                 decoder: bool, save_state: bool) -> None:
        super(RecurrentLayer, self).__init__()
        self.in_size = in_size
        self.out_size = out_size
        self.attention = attention
        self.decoder = decoder or attention
        self.save_state = save_state
        self.encoder: Encoder | None = None
        self._carried: Any = None  # the state, or a function that makes it

    def forward(self, x: Input,
                lengths: Lengths | None = None) -> chainer.Variable:
        """Applies the layer to a batch of sequences, or to one step.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`): ``(B, T, n)``
                for sequences. They start from the initial state, or, with
                ``save_state=True``, from where the last call ended.
                ``(B, n)`` for one step, which always goes on from where the
                last call ended.
            lengths: Number of steps of every sequence, ``(B,)``. Past the end
                the state holds and outputs are 0.

        Returns:
            ~chainer.Variable: ``(B, T, m)``, or ``(B, m)`` for one step.

        Raises:
            ValueError: If ``x`` does not fit the layer, or its batch size the
                state or the encoder.
            RuntimeError: If it is called inside ``chainer.static_graph``,
                which replays what the first call did, state and all.

        """
        if chainer.config.schedule_func is not None:
            raise RuntimeError(
                f'{type(self).__name__} cannot run inside '
                'chainer.static_graph, which would replay the first call: '
                'leave out the decorator, or set '
                'chainer.config.use_static_graph = False')
        x = chainer.as_variable(x)
        if x.ndim not in (2, 3) or (
                self.in_size is not None and x.shape[-1] != self.in_size):
            raise ValueError(
                'x must be of shape (B, T, {0}), or (B, {0}) for one step, '
                'but its shape is {1}'.format(
                    'n' if self.in_size is None else self.in_size, x.shape))
        if x.ndim == 2:
            if lengths is not None:
                raise ValueError('a single step, (B, n), takes no lengths')
            return self._run(F.expand_dims(x, 1), None)[:, 0]
        if not self.save_state:
            self._state = None
        return self._run(x, lengths)

    def _run(self, x, lengths):
        # Not all that it makes is made inside a node, which sees to that.
        with chainer.using_device(self.device):
            return self._run_here(x, send_lengths(lengths, x))

    def _run_here(self, x, lengths):
        if self.decoder:
            if self.encoder is None:
                raise ValueError(
                    'this is a decoder layer: give it the states of its '
                    'encoder layer by init(encoder_h=...) before calling it')
            self._sequences_per_source(len(x))  # fits, or raises
            if self._state is None:
                self._state = self._initial_state(len(x))
        for part in self._state or ():
            if part is not None and len(part) != len(x):
                raise ValueError(
                    'the layer holds the state of {} sequences, but x has {}: '
                    'call reset_state() before starting with others'.format(
                        len(part), len(x)))
        return self._advance(x, lengths)

    # State

    @property
    def _state(self):
        if callable(self._carried):
            self._carried = self._carried()
        return self._carried

    @_state.setter
    def _state(self, state):
        self._carried = state

    @property
    def state(self) -> Any:
        """What the layer needs to go on: None before the first call.

        A named tuple of Variables with the batch as their first axis. Setting
        it makes the next step (and, with ``save_state=True``, the next
        sequence) go on from there.
        """
        return self._state

    @state.setter
    def state(self, state: Any) -> None:
        if state is not None:
            state = self.state_type(*(
                None if part is None else chainer.as_variable(part)
                for part in state))
            for part in state:
                if part is not None:
                    part.to_device(self.device)
        self._state = state

    def reset_state(self) -> None:
        """Forgets the state: the next call starts from the initial one."""
        self._state = None

    def reorder_state(self, indices: NDArray, encoder: bool = True) -> None:
        """Takes the state of other sequences of the batch (beam search).

        Args:
            indices (:ref:`ndarray`): For every sequence of the new batch, the
                one of the old batch that it goes on from.
            encoder (bool): Whether a decoder layer takes its encoder's states
                along. It need not where hypotheses stay in their sentence.
                Where several share a sentence, those of a new sentence must
                all go on from one old sentence.

        """
        with chainer.using_device(self.device):
            if encoder and self.encoder is not None:
                sources = indices
                if self._state is not None:
                    n = self._sequences_per_source(len(self._state.c))
                    if n > 1:
                        sources = self.xp.asarray(indices[::n], 'i') // n
                self.encoder = _map(
                    lambda part: _take(part, sources), self.encoder)
            self._state = _map(
                lambda part: _take(part, indices), self._state)

    def unchain_state(self) -> None:
        """Cuts the state off its history (truncated backpropagation)."""
        self._state = _map(
            lambda part: chainer.Variable(part.array.copy()), self._state)

    # Encoder

    def init(self, encoder_c: Input | None = None,
             encoder_h: Input | None = None,
             lengths: Lengths | None = None) -> None:
        """Gives the layer the states of its encoder layer; clears its own.

        Without arguments it clears both. The layer then takes as many
        sequences as the encoder read, or the same number for each: the first
        ``n`` share the encoder's first one, and so on, as the hypotheses of a
        beam search do.

        Args:
            encoder_c (~chainer.Variable): The encoder's pooled states,
                ``(B, S, m)`` or the last one, ``(B, m)``, if the recurrence
                is to start from the last one instead of zero.
            encoder_h (~chainer.Variable): The encoder's outputs,
                ``(B, S, m')``: the last one enters every step of a decoder
                layer, and attention ranges over all. Without attention
                ``(B, m')``, the last one, will do. If omitted, ``encoder_c``
                stands for it, and with attention the recurrence then starts
                from zero, as in the authors' published core.
            lengths: Number of valid encoder steps of every sequence.

        Raises:
            ValueError: If the layer is no decoder, or shapes do not fit.

        """
        self._state = self.encoder = None
        if encoder_c is None and encoder_h is None:
            return
        if not self.decoder:
            raise ValueError(
                'only a decoder layer takes the states of an encoder: create '
                'it with decoder=True or attention=True')
        if encoder_h is None:
            encoder_h = encoder_c
            if self.attention:
                encoder_c = None
        h = chainer.as_variable(encoder_h)
        if self.attention and h.ndim != 3:
            raise ValueError(
                'attention ranges over all encoder steps, (B, S, m), but '
                'encoder_h is of shape {}'.format(h.shape))
        with chainer.using_device(self.device):
            if h.ndim == 3:
                lengths = send_lengths(lengths, h)
            last_h = last_valid_step(h, lengths)
            last_c = None if encoder_c is None else last_valid_step(
                chainer.as_variable(encoder_c), lengths)
            self.encoder = Encoder(
                h, last_h, last_c, lengths, self._encoder_bias(last_h))

    def _encoder_bias(self, last_h):
        return None

    def _sequences_per_source(self, batch_size):
        n_sources = len(self.encoder.last_h)
        n = batch_size // n_sources if n_sources else 1
        if n == 0 or n * n_sources != batch_size:
            raise ValueError(
                'the encoder read {} sequences, but x has {}: it must have as '
                'many, or the same number for each'.format(
                    n_sources, batch_size))
        return n

    def _of_source(self, part, batch_size):
        """What the encoder has, ``(B', ...)``, for each sequence of a batch.

        Those that share a source stand together.
        """
        n = self._sequences_per_source(batch_size)
        return part if n == 1 else F.repeat(part, n, axis=0)

    def _context(self, query):
        """Attends to the encoder's states: (B, T, m) -> (B, T, m)."""
        # To attention, those that share a source are steps of one sequence.
        encoder, shape = self.encoder, query.shape
        n = self._sequences_per_source(len(query))
        query = query.reshape(len(encoder.h), n * shape[1], shape[2])
        return attention_sum(
            encoder.h, query, encoder.lengths).reshape(shape)

    def device_resident_accept(self, visitor):
        super(RecurrentLayer, self).device_resident_accept(visitor)
        for part in tuple(self._state or ()) + tuple(self.encoder or ()):
            if isinstance(part, chainer.Variable):
                visitor.visit_variable(part)
        if self.encoder is not None and self.encoder.lengths is not None:
            self.encoder = self.encoder._replace(
                lengths=visitor.visit_array(self.encoder.lengths))


def last_valid_step(states, lengths, without=None):
    """The state at each sequence's last step: (B, S, m) -> (B, m).

    Where there is no step it is ``without``, by default 0.
    """
    if states.ndim == 2:
        return states
    if lengths is None:
        return states[:, -1]
    xp = backend.get_array_module(states.array)
    B, S, m = states.shape
    if without is None:
        without = xp.zeros((B, m), states.dtype)
    if S == 0:
        return chainer.as_variable(without)
    last = xp.asarray(lengths) - 1
    h = states[xp.arange(B), last]
    return F.where(
        xp.broadcast_to((last >= 0)[:, None], h.shape), h, without)


def apply_to_steps(linear, x):
    """Applies a linear link to every step: (B, T, n) -> (B, T, m)."""
    B, T, n = x.shape
    # Given n_batch_axes, Chainer fails where there is no step.
    y = apply_matmul(F.linear, F.reshape(x, (B * T, n)), linear.W, linear.b)
    return F.reshape(y, (B, T, y.shape[1]))


def _take(part, indices):
    """The rows of an array or a Variable."""
    xp = backend.get_array_module(indices)
    if xp is not numpy and isinstance(part, numpy.ndarray):
        part = xp.asarray(part)  # lengths: to fetch the indices would wait
    return part[indices]


def _map(function, parts):
    """Applies a function to the parts of a named tuple that are there."""
    if parts is None:
        return None
    return type(parts)(*(
        None if part is None else function(part) for part in parts))
