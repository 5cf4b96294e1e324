"""Weights of the Chainer code that the paper's authors published."""
import chainer
import numpy

from qrnn.interop.arrays import check_hooks
from qrnn.interop.arrays import get_array
from qrnn.interop.arrays import read_arrays
from qrnn.interop.arrays import set_array
from qrnn.interop.arrays import set_layers
from qrnn.links.qrnn_layer import QRNNLayer
from qrnn.links.stack import QRNNStack
from qrnn.types import Arrays


def load_chainer_core(source: str | Arrays, link: chainer.Link,
                      prefix: str = '') -> None:
    """Load weights of the QRNN code published by the paper's authors.

    A layer of that code has these arrays, with gates in the order f, z, o:

    ================  ==========================================  =========
    arrays            shapes                                      layer
    ================  ==========================================  =========
    ``W/W``, ``W/b``  ``(3 * m, n)``, ``(3 * m,)``                k = 1
    ``W/W``           ``(3 * m, n)``, for the current step        k = 2
    ``V/W``           ``(3 * m, n)``, for the previous step       k = 2
    ``V/b``           ``(3 * m,)``                                k = 2
    ``conv/W``,       ``(3 * m, n, k)``, ``(3 * m,)``             k >= 3
    ``conv/b``
    ``U/W``, ``U/b``  ``(3 * m, m)``, ``(3 * m,)``                attention
    ``o/W``, ``o/b``  ``(m, 2 * m)``, ``(m,)``                    attention
    ================  ==========================================  =========

    In that code, a decoder layer without attention starts from the last c of
    its encoder layer, and does not use the last h. Therefore the link's
    weights for the last h are set to 0.

    Args:
        source (str or dict): A ``.npz`` file written by Chainer's serializer,
            or a dict that maps names to arrays.
        link (~chainer.Link): A :class:`~qrnn.QRNNLayer` with fo-pooling, or a
            :class:`~qrnn.QRNNStack` of such layers. The names of a stack's
            arrays begin with the index of the layer, as in ``0/W/W``.
        prefix (str): Prefix of the names, such as ``'encoder/'``.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If an array is missing or has a wrong shape, if the link
            has a feature that the published code lacks, or if a link hook
            replaces a parameter. The link is not changed in these cases.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNLayer
        >>> from qrnn.interop import load_chainer_core
        >>> weights = {'W/W': np.ones((15, 3)), 'V/W': np.zeros((15, 3)),
        ...            'V/b': np.zeros(15)}
        >>> layer = QRNNLayer(3, 5, kernel_size=2)
        >>> load_chainer_core(weights, layer)
        >>> layer.W.array[:, 0, 0]  # for the previous and the current step
        array([0., 1.], dtype=float32)

    """
    if isinstance(link, QRNNStack):
        layers = {f'{prefix}{i}/': layer for i, layer in enumerate(link)}
    elif isinstance(link, QRNNLayer):
        layers = {prefix: link}
    else:
        raise ValueError(
            'link must be a QRNNLayer or a QRNNStack to load weights of the '
            f'published core, not {type(link).__name__}')
    arrays = read_arrays(source)
    values, others = [], []
    for name, layer in layers.items():
        if layer.pooling != 'fo' or layer.activations or layer.lookahead:
            raise ValueError(
                'the published core supports fo-pooling with the default '
                'activations and without lookahead only, but the layer has '
                f'pooling {layer.pooling!r}, activations {layer.activations} '
                f'and lookahead {layer.lookahead}')
        check_hooks(layer, 'W', 'b')
        if layer.decoder:
            check_hooks(layer.V, 'W')
        W, b = _filters(arrays, name, layer)
        if layer.attention:
            check_hooks(layer.attend, 'W', 'b')
            V, bias, attend = _attention(arrays, name, layer)
            b = b + bias
            others += [(layer.V.W, V)] + attend
        elif layer.decoder:
            others.append((layer.V.W, numpy.zeros(layer.V.W.shape)))
        elif name + 'U/W' in arrays:
            raise ValueError(
                f'the array {name}U/W belongs to a layer with attention, but '
                'the layer has no attention; create it with attention=True')
        values.append((layer, W, b))
    set_layers(values)
    for param, array in others:
        set_array(param, array)


def _filters(arrays, prefix, layer):
    """Return the filters, (k, n, 3 * m), and the bias, (3 * m,)."""
    k, rows = layer.kernel_size, layer.b.size
    description = f'a layer with kernel_size {k}'
    first = prefix + ('conv/W' if k > 2 else 'W/W')
    n = None
    if layer.W.array is not None:
        n = layer.W.shape[1]
    elif first in arrays and arrays[first].ndim > 1:
        n = arrays[first].shape[1]
    bias = get_array(
        arrays, prefix + ('W/b', 'V/b', 'conv/b')[min(k, 3) - 1], (rows,),
        description)
    if k > 2:
        W = get_array(arrays, first, (rows, n, k), description)
        return W.transpose(2, 1, 0), bias
    names = [first] if k == 1 else [prefix + 'V/W', first]
    return numpy.stack([
        get_array(arrays, name, (rows, n), description).T
        for name in names]), bias


def _attention(arrays, prefix, layer):
    """Return V and its bias, and (parameter, array) pairs for ``attend``."""
    m, description = layer.out_size, 'a layer with attention'
    V, b, W, attend_b = (
        get_array(arrays, prefix + name, shape, description)
        for name, shape in (
            ('U/W', (3 * m, m)), ('U/b', (3 * m,)),
            ('o/W', (m, 2 * m)), ('o/b', (m,))))
    # qrnn expects the columns for the context before the columns for c.
    W = numpy.concatenate((W[:, m:], W[:, :m]), axis=1)
    return V, b, [(layer.attend.W, W), (layer.attend.b, attend_b)]
