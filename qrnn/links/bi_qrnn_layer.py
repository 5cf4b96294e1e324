from collections.abc import Callable
from typing import Any

import chainer
import chainer.functions as F

from qrnn.functions.lengths import clear_padding_in_debug_mode
from qrnn.functions.lengths import send_lengths
from qrnn.functions.sequences import reverse_sequences
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.stack import QRNNStack
from qrnn.types import Input
from qrnn.types import Lengths
from qrnn.types import PerLayer


class _Bidirectional(chainer.Chain):
    """Two links of one type that read sequences in opposite directions."""

    def __init__(self, make: Callable, **options: Any) -> None:
        super().__init__()
        if options.get('save_state'):
            raise ValueError(
                'a bidirectional link needs whole sequences; omit save_state')
        with self.init_scope():
            self.ahead, self.back = (make(**options) for _ in range(2))

    def forward(self, x: Input,
                lengths: Lengths | None = None) -> chainer.Variable:
        """Apply both directions to a batch of sequences.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`): ``(B, T, n)``.
            lengths (sequence of int or :ref:`ndarray`): Number of steps of
                every sequence, ``(B,)``. The backward direction starts at the
                end of each sequence. Outputs past this end are 0.

        Returns:
            ~chainer.Variable: Outputs, ``(B, T, 2 m)``.

        Raises:
            ValueError: If ``x`` or ``lengths`` is invalid.

        """
        x = chainer.as_variable(x)
        if x.ndim != 3:
            raise ValueError(
                f'x must be of shape (B, T, n), but its shape is {x.shape}')
        with chainer.using_device(self.device):
            lengths = send_lengths(lengths, x)
            x = clear_padding_in_debug_mode(x, lengths)
        ahead, _ = self.ahead.advance(x, None, lengths)
        back, _ = self.back.advance(
            reverse_sequences(x, lengths), None, lengths)
        return F.concat((ahead, reverse_sequences(back, lengths)), axis=2)


class BiQRNNLayer(_Bidirectional):
    """Two QRNN layers over whole sequences, one in each direction.

    The outputs of the forward and the backward layer are concatenated, in this
    order. Unlike :class:`~qrnn.QRNNLayer`, a bidirectional layer cannot
    continue a sequence from a state, because the output of the backward layer
    at a step depends on all later steps.

    Args:
        in_size (int or None): Number of input channels n. If None, it is
            inferred from the first input.
        out_size (int): Number of hidden channels m of each direction.
        kernel_size (int): Filter width k.
        layer_options: Further arguments of both layers: ``pooling``,
            ``zoneout`` and so on. See :class:`~qrnn.QRNNLayer`.

    Attributes:
        ahead (~qrnn.QRNNLayer): The layer that reads from left to right.
        back (~qrnn.QRNNLayer): The layer that reads from right to left.

    Raises:
        ValueError: As for :class:`~qrnn.QRNNLayer`, or if ``save_state`` is
            True.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import BiQRNNLayer
        >>> layer = BiQRNNLayer(3, 5)
        >>> layer(np.zeros((4, 7, 3), np.float32)).shape
        (4, 7, 10)

    """

    def __init__(self, in_size: int | None, out_size: int,
                 kernel_size: int = 2, **layer_options: Any) -> None:
        super().__init__(
            QRNNLayer, in_size=in_size, out_size=out_size,
            kernel_size=kernel_size, **layer_options)


class BiQRNNStack(_Bidirectional):
    """Two stacks of QRNN layers over whole sequences, one in each direction.

    The two stacks are independent. The outputs of the last forward and the
    last backward layer are concatenated, in this order, as in fastai's
    ``QRNN`` with ``bidirectional=True``. In :class:`~qrnn.NStepBiQRNN` and in
    a stack of :class:`~qrnn.BiQRNNLayer`, however, each layer reads the
    outputs of both directions of the layer below.

    Args:
        n_layers (int): Number of layers of each direction.
        in_size (int): Number of input channels n.
        out_size (int): Number of hidden channels m of every layer in each
            direction.
        kernel_size (int or sequence): Filter width k of all layers, or a
            sequence with one width for each layer.
        dropout (float): Dropout ratio between layers.
        layer_options: Further arguments of both stacks: ``dense``,
            ``pooling``, ``zoneout`` and so on. See :class:`~qrnn.QRNNStack`.

    Attributes:
        ahead (~qrnn.QRNNStack): The stack that reads from left to right.
        back (~qrnn.QRNNStack): The stack that reads from right to left.

    Raises:
        ValueError: As for :class:`~qrnn.QRNNStack`, or if ``save_state`` is
            True.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import BiQRNNStack
        >>> rnn = BiQRNNStack(2, 3, 5, kernel_size=(2, 1))
        >>> rnn(np.zeros((4, 7, 3), np.float32)).shape
        (4, 7, 10)

    """

    def __init__(self, n_layers: int, in_size: int, out_size: int,
                 kernel_size: PerLayer = 2, *, dropout: float = 0.,
                 **layer_options: Any) -> None:
        super().__init__(
            QRNNStack, n_layers=n_layers, in_size=in_size, out_size=out_size,
            kernel_size=kernel_size, dropout=dropout, **layer_options)
