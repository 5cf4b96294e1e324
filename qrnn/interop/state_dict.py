"""State dictionaries of torchqrnn and fastai.

Both libraries compute

.. math::

    c_t = f_t z_t + (1 - f_t) c_{t-1},

where f is the weight of the new value, not of the previous state. Since
:math:`1 - \\sigma(a) = \\sigma(-a)`, changing the sign of the weights of f
converts them without rounding. The rows of ``weight`` and ``bias`` are in the
order z, f, o. The columns of ``weight`` are in the order :math:`x_t`,
:math:`x_{t-1}`.
"""
import operator
from typing import Any

import chainer
import numpy

from qrnn.gates import ACTIVATIONS
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.interop.arrays import check_hooks
from qrnn.interop.arrays import get_array
from qrnn.interop.arrays import read_arrays
from qrnn.interop.arrays import set_layers
from qrnn.interop.names import array_names
from qrnn.interop.names import find_qrnn
from qrnn.interop.names import NAMES
from qrnn.interop.shapes import in_size_of
from qrnn.interop.shapes import read_shapes
from qrnn.links.hooks import apply_between_hooks
from qrnn.links.hooks import to_numpy
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

    The weights are recognized by their names:

    =====================================  ===============================
    name of the first weight               model
    =====================================  ===============================
    ``layers.0.linear.weight``             ``QRNN`` of torchqrnn or fastai
    ``layers_bwd.0.linear.weight``         backward direction of fastai's
                                           bidirectional ``QRNN``
    ``linear.weight``                      a single layer
    ``rnns.0.layers.0.linear.weight_raw``  language model of fastai
    ``rnns.0.linear.module.weight_raw``    language model of awd-lstm-lm
    =====================================  ===============================

    Other arrays, such as an embedding, are ignored. Weights are converted to
    the dtype of the link.

    In evaluation, torchqrnn multiplies its f by 1 - zoneout, the expectation
    under zoneout. To reproduce this, create the link with the same ``zoneout``
    and ``zoneout_expectation=True``. fastai does not change f in evaluation,
    and neither do links by default.

    Args:
        source (str or dict): A ``.npz`` or ``.safetensors`` file, or a dict of
            arrays or tensors, such as ``dict(model.named_parameters())``.
        link (~chainer.Link): A :class:`~qrnn.QRNNStack`, a
            :class:`~qrnn.NStepQRNN` or a single :class:`~qrnn.QRNNLayer` with
            f- or fo-pooling. For two directions, a
            :class:`~qrnn.BiQRNNStack`, or a :class:`~qrnn.BiQRNNLayer` if
            there is one layer.
        prefix (str): Prefix of the names, such as ``'0.'``. Inferred if
            omitted.

    Raises:
        OSError: If the file cannot be opened.
        ImportError: If safetensors is required but not installed.
        ValueError: If an array is missing or has a wrong shape, if ``source``
            contains several QRNNs, or if a link hook replaces a parameter. The
            link is not changed in these cases.

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
    _, names = find_qrnn(arrays, prefix)
    directions = _directions(link)
    if len(names) != len(directions):
        raise ValueError(
            f'the arrays, such as {names[0][0][0]}, have '
            f'{_DIRECTIONS[len(names)]}, but {type(link).__name__} has '
            f'{_DIRECTIONS[len(directions)]}')
    if len(names[0]) != len(directions[0]):
        raise ValueError(
            f'the arrays, such as {names[0][0][0]}, have {len(names[0])} '
            f'layers, but the link has {len(directions[0])}')
    values = []
    for layers, pairs in zip(directions, names):
        for i, (layer, (weight, bias)) in enumerate(zip(layers, pairs)):
            check_hooks(layer, 'W', 'b')
            k, rows = layer.kernel_size, layer.b.size
            n = (in_size_of(arrays, weight, k) if layer.W.array is None
                 else layer.W.shape[1])
            description = (f'layer {i} with pooling {layer.pooling!r} and '
                           f'kernel_size {k}')
            n_gates = len(GATES[layer.pooling])
            W = get_array(arrays, weight, (rows, k * n), description)
            b = get_array(arrays, bias, (rows,), description)
            values.append((layer, _to_filters(W, k, n_gates),
                           _from_torch_gates(b, n_gates)))
    set_layers(values)


