from collections.abc import Sequence
import numbers
from typing import Any

import chainer
import chainer.functions as F
from chainer import link

from qrnn.functions.dropout import dropout
from qrnn.functions.lengths import clear_padding_in_debug_mode
from qrnn.functions.lengths import send_lengths
from qrnn.links.hooks import with_hooks
from qrnn.links.lstm_layer import LSTMLayer
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.types import Input
from qrnn.types import Lengths
from qrnn.types import NDArray
from qrnn.types import PerLayer


class _Stack(link.ChainList):
    """Stack of recurrent layers with the interface of a single layer."""

    def __init__(self, layers, dropout, dense):
        super().__init__(*layers)
        self.dropout = dropout
        self.dense = dense

    def forward(self, x: Input,
                lengths: Lengths | None = None) -> chainer.Variable:
        """Apply all layers to sequences, ``(B, T, n)``, or to one step.

        For the arguments and the state, see :meth:`qrnn.QRNNLayer.forward`.

        Returns:
            ~chainer.Variable: The last layer's outputs, ``(B, T, m)`` or
            ``(B, m)``.

        """
        return self.encode(x, lengths)[-1]

    def encode(self, x: Input, lengths: Lengths | None = None
               ) -> list[chainer.Variable]:
        """Apply all layers, and return the outputs of every layer.

        Pass the outputs to :meth:`init` of a decoder::

            decoder.init(encoder_h=encoder.encode(x, lengths))

        For the arguments, see :meth:`forward`.

        Returns:
            list of ~chainer.Variable: Outputs of every layer, ``(B, T, m)`` or
            ``(B, m)``.

        """
        x = chainer.as_variable(x)
        states = [layer.start(x.ndim) for layer in self]
        outputs, states = self._run(x, states, lengths)
        for layer, state in zip(self, states):
            layer.keep(state, x.ndim)
        return outputs

    def advance(self, x: Input, state: Sequence | None = None,
                lengths: Lengths | None = None
                ) -> tuple[chainer.Variable, tuple]:
        """Apply all layers from a given state, and return the next state.

        This method sets no attribute of the stack. ``state`` is a sequence of
        the states of all layers. See :meth:`qrnn.QRNNLayer.advance`.

        Returns:
            tuple: The last layer's outputs, and a tuple of the next states of
            all layers.

        """
        return with_hooks(self, 'advance', self._advance, x, state, lengths)

    def _advance(self, x, state, lengths):
        if state is None:
            state = len(self) * (None,)
        self._check_number('state', state)
        outputs, state = self._run(
            chainer.as_variable(x), [
                part and layer.checked(part)
                for layer, part in zip(self, state)], lengths)
        return outputs[-1], state

    def _run(self, x, states, lengths):
        """Return the outputs and the next states of all layers."""
        with chainer.using_device(self.device):
            if x.ndim == 3:
                lengths = send_lengths(lengths, x)
                if self.dense:
                    x = clear_padding_in_debug_mode(x, lengths)
            outputs, next_states = [], []
            for layer, state in zip(self, states):
                if outputs:
                    h = dropout(outputs[-1], self.dropout)
                    x = F.concat((x, h), axis=-1) if self.dense else h
                h, state = layer.run(x, state, lengths)
                outputs.append(h)
                next_states.append(state)
        return outputs, tuple(next_states)

    def copyparams(self, link, copy_persistent=True):
        if len(link) != len(self):
            raise ValueError(
                f'this stack has {len(self)} layers, but the given one has '
                f'{len(link)}')
        super().copyparams(link, copy_persistent)

    def _check_number(self, name, parts):
        if len(parts) != len(self):
            raise ValueError(
                f'{name} must have one part for each of the {len(self)} '
                f'layers, but it has {len(parts)}')

    def init(self, encoder_c: Sequence[Input] | None = None,
             encoder_h: Sequence[Input] | None = None,
             lengths: Lengths | None = None) -> None:
        """Set the encoder states of every layer, and reset the layers.

        Args:
            encoder_c (list of ~chainer.Variable): One ``encoder_c`` for each
                layer. See :meth:`qrnn.QRNNLayer.init`.
            encoder_h (list of ~chainer.Variable): One ``encoder_h`` for each
                layer.
            lengths (sequence of int or :ref:`ndarray`): Number of valid
                encoder steps of every sequence.

        Raises:
            ValueError: If the layers are not decoder layers, or if the states
                or the lengths are invalid.

        """
        for name, states in (
                ('encoder_c', encoder_c), ('encoder_h', encoder_h)):
            if states is not None:
                self._check_number(name, states)
        if encoder_h is not None and encoder_h[0].ndim == 3:
            with chainer.using_device(self.device):
                lengths = send_lengths(lengths, encoder_h[0])
        for i, layer in enumerate(self):
            try:
                layer.init(
                    None if encoder_c is None else encoder_c[i],
                    None if encoder_h is None else encoder_h[i], lengths)
            except ValueError as error:
                raise ValueError(f'layer {i}: {error}') from None

    @property
    def state(self) -> tuple:
        """Tuple of the states of all layers; see :attr:`QRNNLayer.state`."""
        return tuple(layer.state for layer in self)

    @state.setter
    def state(self, states: Sequence | None) -> None:
        if states is None:
            states = len(self) * (None,)
        self._check_number('state', states)
        for layer, state in zip(self, states):
            layer.state = state

    def reset_state(self, rows: NDArray | None = None) -> None:
        """Reset every layer to its initial state.

        See :meth:`qrnn.QRNNLayer.reset_state`.
        """
        for layer in self:
            layer.reset_state(rows)

    def reorder_state(self, indices: NDArray, encoder: bool = True) -> None:
        """Select and reorder the sequences of every layer's state.

        See :meth:`qrnn.QRNNLayer.reorder_state`.
        """
        for layer in self:
            layer.reorder_state(indices, encoder)

    def unchain_state(self) -> None:
        """Detach the state of every layer from its history."""
        for layer in self:
            layer.unchain_state()


