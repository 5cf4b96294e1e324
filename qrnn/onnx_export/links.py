from typing import Any

import chainer
import numpy

from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.links.bi_qrnn_layer import BiQRNNLayer
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.stack import QRNNStack
from qrnn.onnx_export.graph import Graph


_END = numpy.iinfo(numpy.int64).max  # of a slice that has none


def export(link: chainer.Link, path: str | None = None, state: bool = False,
           lengths: bool = False) -> Any:
    """Make an ONNX model of a link.

    It computes what the link does in evaluation, for any batch size B and any
    number of steps T above 0: input ``x``, ``(B, T, n)``, and output ``h``,
    ``(B, T, m)``. The convolution is a matrix product, the pooling a ``Scan``.

    Args:
        link (~chainer.Link): A :class:`~qrnn.QRNNLayer`,
            :class:`~qrnn.QRNNStack` or :class:`~qrnn.BiQRNNLayer`, and not a
            decoder.
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
    graph = Graph(type(link).__name__)
    layers = _layers(link)
    first, last = layers[0], layers[-1]
    dtype, n = first.b.dtype, first.in_size
    x = graph.input('x', dtype, ('batch', 'time', n))
    n_steps = (graph.input('lengths', numpy.int64, ('batch',)) if lengths
               else None)
    h = add_link(graph, link, x, n_steps, state)
    size = last.out_size * (2 if isinstance(link, BiQRNNLayer) else 1)
    graph.output('h', h, dtype, ('batch', 'time', size))
    model = graph.model()
    if path is not None:
        with open(path, 'wb') as f:
            f.write(model.SerializeToString())
    return model


def add_link(graph: Graph, link: chainer.Link, x: str,
             lengths: str | None = None, state: bool = False) -> str:
    """Add a link to a graph.

    Args:
        graph (Graph): The graph.
        link (~chainer.Link): As :func:`export` takes it.
        x (str): Inputs, ``(B, T, n)``.
        lengths (str): Number of steps of every sequence, int64 ``(B,)``.
        state (bool): Whether the state becomes inputs and outputs of the
            graph. See :func:`export`.

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
    for layer in layers:
        _check(layer, state)
    valid = None if lengths is None else _valid_steps(graph, x, lengths)
    if isinstance(link, BiQRNNLayer):
        if state:
            raise ValueError(
                'a BiQRNNLayer runs in both directions over whole sequences, '
                'so there is no state to carry: leave out state')
        return _both_directions(graph, layers, x, lengths, valid)
    dense = getattr(link, 'dense', False)
    for i, layer in enumerate(layers):
        h = _layer(graph, layer, x, lengths, valid,
                   f'state_{i}_' if state else None)
        x = graph.add('Concat', x, h, axis=2) if dense else h
    return h


def _layers(link):
    if isinstance(link, QRNNLayer):
        return [link]
    if isinstance(link, (QRNNStack, BiQRNNLayer)):
        return list(link.children())
    raise ValueError(
        'ONNX models are made of a QRNNLayer, a QRNNStack or a BiQRNNLayer, '
        f'not of {type(link).__name__}')


def _check(layer, state):
    if layer.decoder:
        raise ValueError(
            'a decoder layer, which takes the states of an encoder, cannot be '
            'exported')
    if layer.W.array is None:
        raise ValueError(
            'the layer has no weights yet: its in_size is still unknown')
    if state and layer.lookahead:
        raise ValueError(
            'a layer that looks ahead takes whole sequences, so there is no '
            'state to carry: leave out state')


def _both_directions(graph, layers, x, lengths, valid):
    if lengths is None:  # all are as long as x
        steps = graph.add('Expand', _size(graph, x, 1), _size(graph, x, 0))
    else:
        steps = lengths

    def reverse(value):
        return graph.add(
            'ReverseSequence', value, steps, batch_axis=0, time_axis=1)

    ahead, back = layers
    return graph.add(
        'Concat', _layer(graph, ahead, x, lengths, valid),
        reverse(_layer(graph, back, reverse(x), lengths, valid)), axis=2)


def _layer(graph, layer, x, lengths, valid, state=None):
    """Add a layer; ``state`` is the prefix of the names of its state."""
    k, n, m, dtype = (
        layer.kernel_size, layer.in_size, layer.out_size, layer.b.dtype)

    def initial(part, *shape):
        if state is None:
            value = graph.constant(numpy.zeros((1,) + shape, dtype))
        else:
            # The default is one row, for a batch of any size.
            value = graph.input(state + part, dtype, ('states',) + shape,
                                numpy.zeros((1,) + shape, dtype))
        return _expand(graph, value, x, shape)

    c0 = initial('c', m)
    x0 = initial('x', k - 1, n) if k > 1 and not layer.lookahead else None
    windows, steps = _windows(graph, layer, x, x0, valid)
    h, c = _pooling(graph, layer, windows, c0, valid)
    if state is not None:
        graph.output('next_' + state + 'c', c, dtype, ('batch', m))
        if k > 1:
            graph.output(
                'next_' + state + 'x',
                _last_steps(graph, steps, k - 1, lengths), dtype,
                ('batch', k - 1, n))
    return h


