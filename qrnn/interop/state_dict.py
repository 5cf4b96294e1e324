"""State dictionaries of torchqrnn and fastai.

Both compute, with rows of ``weight`` and ``bias`` in the order z, f, o and
the columns in the order :math:`x_t`, :math:`x_{t-1}`,

.. math::

    c_t = f_t z_t + (1 - f_t) c_{t-1}

where f is the share of what is new, not of what is kept. As
:math:`1 - \\sigma(a) = \\sigma(-a)`, our f has the weights of theirs with the
sign changed, which is exact.
"""
from typing import Any

import chainer
import numpy

from qrnn.gates import ACTIVATIONS
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.interop.arrays import assign
from qrnn.interop.arrays import fitting
from qrnn.interop.arrays import read_arrays
from qrnn.interop.names import find
from qrnn.interop.names import NAMES
from qrnn.interop.names import names_of
from qrnn.links.bi_qrnn_layer import BiQRNNLayer
from qrnn.links.bi_qrnn_layer import BiQRNNStack
from qrnn.links.n_step_qrnn import NStepQRNN
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.stack import QRNNStack
from qrnn.types import Arrays
from qrnn.types import PerLayer


def load_state_dict(source: str | Arrays, link: chainer.Link,
                    prefix: str | None = None) -> None:
    """Load weights of torchqrnn or fastai into a link.

    How the arrays are named tells which: ``layers.0.linear.weight`` in
    torchqrnn's and fastai's ``QRNN``, with ``layers_bwd.0.linear.weight`` and
    so on where fastai's is bidirectional; ``linear.weight`` in a layer by
    itself; ``rnns.0.layers.0.linear.weight_raw`` in fastai's language model;
    ``rnns.0.linear.module.weight_raw`` in that of awd-lstm-lm. Other arrays,
    the embedding's for instance, are left alone. Numbers are converted to the
    dtype of the link.

    In evaluation, torchqrnn multiplies its f by 1 - zoneout, which no weights
    can express. fastai does not, nor does this package: what was trained by
    torchqrnn with zoneout gives other numbers here.

    Args:
        source (str or dict): A ``.npz`` or ``.safetensors`` file, or arrays or
            tensors by name, ``dict(model.named_parameters())`` for instance.
        link (~chainer.Link): A :class:`~qrnn.QRNNStack`, a
            :class:`~qrnn.NStepQRNN` or a single :class:`~qrnn.QRNNLayer`, of
            f- or fo-pooling; for both directions, a
            :class:`~qrnn.BiQRNNStack` or, of one layer, a
            :class:`~qrnn.BiQRNNLayer`.
        prefix (str): What the names begin with, ``'0.'`` for instance. Found
            if omitted.

    Raises:
        ValueError: If an array is missing or does not fit, or ``source`` holds
            several QRNNs. The link is then as it was.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNStack
        >>> from qrnn.interop import load_state_dict
        >>> weights = {'layers.0.linear.weight': np.ones((15, 6)),
        ...            'layers.0.linear.bias': np.zeros(15)}
        >>> rnn = QRNNStack(1, 3, 5, kernel_size=2)
        >>> load_state_dict(weights, rnn)
        >>> rnn[0].W.array[0, 0, ::5]  # f, z, o
        array([-1.,  1.,  1.], dtype=float32)

    """
    arrays = read_arrays(source)
    _, names = find(arrays, prefix)
    directions = _directions(link)
    if len(names) != len(directions):
        raise ValueError(
            'the arrays, from {} on, are those of {}, but {} has {}'.format(
                names[0][0][0], _DIRECTIONS[len(names)],
                type(link).__name__, _DIRECTIONS[len(directions)]))
    if len(names[0]) != len(directions[0]):
        raise ValueError(
            f'the arrays, from {names[0][0][0]} on, are those of '
            f'{len(names[0])} layers, but the link has {len(directions[0])}')
    values = []
    for layers, pairs in zip(directions, names):
        for i, (layer, (weight, bias)) in enumerate(zip(layers, pairs)):
            k, rows = layer.kernel_size, layer.b.size
            n = layer.in_size or _in_size(arrays, weight, k)
            whose = 'layer {} with pooling {!r} and kernel_size {}'.format(
                i, layer.pooling, k)
            n_gates = len(GATES[layer.pooling])
            W = fitting(arrays, weight, (rows, k * n), whose)
            b = fitting(arrays, bias, (rows,), whose)
            values.append((layer, _to_filters(W, k, n_gates),
                           _to_our_gates(b, n_gates)))
    assign(values)


