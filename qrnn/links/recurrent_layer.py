from typing import Any

import chainer
import chainer.functions as F
from chainer import link

from qrnn.functions.lengths import send_lengths
from qrnn.functions.linear import linear
from qrnn.links.hooks import with_hooks
from qrnn.links.parameters import check_source
from qrnn.links.parameters import check_stored
from qrnn.links.stateful_layer import StatefulLayer
from qrnn.types import Input
from qrnn.types import Lengths


class RecurrentLayer(StatefulLayer):
    """Base class of QRNN and LSTM layers.

    The methods that :meth:`forward` calls receive the state as an argument
    and return the next state. ``forward`` assigns the next state to the layer
    only at the end.

    In addition to the members that :class:`StatefulLayer` requires, a subclass
    defines :attr:`in_size`, :attr:`axes`, :meth:`known_shape`, and
    ``_advance(x, state, lengths)``, which runs sequences from a state and
    returns the outputs and the next state. ``print(layer)`` shows all
    attributes in ``_sizes``, and the attributes in ``_options`` that are set.
    """

    _sizes: tuple[str, ...] = 'in_size', 'out_size'
    _options: tuple[str, ...] = 'attention', 'decoder', 'save_state'

    @property
    def printable_specs(self):
        """Yield the names and values that ``print(layer)`` shows."""
        for name in self._sizes + self._options:
            value = getattr(self, name)
            if name in self._sizes or value:
                yield name, value

    __str__ = link.Link.__str__  # Chain.__str__ shows only children

    def forward(self, x: Input,
                lengths: Lengths | None = None) -> chainer.Variable:
        """Apply the layer to a batch of sequences, or to one step.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`): Sequences,
                ``(B, T, n)``, or one step, ``(B, n)``. Sequences start from
                the initial state or, with ``save_state=True``, from the state
                after the previous call. One step always continues from the
                state after the previous call.
            lengths (sequence of int or :ref:`ndarray`): Number of steps of
                every sequence, ``(B,)``, or booleans: true for all steps,
                false for none. Past the end of a sequence, its state does not
                change and its outputs are 0.

        Returns:
            ~chainer.Variable: Outputs, ``(B, T, m)``, or ``(B, m)`` for one
            step.

        Raises:
            ValueError: If the shape of ``x`` or ``lengths`` is invalid, if the
                batch size does not match the state or the encoder, or if a
                decoder layer has no encoder states yet. The state is then
                unchanged.
            RuntimeError: If the layer is called inside
                ``chainer.static_graph``, which would replay the first call, or
                if the call continues from the layer's state inside
                ``F.forget``, which would call the layer twice.

        """
        state = self.start(x.ndim)
        h, state = self._run(x, state, lengths)
        self.keep(state, x.ndim)
        return h

    def advance(self, x: Input, state: Any = None,
                lengths: Lengths | None = None
                ) -> tuple[chainer.Variable, Any]:
        """Apply the layer from a given state, and return the next state.

        This method sets no attribute of the layer. Therefore several threads
        can share one layer and pass separate states.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`): As in
                :meth:`forward`.
            state: State to start from, of the same type as :attr:`state`. If
                None, the initial state is used.
            lengths (sequence of int or :ref:`ndarray`): As in :meth:`forward`.

        Returns:
            tuple: The outputs that :meth:`forward` would return, and the state
            after the last step.

        Raises:
            ValueError: As for :meth:`forward`, or if ``state`` is invalid.

        """
        if state is not None:
            state = self.checked(state)
        return self.run(x, state, lengths)

    def run(self, x, state, lengths):
        """Apply the layer like :meth:`advance`, without checking the state."""
        return with_hooks(self, 'advance', self._run, x, state, lengths)

    def _run(self, x, state, lengths):
        self._check_call(x)
        # Function nodes select their own device; all other code needs this.
        with chainer.using_device(self.device):
            if self.decoder:
                if self.encoder is None:
                    raise ValueError(
                        'this decoder layer has no encoder states; call '
                        'init(encoder_h=...) first')
                self.encoder.n_sharing(len(x))  # raises if len(x) is invalid
                if state is None:
                    state = self._initial_state(len(x))
            self._check_batch(x, state)
            if x.ndim == 3:
                return self._advance_padded(x, state, lengths)
            if lengths is None:
                return self._step(x, state)
            h, state = self._advance_padded(
                F.expand_dims(x, 1), state, lengths)
            return h[:, 0], state

    def _advance_padded(self, x, state, lengths):
        x = chainer.as_variable(x)
        lengths = send_lengths(lengths, x)
        h, state = self._advance(x, state, lengths)
        if lengths is not None:
            h.lengths = lengths  # read by decoder.init(encoder_h=h)
        return h, state

    def _step(self, x, state):
        h, state = self._advance(F.expand_dims(x, 1), state, None)
        return h[:, 0], state

    def _check_call(self, x):
        if chainer.config.schedule_func is not None:
            raise RuntimeError(
                f'{type(self).__name__} cannot run inside '
                'chainer.static_graph, which would replay the first call; '
                'remove the decorator, or set '
                'chainer.config.use_static_graph = False')
        if x.ndim not in (2, 3) or (
                self.in_size is not None and x.shape[-1] != self.in_size):
            n = 'n' if self.in_size is None else self.in_size
            raise ValueError(
                f'x must be of shape (B, T, {n}), or (B, {n}) for one step, '
                f'but its shape is {x.shape}')

    def _check_batch(self, x, state):
        for part in state or ():
            if part is not None and part.shape[0] != x.shape[0]:
                raise ValueError(
                    f'the layer has the state of {len(part)} sequences, but x '
                    f'has {len(x)}; call reset_state() to start other '
                    'sequences, or keep all rows and pass lengths of 0 for '
                    'those without input')

    def serialize(self, serializer):
        check_stored(self, serializer)
        super().serialize(serializer)

    def copyparams(self, link, copy_persistent=True):
        check_source(self, link)
        super().copyparams(link, copy_persistent)


def apply_linear(link, x):
    """Apply a linear link to sequences or to one step."""
    return with_hooks(
        link, 'forward', lambda x: linear(x, link.W, link.b), x)