class QRNNStack(_Stack):
    """Stack of :class:`~qrnn.QRNNLayer`.

    Args:
        n_layers (int): Number of layers.
        in_size (int): Number of input channels.
        out_size (int): Number of hidden channels of every layer.
        kernel_size (int or sequence): Filter width of all layers, or a
            sequence with one width for each layer.
        attention (bool): Whether the last layer uses attention over the
            outputs of the last encoder layer. Implies ``decoder=True``.
        decoder (bool): Whether all layers are decoder layers.
        dropout (float): Dropout ratio between layers. There is no dropout
            before the first layer or after the last layer.
        dense (bool): If True, the input of every layer after the first is the
            concatenation of the input and the output of the layer below, as in
            the paper's densely connected layers.
        lookahead (int or sequence): Number of future steps in the window of
            all layers, or a sequence with one number for each layer.
        layer_options: Further arguments of every :class:`~qrnn.QRNNLayer`:
            ``pooling``, ``zoneout``, ``save_state`` and so on.

    Raises:
        ValueError: As for :class:`~qrnn.QRNNLayer`, or if the length of
            ``kernel_size`` or ``lookahead`` is not the number of layers.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNStack
        >>> rnn = QRNNStack(4, 3, 5, dropout=.3, dense=True)
        >>> print(rnn)
        QRNNStack(
          (0): QRNNLayer(in_size=3, out_size=5, kernel_size=2, pooling=fo),
          (1): QRNNLayer(in_size=8, out_size=5, kernel_size=2, pooling=fo),
          (2): QRNNLayer(in_size=13, out_size=5, kernel_size=2, pooling=fo),
          (3): QRNNLayer(in_size=18, out_size=5, kernel_size=2, pooling=fo),
        )
        >>> rnn(np.zeros((2, 7, 3), np.float32)).shape
        (2, 7, 5)

    """

    def __init__(self, n_layers: int, in_size: int, out_size: int,
                 kernel_size: PerLayer = 2, attention: bool = False,
                 decoder: bool = False, *, dropout: float = 0.,
                 dense: bool = False, lookahead: PerLayer = 0,
                 **layer_options: Any) -> None:
        kernel_sizes = per_layer('kernel_size', kernel_size, n_layers)
        lookaheads = per_layer('lookahead', lookahead, n_layers)
        sizes = _in_sizes(n_layers, in_size, out_size, dense)
        super().__init__([
            QRNNLayer(
                sizes[i], out_size, kernel_sizes[i],
                attention and i == n_layers - 1, decoder or attention,
                lookahead=lookaheads[i], **layer_options)
            for i in range(n_layers)],
            dropout, dense)


class LSTMStack(_Stack):
    """Stack of :class:`~qrnn.LSTMLayer`.

    Arguments have the same meaning as for :class:`~qrnn.QRNNStack`.
    ``kernel_size`` and ``lookahead`` are not supported. Of the layer options,
    only ``save_state`` is supported.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import LSTMStack
        >>> rnn = LSTMStack(2, 3, 5, dropout=.5)
        >>> rnn(np.zeros((2, 7, 3), np.float32)).shape
        (2, 7, 5)

    """

    def __init__(self, n_layers: int, in_size: int, out_size: int,
                 attention: bool = False, decoder: bool = False, *,
                 dropout: float = 0., dense: bool = False,
                 save_state: bool = False) -> None:
        sizes = _in_sizes(n_layers, in_size, out_size, dense)
        super().__init__([
            LSTMLayer(
                size, out_size, attention and i == n_layers - 1,
                decoder or attention, save_state=save_state)
            for i, size in enumerate(sizes)],
            dropout, dense)


def _in_sizes(n_layers, in_size, out_size, dense):
    if dense:
        return [in_size + i * out_size for i in range(n_layers)]
    return [in_size] + (n_layers - 1) * [out_size]


def per_layer(name, values, n_layers):
    """Return one number per layer; repeat a single number for all layers."""
    if isinstance(values, numbers.Integral):
        return n_layers * (values,)
    if len(values) != n_layers:
        raise ValueError(
            f'{name} must be a number, or one number for each of the '
            f'{n_layers} layers, not {values}')
    return values
