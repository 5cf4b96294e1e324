"""Export of encoders and decoders, as one graph and as two graphs."""
import chainer
import numpy
import pytest

from qrnn import onnx_export
from qrnn import QRNNStack
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


@pytest.fixture(autouse=True)
def evaluation():
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        yield


def one_graph(encoder, decoder, lengths, state=False):
    """Return a model that contains an encoder and a decoder."""
    graph = onnx_export.Graph('both')
    n, m = encoder[0].W.shape[1], 5
    x = graph.input('x', 'f', ('batch', 'source', n))
    y = graph.input('y', 'f', ('batch', 'target', 4))
    n_source, n_target = (
        graph.input(name, numpy.int64, ('batch',)) if lengths else None
        for name in ('n_source', 'n_target'))
    encoded = onnx_export.add_encoder(graph, encoder, decoder, x, n_source)
    h = onnx_export.add_link(graph, decoder, y, n_target, state, encoded)
    graph.output('h', h, 'f', ('batch', 'target', m))
    return graph.model()


def links(n_layers=2, **options):
    encoder = QRNNStack(n_layers, 4, 5, lookahead=1)
    return randomize(encoder), randomize(
        QRNNStack(n_layers, 4, 5, **options))


def in_chainer(encoder, decoder, x, y, n_source=None, n_target=None):
    decoder.init(encoder_h=encoder.encode(x, n_source), lengths=n_source)
    return decoder(y, n_target)


def batch(B, S, T):
    x, y = (uniform(B, n, 4, dtype=numpy.float32) for n in (S, T))
    n_source, n_target = (
        numpy.random.randint(0, n + 1, B) for n in (S, T))
    return x, y, n_source, n_target


OPTIONS = [
    {'attention': True}, {'decoder': True},
    {'attention': True, 'kernel_size': 1, 'pooling': 'ifo',
     'activations': {'o': 'tanh'}}]


@pytest.mark.parametrize('options', OPTIONS)
def test_whole_sequences(options):
    encoder, decoder = links(**options)
    plain = session(one_graph(encoder, decoder, False))
    padded = session(one_graph(encoder, decoder, True))
    for shape in (1, 1, 1), (3, 7, 4):
        x, y, n_source, n_target = batch(*shape)
        assert_close(run(plain, x=x, y=y)['h'],
                     in_chainer(encoder, decoder, x, y))
        x[numpy.arange(shape[1]) >= n_source[:, None]] = numpy.nan
        y[numpy.arange(shape[2]) >= n_target[:, None]] = numpy.nan
        assert_close(
            run(padded, x=x, y=y, n_source=n_source, n_target=n_target)['h'],
            in_chainer(encoder, decoder, x, y, n_source, n_target))


def two_graphs(encoder, decoder, one_step):
    """Return sessions of two models, an encoder and a decoder.

    The outputs of the encoder are inputs of the decoder.
    """
    steps = () if one_step else ('target',)
    graph = onnx_export.Graph('encoder')
    x = graph.input('x', 'f', ('batch', 'source', 4))
    lengths = graph.input('lengths', numpy.int64, ('batch',))
    encoded = onnx_export.add_encoder(graph, encoder, decoder, x, lengths)
    for i, each in enumerate(encoded):
        graph.output(f'bias_{i}', each.bias, 'f', ('batch', None))
    graph.output('memory', encoded[-1].h, 'f', ('batch', 'source', 5))
    first = graph.model()
    graph = onnx_export.Graph('decoder')
    y = graph.input('y', 'f', ('batch', *steps, 4))
    encoded = [
        onnx_export.Encoded(graph.input(f'bias_{i}', 'f', ('sources', 15)))
        for i in range(len(encoded))]
    encoded[-1] = encoded[-1]._replace(
        h=graph.input('memory', 'f', ('sources', 'source', 5)),
        lengths=graph.input('lengths', numpy.int64, ('sources',)))
    h = onnx_export.add_link(graph, decoder, y, state=True, encoded=encoded,
                             one_step=one_step)
    graph.output('h', h, 'f', ('batch', *steps, 5))
    return session(first), session(graph.model())


@pytest.mark.parametrize('one_step', [False, True])
def test_step_by_step(one_step):
    encoder, decoder = links(attention=True)
    first, step = two_graphs(encoder, decoder, one_step)
    x, y, lengths, _ = batch(3, 7, 5)
    expected = in_chainer(encoder, decoder, x, y, lengths).array
    encoded = dict(run(first, x=x, lengths=lengths), lengths=lengths)
    state = {}
    for t in range(5):
        at = t if one_step else slice(t, t + 1)
        outputs = run(step, y=y[:, at], **encoded, **state)
        assert_close(outputs.pop('h'), expected[:, at])
        state = next_state(outputs)


@pytest.mark.parametrize('one_step', [False, True])
def test_shared_source(one_step):
    encoder, decoder = links(attention=True)
    first, decode = two_graphs(encoder, decoder, one_step)
    x, lengths = batch(1, 7, 5)[0], numpy.array([6])
    y = uniform(4, 5, 4, dtype=numpy.float32)
    if one_step:
        y = y[:, 0]
    encoded = dict(run(first, x=x, lengths=lengths), lengths=lengths)
    assert_close(run(decode, y=y, **encoded)['h'],
                 in_chainer(encoder, decoder, x, y, lengths))


@pytest.mark.parametrize('options', OPTIONS)
@pytest.mark.parametrize('lengths', [False, True])
def test_without_sequences_or_steps(options, lengths, tmp_path):
    """If S or T is 0, the model may fail. If only B is 0, it must succeed."""
    model = one_graph(*links(**options), lengths, state=True)
    shapes = (0, 7, 5), (3, 0, 5), (3, 7, 0), (0, 0, 0), (2, 3, 4)
    found = shapes_of_h(model, tmp_path / 'model.onnx', [
        {'x': (B, S, 4), 'y': (B, T, 4),
         **({'n_source': (B,), 'n_target': (B,)} if lengths else {})}
        for B, S, T in shapes])
    for (B, S, T), shape in zip(shapes, found):
        assert shape == [B, T, 5] or (shape is None and 0 in (S, T))


@pytest.mark.parametrize('name', ['V', 'attend'])
def test_hooks(name):
    encoder, decoder = links(1, attention=True)
    x, y, _, _ = batch(3, 7, 5)
    link = getattr(decoder[0], name)
    link.W.array[...] *= .5
    expected = in_chainer(encoder, decoder, x, y)
    link.W.array[...] *= 2
    link.add_hook(Halve('W'))
    model = session(one_graph(encoder, decoder, False))
    assert_close(run(model, x=x, y=y)['h'], expected)


def test_invalid_decoder():
    encoder, decoder = links(attention=True)
    for other in encoder, decoder[-1]:
        with pytest.raises(ValueError, match='as many decoder layers'):
            one_graph(encoder, other, False)
    graph = onnx_export.Graph('decoder')
    x = graph.input('x', 'f', ('batch', 'time', 4))
    with pytest.raises(ValueError, match='for 1 are given'):
        onnx_export.add_link(
            graph, decoder, x, encoded=[onnx_export.Encoded(x)])
