from collections.abc import Sequence
from typing import Any, NamedTuple

import chainer
import numpy

from qrnn.gates import GATES
from qrnn.links.hooks import apply_between_hooks
from qrnn.links.hooks import to_numpy
from qrnn.links.bi_qrnn_layer import BiQRNNLayer
from qrnn.links.bi_qrnn_layer import BiQRNNStack
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.stack import QRNNStack
from qrnn.onnx_export.graph import Graph
from qrnn.onnx_export.layer import add_layer
from qrnn.onnx_export.layer import add_valid_steps
from qrnn.onnx_export.layer import size_of
from qrnn.onnx_export.layer import unsqueeze


class Encoded(NamedTuple):
    """Names of the encoder values that a decoder layer reads.

    Attributes:
        bias (str): Bias of the gates, ``(B, gates * m)``. It depends on the
            last output of the encoder layer.
        h (str): Outputs of the encoder layer for S steps, ``(B, S, m)``.
            Outputs past the end of a sequence are 0. None if the decoder layer
            has no attention.
        lengths (str): Number of steps of each encoder sequence, int64
            ``(B,)``. None if ``h`` is None, or if all sequences have S steps.
    """

    bias: str
    h: str | None = None
    lengths: str | None = None


def export(link: chainer.Link, path: str | None = None, state: bool = False,
           lengths: bool = False, one_step: bool = False) -> Any:
    """Convert a link to an ONNX model.

    The model has an input ``x``, ``(B, T, n)``, and an output ``h``,
    ``(B, T, m)``, for any batch size B and any number of steps T above 0. The
    output equals the output of the link in evaluation. Link hooks are applied.
    The convolution is exported as a matrix product, and the pooling as a
    ``Scan``. With ``one_step=True``, ``x`` is ``(B, n)`` and ``h`` is
    ``(B, m)``. Such a model needs no ``Scan``, so a step takes less time.

    Args:
        link (~chainer.Link): A :class:`~qrnn.QRNNLayer`,
            :class:`~qrnn.QRNNStack`, :class:`~qrnn.BiQRNNLayer` or
            :class:`~qrnn.BiQRNNStack` that is not a decoder.
        path (str): File to write the model to. If omitted, no file is written.
        state (bool): If True, the model has inputs and outputs for the state.
            Then a sequence can be split over several calls. Layer i has an
            input ``state_i_c``, ``(B, m)``. If ``kernel_size`` is above 1, it
            also has an input ``state_i_x``, ``(B, k - 1, n)``. Both inputs are
            zero by default. To continue a sequence, pass the outputs
            ``next_state_i_c`` and ``next_state_i_x`` of the previous call.
        lengths (bool): If True, the model has an input ``lengths``, int64
            ``(B,)``, the number of steps of each sequence. Past the end of a
            sequence, the state does not change, and outputs are 0.
        one_step (bool): If True, the model processes a single step.

    Returns:
        onnx.ModelProto: The model.

    Raises:
        ImportError: If the package onnx is not installed.
        OSError: If the file cannot be written.
        ValueError: If the link is not supported.

    .. admonition:: Example

        >>> from qrnn import QRNNStack
        >>> from qrnn.onnx_export import export
        >>> rnn = QRNNStack(2, 3, 5)
        >>> model = export(rnn, state=True)            # doctest: +SKIP
        >>> [x.name for x in model.graph.input]        # doctest: +SKIP
        ['x', 'state_0_c', 'state_0_x', 'state_1_c', 'state_1_x']

    """
    layers = _layers(link)
    dtype, n = layers[0].b.dtype, layers[0].W.shape[1]
    graph = Graph(type(link).__name__)
    axes = ('batch',) if one_step else ('batch', 'time')
    x = graph.input('x', dtype, (*axes, n))
    n_steps = (graph.input('lengths', numpy.int64, ('batch',)) if lengths
               else None)
    h = add_link(graph, link, x, n_steps, state, one_step=one_step)
    m = layers[-1].b.size // len(GATES[layers[-1].pooling])
    graph.output('h', h, dtype, (
        *axes, 2 * m if _is_bidirectional(link) else m))
    model = graph.model()
    if path is not None:
        with open(path, 'wb') as f:
            f.write(model.SerializeToString())
    return model


