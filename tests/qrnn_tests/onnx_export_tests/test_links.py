import chainer
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import LSTMLayer
from qrnn import onnx_export
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn import STRONGLY_TYPED
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform

pytest.importorskip('onnx', reason='onnx is not installed')
onnxruntime = pytest.importorskip(
    'onnxruntime', reason='onnxruntime is not installed')

SHAPES = [(B, T) for B in (1, 5) for T in (1, 17, 300)]


@pytest.fixture(autouse=True)
def evaluation():
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        yield


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options,
        providers=['CPUExecutionProvider'])


def run(session, **inputs):
    """Outputs by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def assert_close(actual, expected, atol=1e-5):
    expected = getattr(expected, 'array', expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert numpy.abs(actual - expected).max(initial=0) < atol


def batch(B, T, n=4):
    lengths = numpy.random.randint(0, T + 1, B)
    lengths[0] = T
    return uniform(B, T, n, dtype=numpy.float32), lengths


@pytest.mark.parametrize('pooling', ['f', 'fo', 'if', 'ifo'])
@pytest.mark.parametrize('k', [1, 2, 3])
def test_poolings(pooling, k):
    """One model for every batch size and number of steps."""
    layer = randomize(QRNNLayer(4, 5, k, pooling=pooling))
    plain = session(onnx_export.export(layer))
    padded = session(onnx_export.export(layer, lengths=True))
    for B, T in SHAPES:
        x, lengths = batch(B, T)
        assert_close(run(plain, x=x)['h'], layer(x))
        x[numpy.arange(T) >= lengths[:, None]] = numpy.nan
        assert_close(run(padded, x=x, lengths=lengths)['h'],
                     layer(x, lengths))


@pytest.mark.parametrize('settings', [
    *STRONGLY_TYPED.values(),
    {'pooling': 'ifo', 'activations': {
        'z': 'sigmoid', 'o': 'identity', 'i': 'tanh'}}])
def test_activations(settings):
    layer = randomize(QRNNLayer(4, 5, **settings))
    x, _ = batch(5, 17)
    model = session(onnx_export.export(layer))
    assert_close(run(model, x=x)['h'], layer(x))


@pytest.mark.parametrize('k, lookahead', [(2, 1), (3, 1), (3, 2)])
def test_lookahead(k, lookahead):
    layer = randomize(QRNNLayer(4, 5, k, lookahead=lookahead))
    plain = session(onnx_export.export(layer))
    padded = session(onnx_export.export(layer, lengths=True))
    for B, T in (1, 1), (5, 17):
        x, lengths = batch(B, T)
        assert_close(run(plain, x=x)['h'], layer(x))
        assert_close(run(padded, x=x, lengths=lengths)['h'],
                     layer(x, lengths))


@pytest.mark.parametrize('dense', [False, True])
def test_stack(dense):
    stack = randomize(QRNNStack(
        3, 4, 5, kernel_size=(3, 1, 2), dense=dense, dropout=.5, zoneout=.1))
    model = session(onnx_export.export(stack))
    for B, T in SHAPES:
        x, _ = batch(B, T)
        assert_close(run(model, x=x)['h'], stack(x))


@pytest.mark.parametrize('pooling', ['f', 'fo', 'if', 'ifo'])
def test_expectation_under_zoneout(pooling):
    layer = randomize(QRNNLayer(
        4, 5, pooling=pooling, zoneout=.4, zoneout_expectation=True))
    x, lengths = batch(5, 17)
    model = session(onnx_export.export(layer, lengths=True))
    expected = layer(x, lengths).array
    assert_close(run(model, x=x, lengths=lengths)['h'], expected)
    layer.zoneout_expectation = False
    assert abs(layer(x, lengths).array - expected).max() > .01


@pytest.mark.parametrize('options', [{}, {'kernel_size': 3, 'pooling': 'ifo'}])
def test_both_directions(options):
    layer = randomize(BiQRNNLayer(4, 5, **options))
    plain = session(onnx_export.export(layer))
    padded = session(onnx_export.export(layer, lengths=True))
    for B, T in (1, 1), (5, 17):
        x, lengths = batch(B, T)
        assert_close(run(plain, x=x)['h'], layer(x))
        assert_close(run(padded, x=x, lengths=lengths)['h'],
                     layer(x, lengths))


@pytest.mark.parametrize('kernel_size', [(1, 2), (3, 4)])
def test_state(kernel_size):
    """Cut anywhere, also into chunks shorter than the window."""
    stack = randomize(QRNNStack(2, 4, 5, kernel_size=kernel_size))
    model = session(onnx_export.export(stack, state=True))
    x, _ = batch(5, 17)
    expected, state, start = stack(x).array, {}, 0
    for T in (1, 1, 2, 10, 3):
        outputs = run(model, x=x[:, start:start + T], **state)
        assert_close(outputs.pop('h'), expected[:, start:start + T])
        state = {name.replace('next_', ''): array
                 for name, array in outputs.items()}
        start += T
    for i, layer in enumerate(stack):
        assert_close(state[f'state_{i}_c'], layer.state.c)
        if layer.kernel_size > 1:
            assert_close(state[f'state_{i}_x'], layer.state.x)


def test_state_with_lengths():
    """Every sequence goes on from its own end."""
    layer = randomize(QRNNLayer(4, 5, 3, save_state=True))
    model = session(onnx_export.export(layer, state=True, lengths=True))
    state = {}
    for _ in range(3):
        x, lengths = batch(5, 4)
        outputs = run(model, x=x, lengths=lengths, **state)
        assert_close(outputs.pop('h'), layer(x, lengths))
        state = {name.replace('next_', ''): array
                 for name, array in outputs.items()}
        assert_close(state['state_0_c'], layer.state.c)
        assert_close(state['state_0_x'], layer.state.x)


def test_float64():
    with chainer.using_config('dtype', numpy.float64):
        layer = randomize(QRNNLayer(4, 5))
    x = uniform(3, 17, 4)
    model = session(onnx_export.export(layer))
    assert_close(run(model, x=x)['h'], layer(x), atol=1e-13)


def test_file(tmp_path):
    path = tmp_path / 'layer.onnx'
    model = onnx_export.export(QRNNLayer(4, 5), path)
    assert path.read_bytes() == model.SerializeToString()


@pytest.mark.parametrize('link, state, complaint', [
    (lambda: QRNNLayer(4, 4, attention=True), False, 'decoder'),
    (lambda: QRNNStack(2, 4, 4, decoder=True), False, 'decoder'),
    (lambda: QRNNLayer(None, 4), False, 'in_size'),
    (lambda: QRNNLayer(4, 4, lookahead=1), True, 'looks ahead'),
    (lambda: BiQRNNLayer(4, 4), True, 'both directions'),
    (lambda: LSTMLayer(4, 4), False, 'not of LSTMLayer'),
])
def test_what_cannot_be_exported(link, state, complaint):
    with pytest.raises(ValueError, match=complaint):
        onnx_export.export(link(), state=state)