def from_state_dict(source: str | Arrays, in_size: int,
                    output_gate: bool | None = None, prefix: str | None = None,
                    kind: type | None = None, dropout: float = 0., *,
                    out_size: PerLayer | None = None,
                    window: PerLayer | None = None,
                    **layer_options: Any) -> Any:
    """Create a link from weights of torchqrnn or fastai.

    The number of layers and the size and window of each layer are inferred
    from ``in_size`` and the shapes of the arrays. The link has the dtype of
    the arrays.

    Shapes can be ambiguous in two ways:

    - A weight of ``(12, 8)`` has window 1 if ``in_size`` is 8, and window 2
      if ``in_size`` is 4. To detect a wrong ``in_size``, specify ``window``.
    - A layer whose weight has 12 rows has 4 channels if it has an output gate,
      or 6 if not. In a stack, only one of the two matches the shape of the
      next layer. For a single layer, specify ``output_gate`` or ``out_size``.

    Args:
        source (str or dict): A ``.npz`` or ``.safetensors`` file, or a dict of
            arrays or tensors; see :func:`load_state_dict`.
        in_size (int): Number of input channels n.
        output_gate (bool): Whether the layers have an output gate. If omitted,
            this is inferred from the shapes.
        prefix (str): Prefix of the names. Inferred if omitted.
        kind (type): Class of the link: :class:`~qrnn.QRNNStack` or
            :class:`~qrnn.NStepQRNN` for one direction,
            :class:`~qrnn.BiQRNNStack` for two directions, or
            :class:`~qrnn.QRNNLayer` for a single layer. Layers of different
            sizes, as in fastai's language model, require a ``QRNNStack``. If
            omitted, the class is inferred from the names.
        dropout (float): Dropout ratio between layers.
        out_size (int or sequence): Expected number of hidden channels m, a
            number for all layers or one per layer. Not checked if omitted.
        window (int or sequence): Expected filter width, a number for all
            layers or one per layer. Not checked if omitted.
        layer_options: Further arguments of every :class:`~qrnn.QRNNLayer`:
            ``zoneout``, ``zoneout_expectation`` (see :func:`load_state_dict`)
            and ``save_state``.

    Returns:
        ~chainer.Link: The link with the weights.

    Raises:
        OSError: If the file cannot be opened.
        ImportError: If safetensors is required but not installed.
        ValueError: If the shapes contradict each other or the arguments, or
            if they are ambiguous.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.interop import from_state_dict
        >>> weights = {'layers.0.linear.weight': np.ones((15, 6), np.float32),
        ...            'layers.0.linear.bias': np.zeros(15, np.float32)}
        >>> rnn = from_state_dict(weights, in_size=3)
        >>> rnn(np.zeros((2, 7, 3), np.float32)).shape
        (2, 7, 5)

    """
    in_size = operator.index(in_size)
    arrays = read_arrays(source)
    style, names = find_qrnn(arrays, prefix)
    kind = _kind(kind, style, names)
    pooling, shapes = read_shapes(
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
    """Return the weights of a link in the format of torchqrnn or fastai.

    Weights that :func:`load_state_dict` loaded without changing their dtype
    are returned bit for bit. If a link hook replaces a parameter, the result
    contains the values that the link uses in evaluation.

    Args:
        link (~chainer.Link): A link that :func:`load_state_dict` supports. Its
            windows must be 1 or 2, because the other libraries do not support
            larger windows.
        style (str): Format of the names. ``'torchqrnn'`` is the format of
            ``QRNN`` in torchqrnn and fastai; it is required for two
            directions. ``'torchqrnn-layer'`` is the format of a single layer.
            ``'fastai'`` is the format of fastai's language model, which
            contains two copies of each weight. ``'awd-lstm-lm'`` is the format
            of the language model of awd-lstm-lm.
        prefix (str): Prefix of the names.

    Returns:
        dict: NumPy arrays; the keys are the names.

    Raises:
        ValueError: If the link has features that the other libraries lack, or
            if ``style`` is unknown.

    .. admonition:: Example

        >>> from qrnn import QRNNStack
        >>> from qrnn.interop import to_state_dict
        >>> for name, array in to_state_dict(QRNNStack(1, 3, 5)).items():
        ...     print(name, array.shape)
        layers.0.linear.weight (15, 6)
        layers.0.linear.bias (15,)

    """
    if style not in NAMES:
        raise ValueError(f'style must be one of {", ".join(map(repr, NAMES))},'
                         f' not {style!r}')
    directions = _directions(link)
    if len(directions) > 1 and style != 'torchqrnn':
        raise ValueError(
            f"style {style!r} supports one direction only; use 'torchqrnn' "
            f'for a {type(link).__name__}')
    if style == 'torchqrnn-layer' and len(directions[0]) > 1:
        raise ValueError(
            f'style {style!r} supports a single layer, but the link has '
            f"{len(directions[0])}; use 'torchqrnn'")
    arrays = {}
    for layers, pairs in zip(directions, array_names(
            style, prefix, len(directions[0]), len(directions))):
        for i, (layer, (weight, bias)) in enumerate(zip(layers, pairs)):
            arrays[weight], arrays[bias] = _to_torch(i, layer)
            if style == 'fastai':
                arrays[weight.replace('weight_raw', 'module.weight')] = (
                    arrays[weight].copy())
    return arrays


_DIRECTIONS = {1: 'one direction', 2: 'two directions'}


def _directions(link):
    """Check that a link is supported; return the layers of each direction."""
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
            'link must be a QRNNStack, NStepQRNN, QRNNLayer, BiQRNNStack or '
            'BiQRNNLayer to exchange weights with torchqrnn and fastai, not '
            f'{type(link).__name__}')
    stack = link.ahead if isinstance(link, BiQRNNStack) else link
    if len(directions[0]) > 1 and getattr(stack, 'dense', False):
        raise ValueError(
            'torchqrnn and fastai do not support dense connections; the link '
            'has dense=True')
    for layers in directions:
        for i, layer in enumerate(layers):
            if (layer.pooling not in ('f', 'fo') or layer.decoder
                    or layer.lookahead
                    or check_pooling(layer.pooling, layer.activations)
                    != ACTIVATIONS):
                raise ValueError(
                    f'layer {i} is not supported by torchqrnn and fastai, '
                    'which have f- and fo-pooling with the default '
                    'activations, no lookahead and no decoder')
    return directions