def add_link(graph: Graph, link: chainer.Link, x: str,
             lengths: str | None = None, state: bool = False,
             encoded: Sequence[Encoded] | None = None,
             one_step: bool = False) -> str:
    """Add a link to a graph.

    Args:
        graph (Graph): The graph.
        link (~chainer.Link): A link that :func:`export` supports, or a
            decoder.
        x (str): Name of the inputs, ``(B, T, n)``, or ``(B, n)`` with
            ``one_step=True``.
        lengths (str): Name of the sequence lengths, int64 ``(B,)``. If
            omitted, all sequences have T steps.
        state (bool): Whether to add inputs and outputs for the state; see
            :func:`export`. All layers of the graph are numbered in the order
            in which they are added.
        encoded (list of Encoded): Encoder values for each layer of a decoder;
            see :func:`add_encoder`. If the values have a batch size of 1, all
            sequences share the values, as in a beam search.
        one_step (bool): Whether x is a single step.

    Returns:
        str: Name of the outputs, ``(B, T, m)``, or ``(B, m)`` with
        ``one_step=True``.

    Raises:
        ValueError: If the link is not supported, or if it needs whole
            sequences and ``state`` or ``one_step`` is True.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNLayer
        >>> from qrnn.onnx_export import add_link, Graph
        >>> graph = Graph('scores')                    # doctest: +SKIP
        >>> x = graph.input('x', np.float32, ('batch', 'time', 3))
        ...                                            # doctest: +SKIP
        >>> h = add_link(graph, QRNNLayer(3, 5), x)    # doctest: +SKIP
        >>> score = graph.add('ReduceSum', h)          # doctest: +SKIP

    """
    layers = _layers(link)
    n_decoders = sum(layer.decoder for layer in layers)
    if n_decoders != len(encoded or ()):
        raise ValueError(
            f'{type(link).__name__} has {n_decoders} decoder layers, but '
            f'encoder values for {len(encoded or ())} are given; pass the '
            'result of add_encoder to add_link(encoded=...)')
    option = 'one_step' if one_step else 'state' if state else None
    if option and _is_bidirectional(link):
        raise ValueError(
            f'a {type(link).__name__} reads whole sequences in both '
            f'directions, so it has no state to carry; omit {option}')
    if option and any(layer.lookahead for layer in layers):
        raise ValueError(
            'a layer with lookahead reads whole sequences, so it has no state '
            f'to carry; omit {option}')
    if one_step and lengths is not None:
        raise ValueError('a single step has no lengths; omit lengths')
    return _add(graph, link, x, lengths, state, encoded, one_step)[-1]


def add_encoder(graph: Graph, encoder: chainer.Link, decoder: chainer.Link,
                x: str, lengths: str | None = None) -> list[Encoded]:
    """Add an encoder and the values that the layers of its decoder read.

    Add the decoder with :func:`add_link`. The decoder's initial state is zero,
    as after
    ``decoder.init(encoder_h=encoder.encode(x, lengths), lengths=lengths)``.
    The decoder may be in another graph if the encoder values are outputs of
    this graph and inputs of the other graph.

    Args:
        graph (Graph): The graph.
        encoder (~chainer.Link): A :class:`~qrnn.QRNNLayer` or
            :class:`~qrnn.QRNNStack`.
        decoder (~chainer.Link): A decoder with the same number of layers.
        x (str): Name of the sources, ``(B, S, n)``.
        lengths (str): Name of the source lengths, int64 ``(B,)``. If omitted,
            all sources have S steps.

    Returns:
        list of Encoded: Encoder values for each layer of the decoder.

    Raises:
        ValueError: If a link is not supported, or if encoder and decoder have
            different numbers of layers.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNStack
        >>> from qrnn.onnx_export import add_encoder, add_link, Graph
        >>> encoder, decoder = (
        ...     QRNNStack(2, 3, 5, attention=a) for a in (False, True))
        >>> graph = Graph('translation')               # doctest: +SKIP
        >>> x, y = (graph.input(name, np.float32, ('batch', name + 's', 3))
        ...         for name in ('source', 'target'))  # doctest: +SKIP
        >>> encoded = add_encoder(graph, encoder, decoder, x)
        ...                                            # doctest: +SKIP
        >>> h = add_link(graph, decoder, y, encoded=encoded)
        ...                                            # doctest: +SKIP

    """
    layers = _layers(decoder)
    outputs = _add(graph, encoder, x, lengths)
    if len(layers) != len(outputs) or not all(
            layer.decoder for layer in layers):
        raise ValueError(
            f'an encoder with {len(outputs)} layers needs a decoder with as '
            f'many decoder layers, not a {type(decoder).__name__} with '
            f'{len(layers)} layers')
    return [_encoded(graph, layer, h, lengths)
            for layer, h in zip(layers, outputs)]


