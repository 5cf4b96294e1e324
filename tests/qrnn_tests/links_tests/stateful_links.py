"""Parametrizations of tests that apply to all stateful links."""
import functools

import chainer
import pytest

from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import QRNNLayer
from qrnn import QRNNStack


SIZES = B, T, n, m = 3, 12, 4, 5

LAYERS = {
    'qrnn-k1': functools.partial(QRNNLayer, n, m, 1),
    'qrnn-k4': functools.partial(QRNNLayer, n, m, 4),
    'f-pooling': functools.partial(QRNNLayer, n, m, pooling='f'),
    'lstm': functools.partial(LSTMLayer, n, m)}
LINKS = {
    **LAYERS,
    'stack': functools.partial(QRNNStack, 2, n, m, (3, 2)),
    'dense': functools.partial(QRNNStack, 2, n, m, dense=True),
    'lstm-stack': functools.partial(LSTMStack, 2, n, m)}

layers = pytest.mark.parametrize('make', list(LAYERS.values()), ids=LAYERS)
links = pytest.mark.parametrize('make', list(LINKS.values()), ids=LINKS)


def parts_of(link):
    """Return a list of all Variables in the state of a link."""
    states = link.state if isinstance(link, chainer.ChainList) else [
        link.state]
    return [part for state in states for part in state if part is not None]
