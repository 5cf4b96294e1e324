from typing import Any
import warnings

import chainer
from chainer import backend
import chainer.functions as F
from chainer import initializer
from chainer import initializers

from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.qrnn_layer import QRNNState
from qrnn.types import Initializer
from qrnn.types import Input


class QRNN(chainer.Chain):
    """One step of a QRNN layer at a time, called as Chainer's ``LSTM``.

    A model written for :class:`chainer.links.LSTM` runs with this one in its
    place. Each call takes one step, ``(B, n)``, and goes on from the last one
    until :meth:`reset_state`. As there, ``B`` may shrink from call to call,
    if sequences are sorted by length, the longest first: those that ended keep
    their state. Where whole sequences are at hand, :class:`~qrnn.QRNNLayer`
    is many times faster.

    Args:
        in_size (int): Number of input channels n. If None or omitted, it is
            taken from the first input.
        out_size (int): Number of hidden channels m.
        lateral_init (:ref:`initializer <initializer>`): Initializer of the
            weights of earlier inputs, where an LSTM has those of its output;
            with ``kernel_size=1`` there are none.
        upward_init (:ref:`initializer <initializer>`): Initializer of the
            weights of the step's own input.
        bias_init (:ref:`initializer <initializer>`): Initializer of the bias
            of all gates but f. Zero if omitted.
        forget_bias_init (:ref:`initializer <initializer>`): Initializer of
            the bias of f. One if omitted.
        kernel_size (int): Filter width k. With 1, c is all of the state, as
            :meth:`set_state` needs. A wider one carries the inputs that its
            window sees from step to step all the same, exactly.
        layer_options: Further arguments of :class:`~qrnn.QRNNLayer`:
            ``pooling`` and ``zoneout``.

    Attributes:
        layer (~qrnn.QRNNLayer): The layer, with its parameters and state.
        c (~chainer.Variable): Pooled state, ``(B, m)``, None at first.
        h (~chainer.Variable): Output of the last step, ``(B, m)``, likewise.

    Raises:
        ValueError: As :class:`~qrnn.QRNNLayer` does.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNN
        >>> rnn = QRNN(3, 5)
        >>> rnn(np.zeros((4, 3), np.float32)).shape
        (4, 5)

    """

    h: chainer.Variable | None
    _has_warned = False

    def __init__(self, in_size: int | None, out_size: int | None = None,
                 lateral_init: Initializer | None = None,
                 upward_init: Initializer | None = None,
                 bias_init: Initializer | None = None,
                 forget_bias_init: Initializer | None = None, *,
                 kernel_size: int = 1, **layer_options: Any) -> None:
        if out_size is None:
            in_size, out_size = None, in_size
        super().__init__()
        with self.init_scope():
            self.layer = QRNNLayer(
                in_size, out_size, kernel_size,  # type: ignore
                initialW=_WeightInitializer(
                    lateral_init, upward_init, out_size, kernel_size),
                initial_bias=_BiasInitializer(
                    forget_bias_init, bias_init, out_size),
                **layer_options)
        self.reset_state()

    def forward(self, x: Input) -> chainer.Variable:
        """Apply the layer to one step.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs,
                ``(B, n)``. Further axes are flattened.

        Returns:
            ~chainer.Variable: Outputs, ``(B, m)``.

        Raises:
            ValueError: If ``x`` does not fit the layer, or has more
                sequences than the step before.

        """
        x = chainer.as_variable(x)
        if x.ndim > 2:
            x = F.reshape(x, (len(x), -1))
        n, before, h_before = len(x), self.layer.state, self.h
        n_ended = 0 if before is None else max(0, len(before.c) - n)
        if n_ended:
            self.layer.state = [
                None if part is None else part[:n] for part in before]
        h = self.h = self.layer(x)
        if n_ended:
            self.layer.state = [
                _concat_rows(here, there, n_ended)
                for here, there in zip(self.layer.state, before)]
            self.h = _concat_rows(h, h_before, n_ended)
        return h

    @property
    def c(self) -> chainer.Variable | None:
        """Pooled state, ``(B, m)``, None before the first step."""
        state = self.layer.state
        return None if state is None else state.c

    def set_state(self, c: chainer.Variable, h: chainer.Variable) -> None:
        """Set the pooled state and the last output.

        With ``kernel_size=1`` this is all of the state. With a wider filter,
        of which the first call warns, the inputs before the next step count as
        zeros, as they do after :meth:`reset_state`; ``layer.state`` is then
        all of the state.

        Args:
            c (~chainer.Variable): Pooled state, ``(B, m)``.
            h (~chainer.Variable): Output of the last step, ``(B, m)``. No
                step depends on it.

        """
        if self.layer.kernel_size > 1 and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                'c does not hold the inputs before the next step, which the '
                f'layer sees (kernel_size {self.layer.kernel_size}) and which '
                'count as zeros: a sequence continued with c differs from the '
                'whole; leave out kernel_size, or set layer.state',
                stacklevel=2)
        self.layer.state = QRNNState(c, None)
        h.to_device(self.device)
        self.h = h

    def reset_state(self) -> None:
        """Forget the state."""
        self.layer.reset_state()
        self.h = None

    def device_resident_accept(self, visitor):
        super().device_resident_accept(visitor)
        if self.h is not None:
            visitor.visit_variable(self.h)


def _concat_rows(state, before, n_ended):
    """Concatenate the state with that of sequences that have ended."""
    if state is None:
        return None
    if before is None:  # no inputs before the first step
        xp = backend.get_array_module(state.array)
        ended = xp.zeros((n_ended,) + state.shape[1:], state.dtype)
    else:
        ended = before[-n_ended:]
    return F.concat((state, ended), axis=0)


class _WeightInitializer(initializer.Initializer):
    """Initialize a filter matrix gate by gate, as an LSTM's weights are."""

    def __init__(self, lateral_init, upward_init, out_size, kernel_size):
        super().__init__()
        self.fills = [
            initializers._get_initializer(lateral_init)
            for _ in range(kernel_size - 1)
        ] + [initializers._get_initializer(upward_init)]
        self.out_size = out_size

    def __call__(self, array):
        m, n = self.out_size, array.shape[1] // len(self.fills)
        for row in range(0, len(array), m):
            for column, fill in enumerate(self.fills):
                fill(array[row:row + m, n * column:n * (column + 1)])


class _BiasInitializer(initializer.Initializer):
    """Initialize the bias of the gate f, and that of the others."""

    def __init__(self, forget_bias_init, bias_init, out_size):
        super().__init__()
        self.forget = initializers._get_initializer(
            1 if forget_bias_init is None else forget_bias_init)
        self.others = initializers._get_initializer(
            0 if bias_init is None else bias_init)
        self.out_size = out_size

    def __call__(self, array):
        self.forget(array[:self.out_size])
        self.others(array[self.out_size:])