def from_state_dict(source: str | Arrays, in_size: int,
                    output_gate: bool | None = None, prefix: str | None = None,
                    kind: type | None = None, dropout: float = 0., *,
                    out_size: PerLayer | None = None,
                    window: PerLayer | None = None,
                    **layer_options: Any) -> Any:
    """Make a link of weights of torchqrnn or fastai.

    The shapes tell the number of layers, their sizes and windows, given the
    number of channels that go in; the dtype is that of the arrays.

    Two things shapes do not tell. A matrix of ``(12, 8)`` belongs to window 1
    if ``in_size`` is 8, and to window 2 if it is 4, so that a wrong
    ``in_size`` may give another window: ``window`` is checked against what
    comes out. And 12 rows are 4 channels with an output gate, or 6 without.
    Where there are several layers, only one of the two fits the next layer;
    where there is one, ``output_gate`` or ``out_size`` must say it.

    Args:
        source (str or dict): As :func:`load_state_dict` takes it.
        in_size (int): Number of input channels n.
        output_gate (bool): Whether the layers have an output gate. Told by the
            shapes if omitted.
        prefix (str): What the names begin with. Found if omitted.
        kind (type): :class:`~qrnn.QRNNStack`, whose layers may here be of
            different sizes, as those of fastai's language model are, or
            :class:`~qrnn.NStepQRNN`; :class:`~qrnn.BiQRNNStack` for both
            directions; :class:`~qrnn.QRNNLayer` for a single layer. What the
            arrays are of, if omitted.
        dropout (float): Dropout between layers.
        out_size (int or sequence): Number of hidden channels m, of every layer
            or one for each, to be checked.
        window (int or sequence): Filter width, of every layer or one for each,
            to be checked.
        layer_options: Further arguments of every :class:`~qrnn.QRNNLayer`:
            ``zoneout`` and ``save_state``.

    Returns:
        ~chainer.Link: The link.

    Raises:
        ValueError: If the arrays do not fit each other or the arguments, or
            the shapes leave open what they are of.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.interop import from_state_dict
        >>> weights = {'layers.0.linear.weight': np.ones((15, 6), np.float32),
        ...            'layers.0.linear.bias': np.zeros(15, np.float32)}
        >>> rnn = from_state_dict(weights, in_size=3)
        >>> rnn(np.zeros((2, 7, 3), np.float32)).shape
        (2, 7, 5)

    """
    arrays = read_arrays(source)
    style, names = find(arrays, prefix)
    kind = _kind(kind, style, names)
    pooling, shapes = _read_shapes(
        arrays, [weight for weight, _ in names[0]], in_size, output_gate,
        out_size, window)
    kernel_sizes, sizes = zip(*shapes)
    options = dict(layer_options, pooling=pooling)
    n_layers, m = len(shapes), sizes[0]
    with chainer.using_config('dtype', arrays[names[0][0][0]].dtype):
        if kind is QRNNLayer:
            link = QRNNLayer(in_size, m, *kernel_sizes, **options)
        elif kind is NStepQRNN:
            link = NStepQRNN(n_layers, in_size, m, dropout,
                             kernel_size=kernel_sizes, **options)
        elif kind is BiQRNNStack:
            link = BiQRNNStack(n_layers, in_size, m, kernel_sizes,
                               dropout=dropout, **options)
        else:
            link = QRNNStack(0, in_size, m, dropout=dropout)
            for n, (k, m) in zip([in_size, *sizes], shapes):
                link.append(QRNNLayer(n, m, k, **options))
    load_state_dict(arrays, link, prefix)
    return link


