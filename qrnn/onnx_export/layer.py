"""Translation of a QRNNLayer to ONNX operators."""
import numpy

from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.links.hooks import apply_between_hooks
from qrnn.links.hooks import to_numpy


_END = numpy.iinfo(numpy.int64).max  # end of a slice up to the last element


def add_layer(graph, layer, x, lengths=None, valid=None, state=None,
              encoded=None, one_step=False):
    """Add a :class:`~qrnn.QRNNLayer` to a graph.

    Args:
        graph (Graph): The graph.
        layer (~qrnn.QRNNLayer): The layer.
        x (str): Name of the inputs, ``(B, T, n)``, or ``(B, n)`` for one step.
        lengths (str): Name of the sequence lengths, int64 ``(B,)``. None if
            all sequences have T steps.
        valid (str): Name of the mask from :func:`add_valid_steps`,
            ``(B, T, 1)``. None if ``lengths`` is None.
        state (str): Prefix of the names of the state inputs and outputs. If
            None, the state starts at 0 and is not an output.
        encoded (Encoded): Encoder values that a decoder layer reads. None for
            layers that are not decoders.
        one_step (bool): Whether x is a single step.

    Returns:
        str: Name of the outputs, ``(B, T, m)``, or ``(B, m)`` for one step.

    """
    W, b = to_numpy(layer.W, layer.b)
    k, n, _ = W.shape
    m, dtype = b.size // len(GATES[layer.pooling]), b.dtype

    def initial(part, *shape):
        if state is None:
            value = graph.constant(numpy.zeros((1,) + shape, dtype))
        else:
            # The default has one row, which is expanded to the batch size.
            value = graph.input(f'{state}_{part}', dtype, ('states',) + shape,
                                numpy.zeros((1,) + shape, dtype))
        if one_step and part == 'c':
            return value  # operators expand it
        return _expand(graph, value, x, shape)

    c0 = initial('c', m)
    x0 = initial('x', k - 1, n) if k > 1 and not layer.lookahead else None
    if one_step:
        windows, steps = _window(graph, x, x0, k * n)
    else:
        windows, steps = _windows(graph, layer, x, x0, valid)
    u = graph.add('MatMul', windows, graph.constant(W.reshape(k * n, b.size)))
    if encoded is None:
        bias = graph.constant(b)
    else:
        bias = encoded.bias if one_step else unsqueeze(graph, encoded.bias, 1)
    h, c = _pooling(graph, layer, graph.add('Add', u, bias), c0, valid,
                    encoded, one_step)
    if state is not None:
        graph.output(f'next_{state}_c', c, dtype, ('batch', m))
        if k > 1:
            graph.output(
                f'next_{state}_x',
                _last_inputs(graph, steps, k - 1, lengths), dtype,
                ('batch', k - 1, n))
    return h


def add_valid_steps(graph, x, lengths):
    """Add a mask, ``(B, T, 1)``, that is true for steps within a sequence."""
    scalar = graph.integers()
    step = graph.add(
        'Range', graph.constant(numpy.int64(0)),
        graph.add('Reshape', size_of(graph, x, 1), scalar),
        graph.constant(numpy.int64(1)))
    is_valid = graph.add('Less', step, unsqueeze(graph, lengths, 1))
    return unsqueeze(graph, is_valid, 2)


def size_of(graph, x, axis):
    """Return the size of an axis of x, as a vector with one element."""
    return graph.add('Shape', x, start=axis, end=axis + 1)


def _window(graph, x, x0, size):
    """Return the window of one step, (B, k * n), and its steps, (B, k, n)."""
    if x0 is None:
        return x, x
    steps = graph.add('Concat', x0, unsqueeze(graph, x, 1), axis=1)
    return graph.add('Reshape', steps, graph.integers(-1, size)), steps


def _windows(graph, layer, x, x0, valid):
    """Return the windows, (B, T, k * n), and the steps that windows contain.

    With k = 1, the steps are x. With lookahead, they are x padded with k - 1
    steps of zeros. Otherwise, they are the concatenation of x0 and x.
    """
    k = layer.W.shape[0]
    if k == 1:
        return x, x
    ahead = layer.lookahead
    if ahead and valid is not None:  # padding may have any value
        x = graph.add('Where', valid, x, graph.constant(0, layer.b.dtype))
    if ahead:
        steps = graph.add('Pad', x, graph.integers(
            0, k - 1 - ahead, 0, 0, ahead, 0))
    else:
        steps = graph.add('Concat', x0, x, axis=1)
    return graph.add('Concat', *(
        _slice(graph, steps, j, j - (k - 1) if j < k - 1 else _END)
        for j in range(k)), axis=2), steps


