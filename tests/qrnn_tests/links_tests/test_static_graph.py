"""Tests that recurrent links raise an error inside chainer.static_graph."""
import chainer
import pytest

from qrnn import BiQRNNLayer
from qrnn import LSTMLayer
from qrnn import NStepQRNN
from qrnn import QRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import uniform


class Model(chainer.Chain):

    def __init__(self, make, call):
        super().__init__()
        self.call = call
        with self.init_scope():
            self.rnn = make()

    @chainer.static_graph
    def static(self, x):
        return self.call(self.rnn, x)

    def forward(self, x):
        return self.call(self.rnn, x)


@pytest.mark.filterwarnings('ignore:.*static_graph:FutureWarning')
@pytest.mark.parametrize('make, call', [
    (lambda: QRNNLayer(3, 5), lambda rnn, x: rnn(x)),
    (lambda: LSTMLayer(3, 5), lambda rnn, x: rnn(x)),
    (lambda: QRNNStack(2, 3, 5), lambda rnn, x: rnn(x)),
    (lambda: BiQRNNLayer(3, 5), lambda rnn, x: rnn(x)),
    (lambda: QRNN(3, 5), lambda rnn, x: rnn(x[:, 0])),
    (lambda: NStepQRNN(2, 3, 5, 0.),
     lambda rnn, x: rnn(None, None, list(x))[2][0])])
def test_rejected(make, call):
    model, x = Model(make, call), uniform(2, 4, 3)
    with pytest.raises(RuntimeError, match='remove the decorator'):
        model.static(x)
    with chainer.using_config('use_static_graph', False):
        y = model.static(x)
    if isinstance(model.rnn, QRNN):
        model.rnn.reset_state()
    assert_equal(model(x), y)
