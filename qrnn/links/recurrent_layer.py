from typing import Any

import chainer
import chainer.functions as F
from chainer import link

from qrnn.functions.float16 import apply_matmul
from qrnn.functions.lengths import send_lengths
from qrnn.links.encoder import Encoder
from qrnn.links.encoder import last_valid_step
from qrnn.links.encoder import map_parts
from qrnn.types import Input
from qrnn.types import Lengths
from qrnn.types import NDArray


class RecurrentLayer(link.Chain):
    """Base class of QRNN and LSTM layers: calls, state and encoder.

    A subclass defines :attr:`state_type`, a named tuple of arrays with the
    batch first; ``_advance(x, lengths)``, which runs sequences from
    ``self._state`` on, sets it and returns the outputs; for decoders,
    ``_initial_state(batch_size)``; and the names of its attributes that
    ``print(layer)`` shows: sizes always, options if they are set.
    """

    state_type: Any = None
    _sizes: tuple[str, ...] = 'in_size', 'out_size'
    _options: tuple[str, ...] = 'attention', 'decoder', 'save_state'

    def __init__(self, in_size: int | None, out_size: int, attention: bool,
                 decoder: bool, save_state: bool) -> None:
        super().__init__()
        self.in_size = in_size
        self.out_size = out_size
        self.attention = attention
        self.decoder = decoder or attention
        self.save_state = save_state
        self.encoder: Encoder | None = None
        self._lazy_state: Any = None  # or a function that computes it

    @property
    def printable_specs(self):
        """Yield the names and values that ``print(layer)`` shows."""
        for name in self._sizes + self._options:
            value = getattr(self, name)
            if name in self._sizes or value:
                yield name, value

    __str__ = link.Link.__str__  # a Chain's would show its children alone

    def forward(self, x: Input,
                lengths: Lengths | None = None) -> chainer.Variable:
        """Apply the layer to a batch of sequences, or to one step.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`): ``(B, T, n)``
                for sequences. They start from the initial state, or, with
                ``save_state=True``, from where the last call ended.
                ``(B, n)`` for one step, which always goes on from where the
                last call ended.
            lengths (sequence of int or :ref:`ndarray`): Number of steps of
                every sequence, ``(B,)``. Past the end the state holds and
                outputs are 0.

        Returns:
            ~chainer.Variable: ``(B, T, m)``, or ``(B, m)`` for one step.

        Raises:
            ValueError: If ``x`` does not fit the layer, its batch size the
                state or the encoder, or ``lengths`` the batch; or if a decoder
                layer has no encoder states yet.
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
            n = 'n' if self.in_size is None else self.in_size
            raise ValueError(
                f'x must be of shape (B, T, {n}), or (B, {n}) for one step, '
                f'but its shape is {x.shape}')
        if x.ndim == 2:
            if lengths is not None:
                raise ValueError('a single step, (B, n), takes no lengths')
            return self._run(F.expand_dims(x, 1), None)[:, 0]
        if not self.save_state:
            self._state = None
        return self._run(x, lengths)

    def _run(self, x, lengths):
        # Nodes choose their device themselves; code outside them does not.
        with chainer.using_device(self.device):
            return self._run_here(x, send_lengths(lengths, x))

    def _run_here(self, x, lengths):
        if self.decoder:
            if self.encoder is None:
                raise ValueError(
                    'this is a decoder layer: give it the states of its '
                    'encoder layer by init(encoder_h=...) before calling it')
            self.encoder.n_sharing(len(x))  # raises if it does not fit
            if self._state is None:
                self._state = self._initial_state(len(x))
        for part in self._state or ():
            if part is not None and len(part) != len(x):
                raise ValueError(
                    f'the layer holds the state of {len(part)} sequences, but '
                    f'x has {len(x)}: call reset_state() before starting with '
                    'others')
        return self._advance(x, lengths)

    # State

    @property
    def _state(self):
        if callable(self._lazy_state):
            self._lazy_state = self._lazy_state()
        return self._lazy_state

    @_state.setter
    def _state(self, state):
        self._lazy_state = state

    @property
    def state(self) -> Any:
        """All that the layer needs to go on, None before the first call.

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
        """Forget the state: the next call starts from the initial one."""
        self._state = None

    def reorder_state(self, indices: NDArray, encoder: bool = True) -> None:
        """Select and reorder the sequences whose state the layer holds.

        Args:
            indices (:ref:`ndarray` or list of int): For every sequence of the
                new batch, the one of the old batch that it goes on from.
            encoder (bool): Whether a decoder layer reorders its encoder's
                states, too. It need not where every sequence goes on from one
                of the same source. Where several share a source, those of a
                new source must all go on from one old source.

        """
        with chainer.using_device(self.device):
            if encoder and self.encoder is not None:
                batch = self.encoder.last_h if self._state is None else (
                    self._state[0])
                self.encoder = self.encoder.reorder(indices, len(batch))
            self._state = map_parts(lambda part: part[indices], self._state)

    def unchain_state(self) -> None:
        """Cut the state off its history (truncated backpropagation)."""
        self._state = map_parts(
            lambda part: chainer.Variable(part.array.copy()), self._state)

    # Encoder

    def init(self, encoder_c: Input | None = None,
             encoder_h: Input | None = None,
             lengths: Lengths | None = None) -> None:
        """Give the layer the states of its encoder layer; clear its own.

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
            lengths (sequence of int or :ref:`ndarray`): Number of valid
                encoder steps of every sequence. All are valid if omitted.

        Raises:
            ValueError: If the layer is not a decoder, or shapes or
                ``lengths`` do not fit.

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
                f'encoder_h is of shape {h.shape}')
        with chainer.using_device(self.device):
            if h.ndim == 3:
                lengths = send_lengths(lengths, h)
            last_h = last_valid_step(h, lengths)
            last_c = None if encoder_c is None else last_valid_step(
                chainer.as_variable(encoder_c), lengths)
            self.encoder = Encoder(
                h, last_h, last_c, lengths if self.attention else None,
                self._encoder_bias(last_h))

    def _encoder_bias(self, last_h):
        return None

    def device_resident_accept(self, visitor):
        super().device_resident_accept(visitor)
        for part in tuple(self._state or ()) + tuple(self.encoder or ()):
            if isinstance(part, chainer.Variable):
                visitor.visit_variable(part)
        if self.encoder is not None and self.encoder.lengths is not None:
            self.encoder = self.encoder._replace(
                lengths=visitor.visit_array(self.encoder.lengths))


def apply_to_steps(linear, x):
    """Apply a linear link to every step: (B, T, n) -> (B, T, m)."""
    B, T, n = x.shape
    # With n_batch_axes, Chainer fails where there is no step.
    y = apply_matmul(F.linear, F.reshape(x, (B * T, n)), linear.W, linear.b)
    return F.reshape(y, (B, T, y.shape[1]))
