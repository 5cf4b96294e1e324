import chainer
from chainer.link_hooks import SpectralNormalization
from chainer.link_hooks import TimerHook
from chainer.link_hooks import WeightStandardization
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import BiQRNNStack
from qrnn import LSTMLayer
from qrnn import onnx_export
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn import STRONGLY_TYPED
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform

pytest.importorskip('onnx', reason='onnx is not installed')
pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
from qrnn_tests.onnx_export_tests.helpers import assert_close  # noqa: E402
from qrnn_tests.onnx_export_tests.helpers import Halve  # noqa: E402
from qrnn_tests.onnx_export_tests.helpers import next_state  # noqa: E402
from qrnn_tests.onnx_export_tests.helpers import run  # noqa: E402
from qrnn_tests.onnx_export_tests.helpers import session  # noqa: E402
from qrnn_tests.onnx_export_tests.helpers import shapes_of_h  # noqa: E402

SHAPES = [(B, T) for B in (1, 5) for T in (1, 17, 300)]


@pytest.fixture(autouse=True)
def evaluation():
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        yield


def batch(B, T, n=4):
    lengths = numpy.random.randint(0, T + 1, B)
    lengths[0] = T
    return uniform(B, T, n, dtype=numpy.float32), lengths


@pytest.mark.parametrize('pooling', ['f', 'fo', 'if', 'ifo'])
@pytest.mark.parametrize('k', [1, 2, 3])
def test_poolings(pooling, k):
    """One model supports all batch sizes and numbers of steps."""
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


@pytest.mark.parametrize('link', [
    BiQRNNLayer(4, 5), BiQRNNLayer(4, 5, kernel_size=3, pooling='ifo'),
    BiQRNNStack(2, 4, 5, kernel_size=(3, 1)),
    BiQRNNStack(2, 4, 5, dense=True)])
def test_both_directions(link):
    layer = randomize(link)
    plain = session(onnx_export.export(layer))
    padded = session(onnx_export.export(layer, lengths=True))
    for B, T in (1, 1), (5, 17):
        x, lengths = batch(B, T)
        assert_close(run(plain, x=x)['h'], layer(x))
        assert_close(run(padded, x=x, lengths=lengths)['h'],
                     layer(x, lengths))


@pytest.mark.parametrize('kernel_size', [(1, 2), (3, 4)])
def test_state(kernel_size):
    """Chunks of a sequence may even be shorter than the window."""
    stack = randomize(QRNNStack(2, 4, 5, kernel_size=kernel_size))
    model = session(onnx_export.export(stack, state=True))
    x, _ = batch(5, 17)
    expected, state, start = stack(x).array, {}, 0
    for T in (1, 1, 2, 10, 3):
        outputs = run(model, x=x[:, start:start + T], **state)
        assert_close(outputs.pop('h'), expected[:, start:start + T])
        state = next_state(outputs)
        start += T
    for i, layer in enumerate(stack):
        assert_close(state[f'state_{i}_c'], layer.state.c)
        if layer.kernel_size > 1:
            assert_close(state[f'state_{i}_x'], layer.state.x)


@pytest.mark.parametrize('options', [
    {'kernel_size': (1, 3)}, {'pooling': 'f'}, {'dense': True},
    {'pooling': 'ifo', 'zoneout': .4, 'zoneout_expectation': True}])
@pytest.mark.parametrize('B', [0, 1, 5])
def test_one_step(options, B):
    stack = randomize(QRNNStack(2, 4, 5, **options))
    stateful, stateless = (session(onnx_export.export(
        stack, state=state, one_step=True)) for state in (True, False))
    state = {}
    for _ in range(4):
        x = uniform(B, 4, dtype=numpy.float32)
        outputs = run(stateful, x=x, **state)
        assert_close(outputs.pop('h'), stack(x))
        state = next_state(outputs)
    for i, layer in enumerate(stack):
        assert_close(state[f'state_{i}_c'], layer.state.c)
        if layer.kernel_size > 1:
            assert_close(state[f'state_{i}_x'], layer.state.x)
    stack.reset_state()
    assert_close(run(stateless, x=x)['h'], stack(x))


def test_state_with_lengths():
    """The next state is the state after the last step of each sequence."""
    layer = randomize(QRNNLayer(4, 5, 3, save_state=True))
    model = session(onnx_export.export(layer, state=True, lengths=True))
    state = {}
    for _ in range(3):
        x, lengths = batch(5, 4)
        outputs = run(model, x=x, lengths=lengths, **state)
        assert_close(outputs.pop('h'), layer(x, lengths))
        state = next_state(outputs)
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


@pytest.mark.parametrize('link, options, message', [
    (lambda: QRNNLayer(4, 4, attention=True), '', 'add_encoder'),
    (lambda: QRNNStack(2, 4, 4, decoder=True), '', 'add_encoder'),
    (lambda: QRNNLayer(None, 4), '', 'in_size'),
    (lambda: QRNNLayer(4, 4, lookahead=1), 'state', 'lookahead.*omit state'),
    (lambda: QRNNLayer(4, 4, lookahead=1), 'one_step', 'omit one_step'),
    (lambda: BiQRNNLayer(4, 4), 'state', 'both directions'),
    (lambda: BiQRNNLayer(4, 4), 'one_step', 'both directions'),
    (lambda: BiQRNNStack(1, 4, 4), 'state', 'both directions'),
    (lambda: QRNNLayer(4, 4), 'one_step lengths', 'omit lengths'),
    (lambda: QRNNStack(0, 4, 4), '', 'not QRNNStack'),
    (lambda: LSTMLayer(4, 4), '', 'not LSTMLayer'),
])
def test_unsupported_links(link, options, message):
    with pytest.raises(ValueError, match=message):
        onnx_export.export(link(), **dict.fromkeys(options.split(), True))