def _pooling(graph, layer, u, c0, valid, encoded, one_step):
    """Return the outputs, of the shape of a gate, and the last state."""
    names, dtype = GATES[layer.pooling], layer.b.dtype
    m = layer.b.size // len(names)
    parts = graph.add(
        'Split', u, graph.integers(*(len(names) * [m])), axis=-1,
        n_outputs=len(names))
    activations = check_pooling(layer.pooling, layer.activations)
    gates = {name: graph.add(activations[name].capitalize(), part)
             for name, part in zip(names, parts)}
    f, z = gates['f'], gates['z']
    if layer.zoneout_expectation:
        keep, ratio = (graph.constant(value, dtype) for value in (
            1 - layer.zoneout, layer.zoneout))
        f = graph.add('Add', graph.add('Mul', f, keep), ratio)
    if 'i' in gates:
        x = graph.add('Mul', gates['i'], z)
    else:
        x = graph.add('Sub', z, graph.add('Mul', f, z))  # (1 - f) z
    if valid is not None:
        zero, one = (graph.constant(value, dtype) for value in (0, 1))
        f = graph.add('Where', valid, f, one)
        x = graph.add('Where', valid, x, zero)
    if one_step:
        last = h = graph.add('Add', graph.add('Mul', f, c0), x)
    else:
        last, h = _scan(graph, f, x, c0, dtype, m)
    if layer.attention:
        c = unsqueeze(graph, h, 1) if one_step else h
        h = apply_between_hooks(
            layer.attend, lambda attend: _attend(graph, attend, c, encoded))
        if one_step:
            h = graph.add('Squeeze', h, graph.integers(1))
    if 'o' in gates:
        h = graph.add('Mul', gates['o'], h)
    if valid is not None:
        h = graph.add('Where', valid, h, zero)
    return h, last


def _scan(graph, f, x, c0, dtype, size):
    """Return the last state and all states of c_t = f_t c_{t-1} + x_t."""
    shape = None, size
    body = graph.body(
        'recurrence', dtype,
        [('c', shape), ('f', shape), ('x', shape)],
        [('next_c', shape), ('output', shape)],
        [('Mul', ['f', 'c'], 'kept'),
         ('Add', ['kept', 'x'], 'next_c'),
         ('Identity', ['next_c'], 'output')])
    # Axis 0 is scanned, because in a scan over axis 1, onnxruntime divides by
    # zero if B is 0.
    f, x = (graph.add('Transpose', value, perm=[1, 0, 2]) for value in (f, x))
    last, h = graph.add(
        'Scan', c0, f, x, n_outputs=2, body=body, num_scan_inputs=2)
    return last, graph.add('Transpose', h, perm=[1, 0, 2])


def _attend(graph, attend, c, encoded):
    """Return the outputs of attention, (B, T, m), for the states c."""
    W, b = to_numpy(attend.W, attend.b)
    scores = graph.add('MatMul', c, graph.add(
        'Transpose', encoded.h, perm=[0, 2, 1]))
    if encoded.lengths is not None:
        valid = graph.add(
            'Transpose', add_valid_steps(graph, encoded.h, encoded.lengths),
            perm=[0, 2, 1])
        scores = graph.add('Where', valid, scores, graph.constant(
            numpy.finfo(b.dtype).min, b.dtype))
    context = graph.add(
        'MatMul', graph.add('Softmax', scores, axis=2), encoded.h)
    both = graph.add('Concat', context, c, axis=2)
    return graph.add('Add', graph.add('MatMul', both, graph.constant(W.T)),
                     graph.constant(b))


def _last_inputs(graph, steps, n_steps, lengths):
    """Return the last inputs of each sequence, (B, n_steps, n)."""
    if lengths is None:
        return _slice(graph, steps, -n_steps, _END)
    # ``steps`` begins with the n_steps inputs before the first step.
    indexes = graph.add(
        'Add', unsqueeze(graph, lengths, 1),
        graph.integers(*range(n_steps)))
    return graph.add(
        'GatherND', steps, unsqueeze(graph, indexes, 2), batch_dims=1)


def _expand(graph, value, x, shape):
    """Expand the first axis of a value to the batch size of x."""
    return graph.add('Expand', value, graph.add(
        'Concat', size_of(graph, x, 0), graph.integers(*shape), axis=0))


def unsqueeze(graph, x, axis):
    return graph.add('Unsqueeze', x, graph.integers(axis))


def _slice(graph, x, start, stop):
    return graph.add('Slice', x, *map(graph.integers, (start, stop, 1)))
