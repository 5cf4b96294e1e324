"""State dictionaries of torchqrnn and fastai.

Both compute, with rows of ``weight`` and ``bias`` in the order z, f, o and
the columns in the order :math:`x_t`, :math:`x_{t-1}`,

.. math::

    c_t = f_t z_t + (1 - f_t) c_{t-1}

where f is the share of what is new, not of what is kept. As
:math:`1 - \\sigma(a) = \\sigma(-a)`, our f has the weights of theirs with the
sign changed, which is exact.
"""
import re
from typing import Any

import chainer
import numpy

from qrnn.gates import ACTIVATIONS
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.interop.arrays import assign
from qrnn.interop.arrays import fitting
from qrnn.interop.arrays import read_arrays
from qrnn.links.n_step_qrnn import NStepQRNN
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.stack import QRNNStack
from qrnn.types import Arrays


#: What the arrays of a layer are called, weight and bias, by style.
_NAMES = {
    'torchqrnn': ('layers.{}.linear.weight', 'layers.{}.linear.bias'),
    # The weights before its dropout; module.weight is a copy after it.
    'fastai': ('rnns.{}.layers.0.linear.weight_raw',
               'rnns.{}.layers.0.linear.module.bias'),
    'awd-lstm-lm': ('rnns.{}.linear.module.weight_raw',
                    'rnns.{}.linear.module.bias'),
}


def load_state_dict(source: str | Arrays, link: chainer.Link,
                    prefix: str | None = None) -> None:
    """Loads weights of torchqrnn or fastai into a link.

    How the arrays are named tells which: ``layers.0.linear.weight`` in
    torchqrnn's and fastai's ``QRNN``, ``rnns.0.layers.0.linear.weight_raw`` in
    fastai's language model, ``rnns.0.linear.module.weight_raw`` in that of
    awd-lstm-lm. Other arrays, the embedding's for instance, are left alone.
    Numbers are converted to the dtype of the link.

    In evaluation, torchqrnn multiplies its f by 1 - zoneout, which no weights
    can express. fastai does not, nor does this package: what was trained by
    torchqrnn with zoneout gives other numbers here.

    Args:
        source (str or dict): A ``.npz`` or ``.safetensors`` file, or arrays by
            name.
        link (~chainer.Link): A :class:`~qrnn.QRNNStack`, a
            :class:`~qrnn.NStepQRNN` or a single :class:`~qrnn.QRNNLayer`, of
            f- or fo-pooling.
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
    names = _find(arrays, prefix)
    layers = _layers(link)
    if len(names) != len(layers):
        raise ValueError(
            'the arrays, from {} on, are those of {} layers, but the link has '
            '{}'.format(names[0][0], len(names), len(layers)))
    values = []
    for i, (layer, (weight, bias)) in enumerate(zip(layers, names)):
        k, rows = layer.kernel_size, layer.b.size
        n = layer.in_size or _in_size(arrays, weight, k)
        whose = 'layer {} with pooling {!r} and kernel_size {}'.format(
            i, layer.pooling, k)
        n_gates = len(GATES[layer.pooling])
        values.append((
            layer,
            _to_filters(
                fitting(arrays, weight, (rows, k * n), whose), k, n_gates),
            _to_our_gates(fitting(arrays, bias, (rows,), whose), n_gates)))
    assign(values)


def from_state_dict(source: str | Arrays, in_size: int,
                    output_gate: bool = True, prefix: str | None = None,
                    kind: type = QRNNStack, dropout: float = 0.,
                    **layer_options: Any) -> Any:
    """Makes a link of weights of torchqrnn or fastai.

    The shapes tell the number of layers, their sizes and windows, given the
    number of channels that go in; the dtype is that of the arrays.

    Args:
        source (str or dict): As :func:`load_state_dict` takes it.
        in_size (int): Number of input channels n.
        output_gate (bool): Whether the layers have an output gate.
        prefix (str): What the names begin with. Found if omitted.
        kind (type): :class:`~qrnn.QRNNStack`, whose layers may here be of
            different sizes, as those of fastai's language model are, or
            :class:`~qrnn.NStepQRNN`.
        dropout (float): Dropout between layers.
        layer_options: Further arguments of every :class:`~qrnn.QRNNLayer`:
            ``zoneout`` and ``save_state``.

    Returns:
        ~chainer.Link: The link.

    Raises:
        ValueError: If the arrays do not fit each other.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.interop import from_state_dict
        >>> weights = {'layers.0.linear.weight': np.ones((15, 6), np.float32),
        ...            'layers.0.linear.bias': np.zeros(15, np.float32)}
        >>> rnn = from_state_dict(weights, in_size=3)
        >>> rnn(np.zeros((2, 7, 3), np.float32)).shape
        (2, 7, 5)

    """
    if kind not in (QRNNStack, NStepQRNN):
        raise ValueError(
            'kind must be QRNNStack or NStepQRNN, not {!r}'.format(kind))
    arrays = read_arrays(source)
    names = [weight for weight, _ in _find(arrays, prefix)]
    pooling = 'fo' if output_gate else 'f'
    kernel_sizes, sizes = [], [in_size]
    for name in names:
        k, m = _sizes(arrays, name, sizes[-1], len(GATES[pooling]))
        kernel_sizes.append(k)
        sizes.append(m)
    options = dict(layer_options, pooling=pooling)
    with chainer.using_config('dtype', arrays[names[0]].dtype):
        if kind is NStepQRNN:
            link = NStepQRNN(len(names), in_size, sizes[1], dropout,
                             kernel_size=kernel_sizes, **options)
        else:
            link = QRNNStack(0, in_size, sizes[1], dropout=dropout)
            for i, k in enumerate(kernel_sizes):
                link.append(QRNNLayer(sizes[i], sizes[i + 1], k, **options))
    load_state_dict(arrays, link, prefix)
    return link


def to_state_dict(link: chainer.Link, style: str = 'torchqrnn',
                  prefix: str = '') -> dict[str, numpy.ndarray]:
    """A link's weights as torchqrnn or fastai has them.

    What :func:`load_state_dict` loaded comes out as it was, to the last bit.

    Args:
        link (~chainer.Link): As :func:`load_state_dict` takes it, with windows
            of 1 or 2, which is all that they have.
        style (str): ``'torchqrnn'``, which is also that of fastai's ``QRNN``,
            ``'fastai'`` for its language model, with both copies of the
            weights, or ``'awd-lstm-lm'``.
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
    if style not in _NAMES:
        raise ValueError('style must be one of {}, not {!r}'.format(
            ', '.join(map(repr, _NAMES)), style))
    layers = _layers(link)
    arrays = {}
    for i, layer in enumerate(layers):
        weight, bias = (prefix + name.format(i) for name in _NAMES[style])
        if layer.kernel_size > 2:
            raise ValueError(
                'layer {} has kernel_size {}, but torchqrnn and fastai have '
                'windows of 1 and 2 only'.format(i, layer.kernel_size))
        if layer.W.array is None:
            raise ValueError(
                'layer {} has no weights yet: its in_size is still '
                'unknown'.format(i))
        W, b = (chainer.get_device('@numpy').send(param.array)
                for param in (layer.W, layer.b))
        n_gates = len(GATES[layer.pooling])
        arrays[weight] = _to_matrix(W, n_gates)
        if style == 'fastai':
            arrays[weight.replace('weight_raw', 'module.weight')] = (
                arrays[weight].copy())
        arrays[bias] = _to_their_gates(b, n_gates)
    return arrays