def to_state_dict(link: chainer.Link, style: str = 'torchqrnn',
                  prefix: str = '') -> dict[str, numpy.ndarray]:
    """Return a link's weights as torchqrnn or fastai has them.

    What :func:`load_state_dict` loaded comes out as it was, to the last bit.

    Args:
        link (~chainer.Link): As :func:`load_state_dict` takes it, with windows
            of 1 or 2, which is all that they have.
        style (str): ``'torchqrnn'``, which is also that of fastai's ``QRNN``,
            and the only one for both directions; ``'torchqrnn-layer'`` for a
            layer by itself; ``'fastai'`` for its language model, with both
            copies of the weights; or ``'awd-lstm-lm'``.
        prefix (str): What the names are to begin with.

    Returns:
        dict: Arrays by name.

    Raises:
        ValueError: If the link has what they do not.

    .. admonition:: Example

        >>> from qrnn import QRNNStack
        >>> from qrnn.interop import to_state_dict
        >>> for name, array in to_state_dict(QRNNStack(1, 3, 5)).items():
        ...     print(name, array.shape)
        layers.0.linear.weight (15, 6)
        layers.0.linear.bias (15,)

    """
    if style not in NAMES:
        raise ValueError('style must be one of {}, not {!r}'.format(
            ', '.join(map(repr, NAMES)), style))
    directions = _directions(link)
    if len(directions) > 1 and style != 'torchqrnn':
        raise ValueError(
            f'style {style!r} has one direction; for both take \'torchqrnn\'')
    if style == 'torchqrnn-layer' and len(directions[0]) > 1:
        raise ValueError(
            f'style {style!r} has one layer, but the link has '
            f'{len(directions[0])}')
    arrays = {}
    for layers, pairs in zip(directions, names_of(
            style, prefix, len(directions[0]), len(directions))):
        for i, (layer, (weight, bias)) in enumerate(zip(layers, pairs)):
            arrays[weight], arrays[bias] = _to_theirs(i, layer)
            if style == 'fastai':
                arrays[weight.replace('weight_raw', 'module.weight')] = (
                    arrays[weight].copy())
    return arrays


_DIRECTIONS = {1: 'one direction', 2: 'both directions'}


def _directions(link):
    """The layers of a link that has nothing that a state dict has not."""
    if isinstance(link, QRNNLayer):
        directions = [[link]]
    elif isinstance(link, BiQRNNLayer):
        directions = [[link.ahead], [link.back]]
    elif isinstance(link, BiQRNNStack):
        directions = [list(link.ahead), list(link.back)]
    elif isinstance(link, (QRNNStack, NStepQRNN)):
        directions = [list(link)]
    else:
        raise ValueError(
            'weights of torchqrnn and fastai are those of a QRNNStack, a '
            'BiQRNNStack, an NStepQRNN or a QRNNLayer, not of '
            + type(link).__name__)
    stack = link.ahead if isinstance(link, BiQRNNStack) else link
    if len(directions[0]) > 1 and getattr(stack, 'dense', False):
        raise ValueError('torchqrnn and fastai have no dense connections')
    for layers in directions:
        for i, layer in enumerate(layers):
            if (layer.pooling not in ('f', 'fo') or layer.decoder
                    or layer.lookahead
                    or check_pooling(layer.pooling, layer.activations)
                    != ACTIVATIONS):
                raise ValueError(
                    f'layer {i} is not one that torchqrnn and fastai have: f- '
                    "or fo-pooling with the paper's activations, no "
                    'lookahead, no decoder')
    return directions


def _kind(kind, style, names):
    """The link to make of some arrays."""
    kinds = [BiQRNNStack] if len(names) > 1 else [QRNNStack, NStepQRNN]
    if len(names) == len(names[0]) == 1:
        kinds.insert(style != 'torchqrnn-layer', QRNNLayer)
    if kind not in (None, *kinds):
        raise ValueError(
            'the arrays, from {} on, are those of {}: kind must be {}, not '
            '{!r}'.format(
                names[0][0][0], _DIRECTIONS[len(names)],
                ' or '.join(each.__name__ for each in kinds), kind))
    return kind or kinds[0]