def _kind(kind, style, names):
    """Return the class of the link to create."""
    kinds = [BiQRNNStack] if len(names) > 1 else [QRNNStack, NStepQRNN]
    if len(names) == len(names[0]) == 1:
        kinds.insert(style != 'torchqrnn-layer', QRNNLayer)
    if kind not in (None, *kinds):
        raise ValueError(
            f'the arrays, such as {names[0][0][0]}, have '
            f'{_DIRECTIONS[len(names)]}: kind must be '
            f'{" or ".join(k.__name__ for k in kinds)}, not {kind!r}')
    return kind or kinds[0]


def _to_torch(i, layer):
    """Return the weight and the bias of a layer in torchqrnn's format."""
    if layer.kernel_size > 2:
        raise ValueError(
            f'layer {i} has kernel_size {layer.kernel_size}, but torchqrnn '
            'and fastai support windows of 1 and 2 only')
    if layer.W.array is None:
        raise ValueError(
            f'layer {i} has no weights yet, because its in_size is unknown; '
            'call the link once or specify in_size')
    W, b = apply_between_hooks(
        layer, lambda layer: to_numpy(layer.W, layer.b))
    n_gates = len(GATES[layer.pooling])
    return _to_matrix(W, n_gates), _to_torch_gates(b, n_gates)


def _to_filters(weight, k, n_gates):
    """Convert a weight of torchqrnn to filters, ``(k, n, gates * m)``.

    The shape of the weight is ``(gates * m, k * n)``. Its first n columns
    belong to the current step.
    """
    rows, columns = weight.shape
    steps = _from_torch_gates(weight, n_gates).reshape(rows, k, columns // k)
    return steps[:, ::-1].transpose(1, 2, 0)


def _to_matrix(W, n_gates):
    """Convert filters back to a torchqrnn weight; see :func:`_to_filters`."""
    k, n, rows = W.shape
    matrix = W.transpose(2, 0, 1)[:, ::-1].reshape(rows, k * n)
    return _to_torch_gates(matrix, n_gates)


def _from_torch_gates(rows, n_gates):
    """Reorder rows of the gates z, f and o to f, z and o, and negate f."""
    z, f, *others = numpy.split(rows, n_gates)
    return numpy.concatenate([-f, z] + others)


def _to_torch_gates(rows, n_gates):
    """Reorder rows of the gates f, z and o to z, f and o, and negate f."""
    f, z, *others = numpy.split(rows, n_gates)
    return numpy.concatenate([z, -f] + others)