def add_last_step(graph: Graph, x: str, lengths: str | None = None) -> str:
    """Add operators that select the last step of each sequence.

    Args:
        graph (Graph): The graph.
        x (str): Name of the values, ``(B, T, n)``. They must be 0 past the end
            of each sequence, like the outputs of a layer.
        lengths (str): Name of the sequence lengths, int64 ``(B,)``. If
            omitted, all sequences have T steps.

    Returns:
        str: Name of the last values, ``(B, n)``. The values of a sequence
        without steps are 0.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.onnx_export import add_last_step, Graph
        >>> graph = Graph('last')                      # doctest: +SKIP
        >>> x = graph.input('x', np.float32, ('batch', 'time', 3))
        ...                                            # doctest: +SKIP
        >>> graph.output('last', add_last_step(graph, x), np.float32,
        ...              ('batch', 3))                 # doctest: +SKIP

    """
    if lengths is None:
        return graph.add('Gather', x, graph.constant(numpy.int64(-1)), axis=1)
    # For a length of 0, the index -1 selects padding, which is 0.
    last = graph.add('Sub', lengths, graph.integers(1))
    return graph.add('GatherND', x, unsqueeze(graph, last, 1), batch_dims=1)


def _layers(link):
    """Return the layers of a link, and check that they are supported."""
    layers = [layer for layer in link.links() if isinstance(layer, QRNNLayer)]
    for layer in layers:
        if layer.W.array is None:
            raise ValueError(
                'the layer has no weights yet, because its in_size is '
                'unknown; call the link once or specify in_size')
    if not isinstance(link, _KINDS) or not layers:
        raise ValueError(
            'link must be a QRNNLayer, a QRNNStack, a BiQRNNLayer or a '
            'BiQRNNStack to be exported to ONNX, not '
            f'{type(link).__name__}')
    return layers


_KINDS = QRNNLayer, QRNNStack, BiQRNNLayer, BiQRNNStack


def _is_bidirectional(link):
    return isinstance(link, (BiQRNNLayer, BiQRNNStack))


def _add(graph, link, x, lengths, state=False, encoded=None, one_step=False):
    """Add a link, and return a list of the names of its layers' outputs.

    For a bidirectional link, the list contains only the link's output name.
    """
    valid = None if lengths is None else add_valid_steps(graph, x, lengths)
    encoded = iter(encoded or ())

    def add(link, x):
        return apply_between_hooks(link, lambda link: add_hooked(link, x))

    def add_hooked(link, x):
        if isinstance(link, QRNNLayer):
            return [add_layer(
                graph, link, x, lengths, valid,
                graph.new_name('state') if state else None,
                next(encoded) if link.decoder else None, one_step)]
        if _is_bidirectional(link):
            ahead, back = add(link.ahead, x), add(link.back, reverse(x))
            return [graph.add('Concat', ahead[-1], reverse(back[-1]), axis=2)]
        outputs = []
        for layer in link:
            outputs += add(layer, x)
            x = (graph.add('Concat', x, outputs[-1], axis=-1) if link.dense
                 else outputs[-1])
        return outputs

    def reverse(value):
        n_steps = lengths or graph.add(  # T for each sequence
            'Expand', size_of(graph, x, 1), size_of(graph, x, 0))
        return graph.add(
            'ReverseSequence', value, n_steps, batch_axis=0, time_axis=1)

    return add(link, x)


def _encoded(graph, layer, h, lengths):
    """Add the encoder values for a decoder layer, and return their names."""
    V, = apply_between_hooks(layer.V, lambda V: to_numpy(V.W))
    b, = apply_between_hooks(layer, lambda layer: to_numpy(layer.b))
    bias = graph.add('Add', graph.add(
        'MatMul', add_last_step(graph, h, lengths), graph.constant(V.T)),
        graph.constant(b))
    return Encoded(bias, *((h, lengths) if layer.attention else ()))
