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
    """Values of an encoder that a decoder layer reads.

    Attributes:
        bias (str): Bias of the layer's gates, which depends on the last output
            of the encoder layer, ``(B, gates * m)``.
        h (str): Outputs of the encoder layer, ``(B, S, m)``, 0 past the end
            (layers with attention).
        lengths (str): Number of steps of every source, int64 ``(B,)``, if they
            are not all ``S`` (layers with attention).
    """

    bias: str
    h: str | None = None
    lengths: str | None = None


def export(link: chainer.Link, path: str | None = None, state: bool = False,
           lengths: bool = False) -> Any:
    """Make an ONNX model of a link.

    Its outputs are those of the link in evaluation, link hooks included, with
    any batch size B and any number of steps T above 0: input ``x``,
    ``(B, T, n)``, and output ``h``, ``(B, T, m)``. The convolution is a matrix
    product, the pooling a ``Scan``.

    Args:
        link (~chainer.Link): A :class:`~qrnn.QRNNLayer`,
            :class:`~qrnn.QRNNStack`, :class:`~qrnn.BiQRNNLayer` or
            :class:`~qrnn.BiQRNNStack`, and not a decoder.
        path (str): File to write the model to, if any.
        state (bool): Whether the state is an input and an output, so that a
            sequence may be cut anywhere: for layer i, inputs ``state_i_c``,
            ``(B, m)``, and with ``kernel_size`` above 1 ``state_i_x``,
            ``(B, k - 1, n)``, zeros by default; and outputs
            ``next_state_i_c`` and ``next_state_i_x``, for the next call.
        lengths (bool): Whether there is an input ``lengths``, int64 of
            ``(B,)``, the number of steps of every sequence. Past the end the
            state holds, and outputs are 0.

    Returns:
        onnx.ModelProto: The model.

    Raises:
        ImportError: If the package onnx is not installed.
        OSError: If the file cannot be written.
        ValueError: If the link cannot be exported.

    .. admonition:: Example

        >>> from qrnn import QRNNStack
        >>> from qrnn.onnx_export import export
        >>> rnn = QRNNStack(2, 3, 5)
        >>> model = export(rnn, state=True)            # doctest: +SKIP
        >>> [each.name for each in model.graph.input]  # doctest: +SKIP
        ['x', 'state_0_c', 'state_0_x', 'state_1_c', 'state_1_x']

    """
    layers = _layers(link)
    dtype, n = layers[0].b.dtype, layers[0].W.shape[1]
    graph = Graph(type(link).__name__)
    x = graph.input('x', dtype, ('batch', 'time', n))
    n_steps = (graph.input('lengths', numpy.int64, ('batch',)) if lengths
               else None)
    h = add_link(graph, link, x, n_steps, state)
    m = layers[-1].b.size // len(GATES[layers[-1].pooling])
    graph.output('h', h, dtype, (
        'batch', 'time', 2 * m if _is_bidirectional(link) else m))
    model = graph.model()
    if path is not None:
        with open(path, 'wb') as f:
            f.write(model.SerializeToString())
    return model


def add_link(graph: Graph, link: chainer.Link, x: str,
             lengths: str | None = None, state: bool = False,
             encoded: Sequence[Encoded] | None = None) -> str:
    """Add a link to a graph.

    Args:
        graph (Graph): The graph.
        link (~chainer.Link): A link that :func:`export` accepts, or a decoder.
        x (str): Inputs, ``(B, T, n)``.
        lengths (str): Number of steps of every sequence, int64 ``(B,)``.
        state (bool): Whether the state becomes inputs and outputs of the
            graph. See :func:`export`. Layers are numbered through the graph,
            in the order in which they are added.
        encoded (list of Encoded): Values of an encoder for each layer of a
            decoder, see :func:`add_encoder`. If their batch size is 1, all
            sequences share the source, as in a beam search.

    Returns:
        str: Outputs, ``(B, T, m)``.

    Raises:
        ValueError: If the link cannot be exported.

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
            f'{len(encoded or ())} are given values of an encoder: build the '
            'model with add_encoder and add_link(encoded=...)')
    if state and _is_bidirectional(link):
        raise ValueError(
            f'a {type(link).__name__} runs in both directions over whole '
            'sequences, so there is no state to carry: leave out state')
    if state and any(layer.lookahead for layer in layers):
        raise ValueError(
            'a layer that looks ahead takes whole sequences, so there is no '
            'state to carry: leave out state')
    return _add(graph, link, x, lengths, state, encoded)[-1]


def add_encoder(graph: Graph, encoder: chainer.Link, decoder: chainer.Link,
                x: str, lengths: str | None = None) -> list[Encoded]:
    """Add an encoder and the values that the layers of its decoder read.

    The decoder, added by :func:`add_link`, starts from zero, as after
    ``decoder.init(encoder_h=encoder.encode(x, lengths), lengths=lengths)``.
    It may belong to another graph, whose inputs are outputs of this one.

    Args:
        graph (Graph): The graph.
        encoder (~chainer.Link): A :class:`~qrnn.QRNNLayer` or
            :class:`~qrnn.QRNNStack`.
        decoder (~chainer.Link): A decoder with as many layers.
        x (str): Sources, ``(B, S, n)``.
        lengths (str): Number of steps of every source, int64 ``(B,)``.

    Returns:
        list of Encoded: Values for each layer of the decoder.

    Raises:
        ValueError: If a link cannot be exported, or the links do not fit.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNStack
        >>> from qrnn.onnx_export import add_encoder, add_link, Graph
        >>> encoder, decoder = (
        ...     QRNNStack(2, 3, 5, attention=each) for each in (False, True))
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
            f'an encoder of {len(outputs)} layers needs a decoder of as many '
            f'decoder layers, not {type(decoder).__name__} of {len(layers)}')
    return [_encoded(graph, layer, h, lengths)
            for layer, h in zip(layers, outputs)]


