"""Tests of the sizes of links that are created, loaded or copied."""
import chainer
from chainer import serializers
import numpy
import pytest

from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import NStepQRNN
from qrnn import QRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


@pytest.mark.parametrize('source, target, shapes, cause', [
    (lambda: NStepQRNN(2, 3, 5, 0.), lambda: QRNNStack(2, 3, 5),
     (r'\(2, 3, 15\)', r'\(1, 3, 15\)'), 'kernel_size'),
    (lambda: QRNNLayer(1, 5), lambda: QRNNLayer(3, 5),
     (r'\(2, 3, 15\)', r'\(2, 1, 15\)'), 'in_size'),
    (lambda: QRNNLayer(3, 5), lambda: QRNNLayer(3, 5, pooling='ifo'),
     (r'\(2, 3, 20\)', r'\(2, 3, 15\)'), 'out_size or pooling'),
    (lambda: QRNNLayer(3, 1), lambda: QRNNLayer(3, 5),
     (r'\(2, 3, 15\)', r'\(2, 3, 3\)'), 'out_size or pooling'),
    (lambda: QRNNLayer(3, 5, 1), lambda: QRNNLayer(None, 5, 2),
     (r'\(2, None, 15\)', r'\(1, 3, 15\)'), 'kernel_size'),
    (lambda: QRNN(3, 5), lambda: QRNN(3, 5, kernel_size=2),
     (r'\(2, 3, 15\)', r'\(1, 3, 15\)'), 'kernel_size'),
    (lambda: QRNNLayer(3, 5, decoder=True, encoder_size=1),
     lambda: QRNNLayer(3, 5, decoder=True, encoder_size=7),
     (r'\(15, 7\)', r'\(15, 1\)'), 'encoder_size'),
    (lambda: LSTMLayer(1, 5), lambda: LSTMLayer(3, 5),
     (r'\(20, 3\)', r'\(20, 1\)'), 'in_size'),
    (lambda: LSTMStack(2, 1, 5), lambda: LSTMStack(2, 3, 5),
     (r'\(20, 3\)', r'\(20, 1\)'), 'in_size')])
@pytest.mark.parametrize('way', ['load_npz', 'copyparams', 'hdf5-like'])
def test_other_shapes_are_rejected(source, target, shapes, cause, way,
                                   tmp_path):
    source, target = source(), target()
    if way == 'copyparams':
        def load():
            target.copyparams(source)
    else:
        path = tmp_path / 'model.npz'
        serializers.save_npz(path, source)

        def load():
            serializers.load_npz(path, target, strict=way == 'load_npz')

    ours, theirs = shapes
    with pytest.raises(
            ValueError, match=f'{ours}.*{theirs}.*another {cause}'):
        load()


def test_a_stack_of_another_number_of_layers_is_rejected():
    for ours, theirs in (2, 3), (3, 2):
        with pytest.raises(ValueError, match=f'{ours} layers.*{theirs}'):
            QRNNStack(ours, 3, 5).copyparams(QRNNStack(theirs, 3, 5))


def test_sizes_follow_the_weights(tmp_path):
    online, target = (QRNNLayer(None, 4) for _ in range(2))
    assert online.in_size is None
    twin = online.copy()
    x = uniform(2, 7, 3)
    y = online(x)
    assert online.in_size == twin.in_size == 3
    target.copyparams(online)
    assert target.in_size == 3
    assert_equal(target(x), y, 0)
    serializers.save_npz(tmp_path / 'model.npz', online)
    loaded = QRNNLayer(None, 4)
    serializers.load_npz(tmp_path / 'model.npz', loaded)
    assert loaded.in_size == 3
    assert_equal(loaded(x), y, 0)
    lstm = LSTMLayer(None, 4)
    assert lstm.in_size is None
    lstm(x)
    assert lstm.in_size == 3


def test_sizes_may_be_numpy_integers():
    two, three, five = numpy.int64(2), numpy.int32(3), numpy.int64(5)
    x = uniform(2, 4, 3)
    for link in (
            QRNNLayer(three, five, two), LSTMLayer(three, five),
            QRNNStack(two, three, five, two),
            QRNNStack(2, three, five, numpy.array([2, 3]), lookahead=two - 1),
            LSTMStack(two, three, five)):
        assert link(x).shape == (2, 4, 5)
    rnn = NStepQRNN(two, three, five, 0., kernel_size=two)
    assert rnn(None, None, list(x))[0].shape == (2, 2, 5)
    assert QRNN(three, five, kernel_size=two)(x[:, 0]).shape == (2, 5)


def test_copy_and_repeat():
    with chainer.using_config('dtype', numpy.float64):
        layer = randomize(QRNNLayer(3, 4))
    x = uniform(2, 5, 3)
    y = layer(x)
    shared = layer.copy()
    shared.reset_state()
    assert layer.state is not None  # the copy has a separate state
    assert_equal(shared(x), y, 0)
    for twin in layer.repeat(2, mode='copy'):
        assert_equal(twin(x), y, 0)
