from collections.abc import Sequence
from typing import Any
import warnings

import chainer
import chainer.functions as F
from chainer import link
import numpy

from qrnn.functions.dropout import dropout
from qrnn.functions.sequences import last_valid_step
from qrnn.functions.sequences import reverse_sequences
from qrnn.functions.sequences import unpad_sequence
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.qrnn_layer import QRNNState
from qrnn.links.stack import per_layer
from qrnn.types import Input
from qrnn.types import PerLayer


class _NStepQRNN(link.ChainList):
    """Base class of :class:`NStepQRNN` and :class:`NStepBiQRNN`."""

    direction = 1
    n_cells = 2  # number of states: hx and cx, as in NStepLSTM

    def __init__(self, n_layers: int, in_size: int, out_size: int,
                 dropout: float, *, kernel_size: PerLayer | None = None,
                 **layer_options: Any) -> None:
        if kernel_size is None:
            kernel_size = (1, *[2] * (n_layers - 1))[:n_layers]
        kernel_sizes = per_layer('kernel_size', kernel_size, n_layers)
        super().__init__(*(
            QRNNLayer(self.direction * out_size if i else in_size, out_size,
                      k, **layer_options)
            for i, k in enumerate(kernel_sizes)
            for _ in range(self.direction)))
        self.n_layers = n_layers
        self.out_size = out_size
        self.dropout = dropout

    def init_hx(self, xs: Sequence[Input]) -> chainer.Variable:
        """Return an initial state of zeros for B sequences, ``(S, B, m)``.

        S is the number of layers times the number of directions.
        """
        with chainer.using_device(self.device):
            return chainer.Variable(self.xp.zeros(
                (len(self), len(xs), self.out_size), dtype=xs[0].dtype))

    def forward(
            self, hx: Input | None, cx: Input | None, xs: Sequence[Input]
    ) -> tuple[chainer.Variable, chainer.Variable, list[chainer.Variable]]:
        """Apply all layers to a list of sequences.

        Args:
            hx (~chainer.Variable): Outputs before the first step,
                ``(S, B, m)``, where S is the number of layers times the
                number of directions. Zeros if None.
            cx (~chainer.Variable): Pooled states before the first step,
                ``(S, B, m)``. Zeros if None.
            xs (list of ~chainer.Variable): Sequences, ``(L_i, n)``.

        Returns:
            tuple: ``hy``, the last output of every layer, ``(S, B, m)``;
            ``cy``, the last state of every layer, ``(S, B, m)``; and ``ys``,
            the list of the last layer's outputs, ``(L_i, m)`` or, with two
            directions, ``(L_i, 2 m)``. All are :class:`~chainer.Variable`.

        Raises:
            ValueError: If ``xs`` is not a list of at least one sequence, or if
                the shape of a sequence or state is invalid.

        """
        self._check(hx, cx, xs)
        if hx is not None and self[0].kernel_size > 1:
            warnings.warn(
                'hx does not include the inputs before the first step, which '
                f'the first layer uses (kernel_size {self[0].kernel_size}) '
                'and which count as zeros; a sequence continued with hx and '
                'cx differs from the whole. Omit kernel_size, or use '
                'QRNNStack', stacklevel=3)
        with chainer.using_device(self.device):
            return self._run(hx, cx, xs)

    def _run(self, hx, cx, xs):
        lengths = numpy.array([len(x) for x in xs])
        groups = _groups(lengths)
        order = numpy.concatenate(groups)
        states = [
            None if state is None else F.permutate(
                state, self.xp.asarray(order), axis=1) for state in (hx, cx)]
        parts, start = [], 0
        for group in groups:
            rows = slice(start, start + len(group))
            h, c = (
                None if state is None else state[:, rows] for state in states)
            parts.append(self._run_group(
                h, c, F.pad_sequence([xs[i] for i in group]), lengths[group]))
            start = rows.stop
        hy, cy = (
            F.permutate(F.concat(each, axis=1), self.xp.asarray(order),
                        axis=1, inv=True)
            for each in list(zip(*parts))[:2])
        ys = [y for _, _, part in parts for y in part]
        return hy, cy, [ys[i] for i in numpy.argsort(order)]

    def _check(self, hx, cx, xs):
        if not isinstance(xs, (list, tuple)) or not len(xs):
            raise ValueError(
                'xs must be a list of at least one sequence, each of shape '
                f'(L_i, {self[0].in_size})')
        shape = len(self), len(xs), self.out_size
        for name, state in (('hx', hx), ('cx', cx)):
            if state is not None and state.shape != shape:
                raise ValueError(
                    f'{name} must have a state for each layer and sequence, '
                    f'{shape}, but its shape is {state.shape}')

    def _run_group(self, hx, cx, x, lengths):
        """Apply all layers to one padded batch, ``(B, T, n)``."""
        D = self.direction
        hx, cx = (len(self) * [None] if state is None else F.separate(state)
                  for state in (hx, cx))
        hys, cys = [], []
        for i in range(self.n_layers):
            below = None
            if i:
                x = dropout(x, self.dropout)
                if hx[0] is not None:
                    # hx of the layer below is this layer's previous input.
                    below = dropout(
                        F.concat(hx[(i - 1) * D:i * D], axis=1), self.dropout)
            hs = []
            for s in range(i * D, (i + 1) * D):
                layer, is_backward = self[s], s % D
                h, state = layer.run(
                    reverse_sequences(x, lengths) if is_backward else x,
                    _state(layer.kernel_size, cx[s], below), lengths)
                hys.append(last_valid_step(h, lengths, hx[s]))
                cys.append(state.c)
                hs.append(
                    reverse_sequences(h, lengths) if is_backward else h)
            x = F.concat(hs, axis=2) if D > 1 else hs[0]
        return F.stack(hys), F.stack(cys), unpad_sequence(x, lengths)