def add_last_step(graph: Graph, x: str, lengths: str | None = None) -> str:
    """Add the values at the last step of each sequence.

    Args:
        graph (Graph): The graph.
        x (str): Values, ``(B, T, n)``, 0 past the end of each sequence, as
            the outputs of a layer are.
        lengths (str): Number of steps of every sequence, int64 ``(B,)``. All
            steps are valid if omitted.

    Returns:
        str: Values of the last steps, ``(B, n)``, 0 without a step.

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
    # Without a step it is the last one of the padding, whose values are 0.
    last = graph.add('Sub', lengths, graph.integers(1))
    return graph.add('GatherND', x, unsqueeze(graph, last, 1), batch_dims=1)


def _layers(link):
    """Return the layers of a link, if they can be exported."""
    layers = [each for each in link.links() if isinstance(each, QRNNLayer)]
    for each in layers:
        if each.W.array is None:
            raise ValueError(
                'the layer has no weights yet: its in_size is still unknown')
    if not isinstance(link, _KINDS) or not layers:
        raise ValueError(
            'ONNX models are made of a QRNNLayer, a QRNNStack, a BiQRNNLayer '
            f'or a BiQRNNStack, not of {type(link).__name__}')
    return layers


_KINDS = QRNNLayer, QRNNStack, BiQRNNLayer, BiQRNNStack


def _is_bidirectional(link):
    return isinstance(link, (BiQRNNLayer, BiQRNNStack))


def _add(graph, link, x, lengths, state=False, encoded=None):
    """Add a link and return the outputs of all layers."""
    valid = None if lengths is None else add_valid_steps(graph, x, lengths)
    encoded = iter(encoded or ())

    def add(link, x):
        return apply_between_hooks(link, lambda link: add_hooked(link, x))

    def add_hooked(link, x):
        if isinstance(link, QRNNLayer):
            return [add_layer(
                graph, link, x, lengths, valid,
                graph.new_name('state') if state else None,
                next(encoded) if link.decoder else None)]
        if _is_bidirectional(link):
            ahead, back = add(link.ahead, x), add(link.back, reverse(x))
            return [graph.add('Concat', ahead[-1], reverse(back[-1]), axis=2)]
        outputs = []
        for layer in link:
            outputs += add(layer, x)
            x = (graph.add('Concat', x, outputs[-1], axis=2) if link.dense
                 else outputs[-1])
        return outputs

    def reverse(value):
        n_steps = lengths or graph.add(  # all are as long as x
            'Expand', size_of(graph, x, 1), size_of(graph, x, 0))
        return graph.add(
            'ReverseSequence', value, n_steps, batch_axis=0, time_axis=1)

    return add(link, x)


def _encoded(graph, layer, h, lengths):
    """Add the values that a decoder layer reads of its encoder layer."""
    V, = apply_between_hooks(layer.V, lambda V: to_numpy(V.W))
    b, = apply_between_hooks(layer, lambda layer: to_numpy(layer.b))
    bias = graph.add('Add', graph.add(
        'MatMul', add_last_step(graph, h, lengths), graph.constant(V.T)),
        graph.constant(b))
    return Encoded(bias, *((h, lengths) if layer.attention else ()))