def _read_shapes(arrays, names, in_size, output_gate, out_size, window):
    """Pooling, and window and size of every layer, that fit the shapes."""
    fits, reasons = {}, []
    for pooling in 'fo', 'f':
        if output_gate in (None, pooling == 'fo'):
            shapes, n = [], in_size
            try:
                for i, name in enumerate(names):
                    shapes.append(_sizes(
                        arrays, name, n, len(GATES[pooling]),
                        _of_layer(out_size, i), _of_layer(window, i)))
                    n = shapes[-1][1]
                fits[pooling] = shapes
            except ValueError as error:
                reasons.append(error)
    if not fits:
        raise reasons[0]
    if len(fits) > 1:
        raise ValueError(
            'the array {} is of shape {}: a layer of {} channels with an '
            'output gate, or of {} without; say which by output_gate or '
            'out_size'.format(names[-1], arrays[names[-1]].shape, *(
                shapes[-1][1] for shapes in fits.values())))
    return fits.popitem()


def _of_layer(values, i):
    """What is said of a layer, if anything: one number, or one for each."""
    if values is None or isinstance(values, int):
        return values
    return values[i]


def _in_size(arrays, name, kernel_size):
    """Number of input channels of a layer that leaves it to the arrays."""
    shape = arrays[name].shape
    if len(shape) != 2 or not shape[1] or shape[1] % kernel_size:
        raise ValueError(
            'the array {} is of shape {}, but a layer with kernel_size {} '
            'takes (gates * m, {} * n)'.format(
                name, shape, kernel_size, kernel_size))
    return shape[1] // kernel_size


def _sizes(arrays, name, in_size, n_gates, out_size, window):
    """Window and number of hidden channels of a layer."""
    shape = arrays[name].shape
    windows = (1, 2) if window is None else (window,)
    if (len(shape) != 2 or shape[1] not in [k * in_size for k in windows]
            or shape[0] % n_gates
            or out_size not in (None, shape[0] // n_gates)):
        rows = f'{n_gates} * ' + ('m' if out_size is None else f'{out_size}')
        raise ValueError(
            'the array {} is of shape {}, but a layer of {} input channels, '
            'window {} and {} gates takes {}'.format(
                name, shape, in_size, ' or '.join(map(str, windows)), n_gates,
                ' or '.join(f'({rows}, {k * in_size})' for k in windows)))
    return shape[1] // in_size, shape[0] // n_gates


def _to_theirs(i, layer):
    """Weight and bias of a layer as torchqrnn has them."""
    if layer.kernel_size > 2:
        raise ValueError(
            f'layer {i} has kernel_size {layer.kernel_size}, but torchqrnn '
            'and fastai have windows of 1 and 2 only')
    if layer.W.array is None:
        raise ValueError(
            f'layer {i} has no weights yet: its in_size is still unknown')
    W, b = (chainer.get_device('@numpy').send(param.array)
            for param in (layer.W, layer.b))
    n_gates = len(GATES[layer.pooling])
    return _to_matrix(W, n_gates), _to_their_gates(b, n_gates)


def _to_filters(weight, k, n_gates):
    """(gates * m, k * n), the latest step first, to (k, n, gates * m)."""
    rows, columns = weight.shape
    steps = _to_our_gates(weight, n_gates).reshape(rows, k, columns // k)
    return steps[:, ::-1].transpose(1, 2, 0)


def _to_matrix(W, n_gates):
    """The inverse of :func:`_to_filters`."""
    k, n, rows = W.shape
    matrix = W.transpose(2, 0, 1)[:, ::-1].reshape(rows, k * n)
    return _to_their_gates(matrix, n_gates)


def _to_our_gates(rows, n_gates):
    """Rows for z, f, o to rows for f, z, o, with the sign of f changed."""
    z, f, *others = numpy.split(rows, n_gates)
    return numpy.concatenate([-f, z] + others)


def _to_their_gates(rows, n_gates):
    """The inverse of :func:`_to_our_gates`."""
    f, z, *others = numpy.split(rows, n_gates)
    return numpy.concatenate([z, -f] + others)