class NStepQRNN(_NStepQRNN):
    """Several QRNN layers with the interface of Chainer's ``NStepLSTM``.

    This link is a drop-in replacement for :class:`chainer.links.NStepLSTM`. It
    accepts initial states and a list of sequences of different lengths, and
    returns last states and outputs. Gradients flow through all states, inputs
    and outputs. The link stores no state between calls, so several threads can
    share one link.

    If you pass the ``hy`` and ``cy`` of a call as ``hx`` and ``cx``, the next
    call continues exactly where the previous call ended. A sequence can
    therefore be split anywhere, and a decoder can run one step per call.

    Exact continuation requires a ``kernel_size`` of 1 for the first layer and
    of at most 2 for all other layers. The default meets this condition. A QRNN
    layer needs its state c, which ``cx`` contains, and its ``k - 1`` previous
    inputs, for which Chainer's interface has no argument. In all layers except
    the first, the previous input is the last output of the layer below, which
    ``hx`` contains. All other previous inputs are treated as zeros. With wider
    filters, the outputs of a continued sequence therefore differ from the
    outputs of the whole sequence. If the first layer has ``k > 1``, a call
    with ``hx`` warns. Any width can be used if sequences are not split. To
    split sequences with wider filters, use :class:`~qrnn.QRNNStack`.

    Sequences of similar length are padded and processed as one batch. The
    outputs of a sequence do not depend on the other sequences.

    Args:
        n_layers (int): Number of layers.
        in_size (int): Number of input channels n.
        out_size (int): Number of hidden channels m.
        dropout (float): Dropout ratio between layers.
        kernel_size (int or sequence): Filter width k of all layers, or a
            sequence with one width for each layer. If omitted, the width is 1
            for the first layer and 2 for all other layers.
        layer_options: Further arguments of every :class:`~qrnn.QRNNLayer`:
            ``pooling``, ``activations``, ``zoneout``,
            ``zoneout_expectation``, ``initialW`` and ``initial_bias``.

    Raises:
        ValueError: As for :class:`~qrnn.QRNNLayer`, or if the length of
            ``kernel_size`` is not the number of layers.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import NStepQRNN
        >>> rnn = NStepQRNN(2, 3, 5, dropout=.1)
        >>> xs = [np.zeros((n, 3), np.float32) for n in (7, 4, 6)]
        >>> hy, cy, ys = rnn(None, None, xs)
        >>> hy.shape, cy.shape, [y.shape for y in ys]
        ((2, 3, 5), (2, 3, 5), [(7, 5), (4, 5), (6, 5)])

        One more step of each sequence:

        >>> xs = [np.ones((1, 3), np.float32) for _ in range(3)]
        >>> hy, cy, ys = rnn(hy, cy, xs)
        >>> [y.shape for y in ys]
        [(1, 5), (1, 5), (1, 5)]

    """


class NStepBiQRNN(_NStepQRNN):
    """QRNN layers in both directions, with the interface of ``NStepBiLSTM``.

    Every layer except the first reads the outputs of both directions of the
    layer below. States are stacked as in :class:`chainer.links.NStepBiLSTM`,
    ``(2 * n_layers, B, m)``: layer by layer, the forward state before the
    backward state. As in :class:`~qrnn.NStepQRNN`, ``hx`` contains the last
    outputs of all layers. For each layer, the part of ``hx`` that belongs to
    both directions of the layer below is the input before the first step.

    Arguments and errors are the same as for :class:`~qrnn.NStepQRNN`. The
    restriction of ``kernel_size`` applies only if ``hx`` or ``cx`` is given.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import NStepBiQRNN
        >>> rnn = NStepBiQRNN(2, 3, 5, dropout=.1)
        >>> xs = [np.zeros((n, 3), np.float32) for n in (7, 4, 6)]
        >>> hy, cy, ys = rnn(None, None, xs)
        >>> hy.shape, [y.shape for y in ys]
        ((4, 3, 5), [(7, 10), (4, 10), (6, 10)])

    """

    direction = 2


def _groups(lengths):
    """Return the indices of sequences, grouped by length, longest first."""
    groups, longest = [], None
    for i in numpy.argsort(-lengths, kind='stable'):
        # One batch with up to a quarter of padding is faster than two.
        if longest is None or longest - lengths[i] > max(8, longest // 4):
            longest = lengths[i]
            groups.append([])
        groups[-1].append(i)
    return groups


def _state(kernel_size, c, last_x):
    """Return the state of a layer whose last input is ``last_x``."""
    if c is None and last_x is None:
        return None
    if last_x is None or kernel_size == 1:
        return QRNNState(c, None)
    x = F.expand_dims(last_x, 1)
    if kernel_size > 2:
        x = F.pad(x, ((0, 0), (kernel_size - 2, 0), (0, 0)), 'constant')
    return QRNNState(c, x)
