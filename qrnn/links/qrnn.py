from typing import Any
import warnings

import chainer
from chainer import backend
import chainer.functions as F
from chainer import initializer
from chainer import initializers

from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.qrnn_layer import QRNNState
from qrnn.links.state import map_parts
from qrnn.types import Initializer
from qrnn.types import Input


class QRNN(chainer.Chain):
    """QRNN layer that runs step by step, with the interface of ``L.LSTM``.

    This link is a drop-in replacement for :class:`chainer.links.LSTM`. Each
    call runs one step, ``(B, n)``, and continues from the previous step until
    :meth:`reset_state` is called. If sequences are sorted by length, longest
    first, the batch may become smaller from call to call. Sequences that have
    ended keep their state. If whole sequences are available,
    :class:`~qrnn.QRNNLayer` is many times faster.

    Args:
        in_size (int): Number of input channels n. If None or omitted, it is
            inferred from the first input.
        out_size (int): Number of hidden channels m.
        lateral_init (:ref:`initializer <initializer>`): Initializer of the
            weights for previous inputs, which correspond to the recurrent
            weights of an LSTM. Unused if ``kernel_size=1``.
        upward_init (:ref:`initializer <initializer>`): Initializer of the
            weights for the current input.
        bias_init (:ref:`initializer <initializer>`): Initializer of the bias
            of all gates except f. Zero if omitted.
        forget_bias_init (:ref:`initializer <initializer>`): Initializer of
            the bias of f. One if omitted.
        kernel_size (int): Filter width k. With a width of 1, ``c`` is the
            whole state, so :meth:`set_state` sets the whole state. With a
            wider filter, the state also contains the previous inputs. For any
            width, consecutive steps give the same outputs as a whole sequence.
        layer_options: Further arguments of :class:`~qrnn.QRNNLayer`:
            ``pooling``, ``activations``, ``zoneout`` and
            ``zoneout_expectation``.

    Attributes:
        layer (~qrnn.QRNNLayer): The layer, with its parameters and state.
        c (~chainer.Variable): Pooled state, ``(B, m)``; None before the first
            step.
        h (~chainer.Variable): Output of the last step, ``(B, m)``; None
            before the first step.

    Raises:
        ValueError: As for :class:`~qrnn.QRNNLayer`.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNN
        >>> rnn = QRNN(3, 5)
        >>> rnn(np.zeros((4, 3), np.float32)).shape
        (4, 5)

    """

    def __init__(self, in_size: int | None, out_size: int | None = None,
                 lateral_init: Initializer | None = None,
                 upward_init: Initializer | None = None,
                 bias_init: Initializer | None = None,
                 forget_bias_init: Initializer | None = None, *,
                 kernel_size: int = 1, **layer_options: Any) -> None:
        if out_size is None:
            in_size, out_size = None, in_size
        super().__init__()
        self._h = None
        with self.init_scope():
            self.layer = QRNNLayer(
                in_size, out_size, kernel_size,  # type: ignore
                initialW=_WeightInitializer(
                    lateral_init, upward_init, out_size, kernel_size),
                initial_bias=_BiasInitializer(
                    forget_bias_init, bias_init, out_size),
                **layer_options)

    def forward(self, x: Input) -> chainer.Variable:
        """Apply the layer to one step.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`): Inputs,
                ``(B, n)``. Further axes are flattened.

        Returns:
            ~chainer.Variable: Outputs, ``(B, m)``.

        Raises:
            ValueError: If the shape of ``x`` is invalid, or if ``x`` has more
                sequences than the state. The state is then unchanged.

        """
        x = chainer.as_variable(x)
        if x.ndim > 2:
            x = F.reshape(x, (len(x), -1))
        before, h_before = self.layer.start(2), self.h
        start = before
        n_ended = 0
        if before is not None and x.ndim == 2 and len(x) < len(before.c):
            n_ended = len(before.c) - len(x)
            start = map_parts(lambda part: part[:len(x)], before)
        h, state = self.layer.run(x, start, None)
        last_h = h
        if n_ended:
            state = QRNNState(*(
                _concat_rows(new, old, n_ended)
                for new, old in zip(state, before)))
            last_h = _concat_rows(h, h_before, n_ended)
        self.layer.keep(state, 2)
        self.h = last_h
        return h

    @property
    def c(self) -> chainer.Variable | None:
        """Pooled state, ``(B, m)``; None before the first step."""
        state = self.layer.state
        return None if state is None else state.c

    @c.setter
    def c(self, c: Input | None) -> None:
        self.layer.state = None if c is None else QRNNState(
            c, None)  # type: ignore

    @property
    def h(self) -> chainer.Variable | None:
        """Output of the last step, ``(B, m)``; None before the first step."""
        return self._h

    @h.setter
    def h(self, h: Input | None) -> None:
        self._h = None if h is None else F.copy(
            chainer.as_variable(h), self.device)

    def set_state(self, c: Input, h: Input) -> None:
        """Set the pooled state and the last output.

        With ``kernel_size=1``, the pooled state is the whole state. With a
        wider filter, this method warns and sets the previous inputs to zeros,
        as :meth:`reset_state` does. To set the previous inputs to other
        values, assign to ``layer.state`` instead.

        Args:
            c (:class:`~chainer.Variable` or :ref:`ndarray`): Pooled state,
                ``(B, m)``. Setting :attr:`c` has the same effect.
            h (:class:`~chainer.Variable` or :ref:`ndarray`): Output of the
                last step, ``(B, m)``. It does not affect the next steps.

        Raises:
            ValueError: If the shape or dtype of ``c`` is invalid.

        """
        if self.layer.kernel_size > 1:
            warnings.warn(
                'c does not include the inputs before the next step, which '
                f'the layer uses (kernel_size {self.layer.kernel_size}) and '
                'which count as zeros; a sequence continued with c differs '
                'from the whole. Omit kernel_size, or set layer.state',
                stacklevel=2)
        self.c = c
        self.h = h

    def reset_state(self) -> None:
        """Reset the layer to its initial state."""
        self.layer.reset_state()
        self.h = None

    def device_resident_accept(self, visitor):
        super().device_resident_accept(visitor)
        if self._h is not None:
            self._h = chainer.Variable(visitor.visit_array(self._h.array))


def _concat_rows(state, before, n_ended):
    """Append the previous state's rows of ended sequences to a new state."""
    if state is None:
        return None
    if before is None:  # None means zeros
        xp = backend.get_array_module(state.array)
        ended = xp.zeros((n_ended,) + state.shape[1:], state.dtype)
    else:
        ended = before[-n_ended:]
    return F.concat((state, ended), axis=0)


class _WeightInitializer(initializer.Initializer):
    """Initialize the filters gate by gate, as Chainer's LSTM does."""

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
    """Initialize the biases of f and of the other gates separately."""

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
