"""Weights of the core that the authors published for Chainer."""
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
    """Load weights of the authors' published core into a link.

    Its layers hold, in the order f, z, o,

    ================  =========================================  =========
    arrays            shapes                                     layer
    ================  =========================================  =========
    ``W/W``, ``W/b``  ``(3 * m, n)``, ``(3 * m,)``               k = 1
    ``W/W``,          ``(3 * m, n)`` for this step,              k = 2
    ``V/W``, ``V/b``  ``(3 * m, n)`` for the last, ``(3 * m,)``
    ``conv/W``,       ``(3 * m, n, k)``, ``(3 * m,)``            k >= 3
    ``conv/b``
    ``U/W``, ``U/b``  ``(3 * m, m)``, ``(3 * m,)``               attention
    ``o/W``, ``o/b``  ``(m, 2 * m)``, ``(m,)``                   attention
    ================  =========================================  =========

    There a decoder layer without attention only starts from its encoder's last
    c: our ``V``, the weights of its last h, is set to 0.

    Args:
        source (str or dict): A ``.npz`` file as Chainer's serializer writes
            it, or arrays by name.
        link (~chainer.Link): A :class:`~qrnn.QRNNLayer` of fo-pooling, or a
            :class:`~qrnn.QRNNStack` of them, whose layers' names begin with
            their number, as in ``0/W/W``.
        prefix (str): Prefix of the names, such as ``'encoder/'``.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If an array is missing or does not fit, the link has a
            feature that the core lacks, or a link hook replaces a parameter.
            The link is then as it was.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import QRNNLayer
        >>> from qrnn.interop import load_chainer_core
        >>> weights = {'W/W': np.ones((15, 3)), 'V/W': np.zeros((15, 3)),
        ...            'V/b': np.zeros(15)}
        >>> layer = QRNNLayer(3, 5, kernel_size=2)
        >>> load_chainer_core(weights, layer)
        >>> layer.W.array[:, 0, 0]  # of the last step, of this one
        array([0., 1.], dtype=float32)

    """
    if isinstance(link, QRNNStack):
        layers = {f'{prefix}{i}/': layer for i, layer in enumerate(link)}
    elif isinstance(link, QRNNLayer):
        layers = {prefix: link}
    else:
        raise ValueError(
            'weights of the published core are those of a QRNNLayer or a '
            f'QRNNStack, not of {type(link).__name__}')
    arrays = read_arrays(source)
    values, others = [], []
    for name, layer in layers.items():
        if layer.pooling != 'fo' or layer.activations or layer.lookahead:
            raise ValueError(
                'the published core has fo-pooling only, with the default '
                'activations and without lookahead')
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
                'this one has none')
        values.append((layer, W, b))
    set_layers(values)
    for param, array in others:
        set_array(param, array)


def _filters(arrays, prefix, layer):
    """Return filters, (k, n, 3 * m), and bias, (3 * m,)."""
    k, rows = layer.kernel_size, layer.b.size
    taker = f'a layer with kernel_size {k}'
    first = prefix + ('conv/W' if k > 2 else 'W/W')
    n = None
    if layer.W.array is not None:
        n = layer.W.shape[1]
    elif first in arrays and arrays[first].ndim > 1:
        n = arrays[first].shape[1]
    bias = get_array(
        arrays, prefix + ('W/b', 'V/b', 'conv/b')[min(k, 3) - 1], (rows,),
        taker)
    if k > 2:
        W = get_array(arrays, first, (rows, n, k), taker)
        return W.transpose(2, 1, 0), bias
    names = [first] if k == 1 else [prefix + 'V/W', first]
    return numpy.stack([
        get_array(arrays, name, (rows, n), taker).T for name in names]), bias


def _attention(arrays, prefix, layer):
    """Return V, the bias that goes with it, and the pairs to set attend."""
    m, taker = layer.out_size, 'a layer with attention'
    V, b, W, attend_b = (
        get_array(arrays, prefix + name, shape, taker) for name, shape in (
            ('U/W', (3 * m, m)), ('U/b', (3 * m,)),
            ('o/W', (m, 2 * m)), ('o/b', (m,))))
    # Their inputs are c and its context, ours the context and c.
    W = numpy.concatenate((W[:, m:], W[:, :m]), axis=1)
    return V, b, [(layer.attend.W, W), (layer.attend.b, attend_b)]