def _windows(graph, layer, x, x0, valid):
    """Return the window of every step, (B, T, k * n), and x0 with x."""
    k = layer.kernel_size
    if k == 1:
        return x, x
    ahead = layer.lookahead
    if ahead and valid is not None:  # values past the end may be anything
        x = graph.add('Where', valid, x, graph.constant(0, layer.b.dtype))
    if ahead:
        steps = graph.add('Pad', x, graph.integers(
            0, k - 1 - ahead, 0, 0, ahead, 0))
    else:
        steps = graph.add('Concat', x0, x, axis=1)
    return graph.add('Concat', *(
        _slice(graph, steps, j, j - (k - 1) if j < k - 1 else _END)
        for j in range(k)), axis=2), steps


def _pooling(graph, layer, windows, c0, valid):
    """Return outputs, (B, T, m), and the last state, (B, m)."""
    names = GATES[layer.pooling]
    W, b = (chainer.get_device('@numpy').send(param.array)
            for param in (layer.W, layer.b))
    u = graph.add(
        'Add', graph.add('MatMul', windows, graph.constant(
            W.reshape(-1, W.shape[2]))), graph.constant(b))
    parts = graph.add(
        'Split', u, graph.integers(*(len(names) * [layer.out_size])), axis=2,
        n_outputs=len(names))
    activations = check_pooling(layer.pooling, layer.activations)
    gates = {name: graph.add(activations[name].capitalize(), part)
             for name, part in zip(names, parts)}
    f, z = gates['f'], gates['z']
    if layer.zoneout_expectation:
        keep, ratio = (graph.constant(each, b.dtype) for each in (
            1 - layer.zoneout, layer.zoneout))
        f = graph.add('Add', graph.add('Mul', f, keep), ratio)
    if 'i' in gates:
        x = graph.add('Mul', gates['i'], z)
    else:
        x = graph.add('Sub', z, graph.add('Mul', f, z))  # (1 - f) z
    if valid is not None:
        zero, one = (graph.constant(each, b.dtype) for each in (0, 1))
        f = graph.add('Where', valid, f, one)
        x = graph.add('Where', valid, x, zero)
    last, h = _scan(graph, f, x, c0, b.dtype, layer.out_size)
    if 'o' in gates:
        h = graph.add('Mul', gates['o'], h)
    if valid is not None:
        h = graph.add('Where', valid, h, zero)
    return h, last


def _scan(graph, f, x, c0, dtype, size):
    """Return the last and all states of c_t = f_t c_{t-1} + x_t."""
    shape = None, size
    body = graph.body(
        'recurrence', dtype,
        [('c', shape), ('f', shape), ('x', shape)],
        [('next_c', shape), ('output', shape)],
        [('Mul', ['f', 'c'], 'kept'),
         ('Add', ['kept', 'x'], 'next_c'),
         ('Identity', ['next_c'], 'output')])
    return graph.add(
        'Scan', c0, f, x, n_outputs=2, body=body, num_scan_inputs=2,
        scan_input_axes=[1, 1], scan_output_axes=[1])


def _valid_steps(graph, x, lengths):
    """Return which steps lie before each sequence's end, (B, T, 1)."""
    scalar = graph.integers()
    step = graph.add(
        'Range', graph.constant(numpy.int64(0)),
        graph.add('Reshape', _size(graph, x, 1), scalar),
        graph.constant(numpy.int64(1)))
    before = graph.add('Less', step, graph.add(
        'Unsqueeze', lengths, graph.integers(1)))
    return graph.add('Unsqueeze', before, graph.integers(2))


def _last_steps(graph, steps, n_steps, lengths):
    """Return the last steps of each sequence, (B, n_steps, n)."""
    if lengths is None:
        return _slice(graph, steps, -n_steps, _END)
    # ``steps`` has n_steps of padding before the first.
    at = graph.add(
        'Add', graph.add('Unsqueeze', lengths, graph.integers(1)),
        graph.integers(*range(n_steps)))
    return graph.add(
        'GatherND', steps, graph.add('Unsqueeze', at, graph.integers(2)),
        batch_dims=1)


def _expand(graph, value, x, shape):
    """Expand (1, ...) or (B, ...) to (B, ...), the batch size of x."""
    return graph.add('Expand', value, graph.add(
        'Concat', _size(graph, x, 0), graph.integers(*shape), axis=0))


def _size(graph, x, axis):
    return graph.add('Shape', x, start=axis, end=axis + 1)


def _slice(graph, x, start, stop):
    return graph.add('Slice', x, *map(graph.integers, (start, stop, 1)))