EMPTY = {
    **{f'{pooling}, k = {k}': lambda pooling=pooling, k=k: QRNNLayer(
        4, 5, k, pooling=pooling)
       for pooling, k in [('f', 1), ('fo', 3), ('if', 3), ('ifo', 1)]},
    'lookahead': lambda: QRNNLayer(4, 5, 3, lookahead=1),
    'stack': lambda: QRNNStack(2, 4, 5),
    'dense': lambda: QRNNStack(2, 4, 5, dense=True),
    'both directions': lambda: BiQRNNLayer(4, 5),
    'stacks of both directions': lambda: BiQRNNStack(2, 4, 5)}


@pytest.mark.parametrize('lengths', [False, True])
@pytest.mark.parametrize('kind', EMPTY)
def test_without_sequences_or_steps(kind, lengths, tmp_path):
    """If T is 0, the model may fail. If only B is 0, it must succeed."""
    link = EMPTY[kind]()
    with_state = kind.split()[-1] not in ('lookahead', 'directions')
    model = onnx_export.export(link, state=with_state, lengths=lengths)
    shapes = (0, 7), (3, 0), (0, 0), (2, 3)
    found = shapes_of_h(model, tmp_path / 'model.onnx', [
        {'x': (B, T, 4), **({'lengths': (B,)} if lengths else {})}
        for B, T in shapes])
    for (B, T), shape in zip(shapes, found):
        assert shape == list(link(numpy.zeros((B, T, 4), 'f')).shape) or (
            T == 0 and shape is None)


def test_two_stateful_links():
    """Layers are numbered in the order in which the graph receives them."""
    graph = onnx_export.Graph('two')
    links = [randomize(QRNNStack(2, 4, 5)), randomize(QRNNLayer(5, 3))]
    h = graph.input('x', numpy.float32, ('batch', 'time', 4))
    for link in links:
        h = onnx_export.add_link(graph, link, h, state=True)
    graph.output('h', h, numpy.float32, ('batch', 'time', 3))
    two, state, x = session(graph.model()), {}, batch(5, 8)[0]
    expected = links[1](links[0](x)).array
    for part in x[:, :3], x[:, 3:]:
        outputs = run(two, x=part, **state)
        h = outputs.pop('h')
        state = next_state(outputs)
    assert_close(h, expected[:, 3:])
    assert sorted(state) == [
        f'state_{i}_{part}' for i in range(3) for part in 'cx']


@pytest.mark.parametrize('hook', [
    lambda: SpectralNormalization(20),
    lambda: SpectralNormalization(use_gamma=True, factor=2.),
    WeightStandardization, TimerHook, lambda: Halve('b')])
@pytest.mark.parametrize('make, find', [
    (lambda: QRNNLayer(4, 5), lambda link: link),
    (lambda: QRNNStack(2, 4, 5), lambda link: link[1]),
    (lambda: BiQRNNLayer(4, 5), lambda link: link.back),
    (lambda: BiQRNNStack(1, 4, 5), lambda link: link.ahead[0])])
def test_hooks(make, find, hook):
    """If a hook replaces a parameter, the new values are exported."""
    link = randomize(make())
    find(link).W.array[...] *= 10
    find(link).add_hook(hook())
    x, _ = batch(3, 7)
    with chainer.using_config('train', True):
        for _ in range(3):  # the power iteration advances in training only
            link(x)
            link.cleargrads()
    W = find(link).W.array.copy()
    assert_close(run(session(onnx_export.export(link)), x=x)['h'], link(x))
    numpy.testing.assert_array_equal(find(link).W.array, W)


def test_hooks_of_all_links():
    layer, (x, _) = randomize(QRNNLayer(4, 5)), batch(3, 7)
    with Halve('W'):
        expected, model = layer(x), onnx_export.export(layer)
    assert_close(run(session(model), x=x)['h'], expected)
    assert numpy.abs(layer(x).array - expected.array).max() > .01


@pytest.mark.parametrize('make', [
    lambda layer: layer.copy(),
    lambda layer: (lambda new: new.copyparams(layer) or new)(
        QRNNLayer(None, 5))])
def test_sizes_of_copied_weights(make):
    """A link can be exported if its weights were copied from another link."""
    layer = QRNNLayer(None, 5)
    layer(batch(3, 7)[0])
    other, (x, _) = make(layer), batch(3, 7)
    assert_close(run(session(onnx_export.export(other)), x=x)['h'], other(x))


def test_numpy_integers():
    four, five, two = map(numpy.int64, (4, 5, 2))
    link, (x, _) = QRNNLayer(four, five, two), batch(3, 7)
    model = session(onnx_export.export(link, state=True))
    assert_close(run(model, x=x)['h'], link(x))