def _find(arrays, prefix):
    """Names of the weight and the bias of each layer."""
    found = {}  # numbers of layers, by style and prefix
    for style, names in _NAMES.items():
        for pattern in names:
            pattern = r'((?:.*\.)?){}'.format(
                re.escape(pattern).replace(r'\{\}', r'(\d+)'))
            for match in filter(None, map(
                    re.compile(pattern).fullmatch, arrays)):
                if prefix in (None, match[1]):
                    found.setdefault((style, match[1]), set()).add(
                        int(match[2]))
    if not found:
        raise ValueError(
            'there is no QRNN of torchqrnn or fastai{} among the arrays {}'
            .format('' if prefix is None else ' under ' + repr(prefix),
                    ', '.join(sorted(arrays)[:8]) or '(none)'))
    if len(found) > 1:
        raise ValueError(
            'the arrays hold several QRNNs: choose one by its prefix, one of '
            '{}'.format(', '.join(sorted({repr(p) for _, p in found}))))
    (style, prefix), numbers = found.popitem()
    layers = []
    while len(layers) <= max(numbers):
        layers.append(tuple(
            prefix + name.format(len(layers)) for name in _NAMES[style]))
        for name in layers[-1]:
            if name not in arrays:
                raise ValueError('the array {} is missing'.format(name))
    return layers


def _layers(link):
    """The layers of a link that has nothing that a state dict has not."""
    if isinstance(link, QRNNLayer):
        layers = [link]
    elif isinstance(link, (QRNNStack, NStepQRNN)):
        layers = list(link)
    else:
        raise ValueError(
            'weights of torchqrnn and fastai are those of a QRNNStack, an '
            'NStepQRNN or a QRNNLayer, not of {}'.format(
                type(link).__name__))
    if len(layers) > 1 and getattr(link, 'dense', False):
        raise ValueError('torchqrnn and fastai have no dense connections')
    for i, layer in enumerate(layers):
        if (layer.pooling not in ('f', 'fo') or layer.decoder
                or layer.lookahead
                or check_pooling(layer.pooling, layer.activations)
                != ACTIVATIONS):
            raise ValueError(
                'layer {} is not one that torchqrnn and fastai have: f- or '
                "fo-pooling with the paper's activations, no lookahead, no "
                'decoder'.format(i))
    return layers


def _in_size(arrays, name, kernel_size):
    """Number of input channels of a layer that leaves it to the arrays."""
    shape = arrays[name].shape
    if len(shape) != 2 or not shape[1] or shape[1] % kernel_size:
        raise ValueError(
            'the array {} is of shape {}, but a layer with kernel_size {} '
            'takes (gates * m, {} * n)'.format(
                name, shape, kernel_size, kernel_size))
    return shape[1] // kernel_size


def _sizes(arrays, name, in_size, n_gates):
    """Window and number of hidden channels of a layer."""
    shape = arrays[name].shape
    if (len(shape) != 2 or shape[0] % n_gates
            or shape[1] not in (in_size, 2 * in_size)):
        raise ValueError(
            'the array {} is of shape {}, but a layer of {} input channels, '
            'window 1 or 2 and {} gates takes ({} * m, {}) or ({} * m, {})'
            .format(name, shape, in_size, n_gates,
                    n_gates, in_size, n_gates, 2 * in_size))
    return shape[1] // in_size, shape[0] // n_gates


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
