"""Tests of links that several threads call at the same time."""
import sys
import threading

import chainer
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import BiQRNNStack
from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


n, m = 4, 5

LINKS = {
    'QRNNLayer': (lambda: QRNNLayer(n, m, 3), lambda link, x: link(x)),
    'LSTMLayer': (lambda: LSTMLayer(n, m), lambda link, x: link(x)),
    'QRNNStack': (lambda: QRNNStack(2, n, m), lambda link, x: link(x)),
    'LSTMStack': (lambda: LSTMStack(2, n, m), lambda link, x: link(x)),
    'BiQRNNLayer': (lambda: BiQRNNLayer(n, m), lambda link, x: link(x)),
    'BiQRNNStack': (lambda: BiQRNNStack(2, n, m), lambda link, x: link(x)),
    'NStepQRNN': (lambda: NStepQRNN(2, n, m, 0.),
                  lambda link, x: link(None, None, list(x))[1]),
    'NStepBiQRNN': (lambda: NStepBiQRNN(2, n, m, 0.),
                    lambda link, x: link(None, None, list(x))[1]),
    'advance': (lambda: QRNNLayer(n, m, 3), lambda link, x: _step(link, x))}


def _step(link, x):
    _, state = link.advance(x)
    return link.advance(x[:, 0], state)[0]


@pytest.fixture
def frequent_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize('name', LINKS)
def test_calls_without_carried_state(name, frequent_switches):
    make, call = LINKS[name]
    link = randomize(make())
    inputs = [uniform(b, 3, n) for b in (1, 1, 2, 3)]  # batch sizes differ
    config = {'train': False, 'enable_backprop': False}
    for key, value in config.items():
        setattr(chainer.global_config, key, value)
    expected = [call(link, x).array for x in inputs]
    faults = []

    def work(i):
        try:
            for _ in range(50):
                y = call(link, inputs[i]).array
                if not numpy.array_equal(y, expected[i]):
                    faults.append(f'thread {i}: wrong values')
        except Exception as error:
            faults.append(f'thread {i}: {error!r}')

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for key in config:
            setattr(chainer.global_config, key, True)
    assert not faults
