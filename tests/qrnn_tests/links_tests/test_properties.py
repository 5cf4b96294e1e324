"""Property tests of the links with random options, lengths and strides."""
import chainer
import chainer.functions as F
import numpy
import pytest

from qrnn import BiQRNNLayer
from qrnn import LSTMLayer
from qrnn import LSTMStack
from qrnn import masked_convolution_ref
from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNN
from qrnn import qrnn_pooling_ref
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests import strategies
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import backward
from qrnn_tests.helpers import feed
from qrnn_tests.helpers import randomize
from qrnn_tests.strategies import arrays
from qrnn_tests.strategies import batch_sizes
from qrnn_tests.strategies import given
from qrnn_tests.strategies import lengths
from qrnn_tests.strategies import maybe
from qrnn_tests.strategies import n_steps
from qrnn_tests.strategies import orders
from qrnn_tests.strategies import spoiled
from qrnn_tests.strategies import st


sizes = some_sequences = st.integers(1, 4)


def options(**others):
    return st.fixed_dictionaries({
        'kernel_size': strategies.kernel_sizes,
        'pooling': strategies.poolings, **others})


@st.composite
def layers(draw, attention=False, **fixed):
    """Draw a QRNN or LSTM layer or stack with random options."""
    kind = draw(st.sampled_from([QRNNLayer, QRNNStack, LSTMLayer, LSTMStack]))
    args, given = [], dict(fixed, attention=attention)
    if kind in (QRNNLayer, QRNNStack):
        given.update(draw(options(activations=strategies.activations())))
        if attention:
            given['pooling'] = draw(st.sampled_from(['fo', 'ifo']))
    if kind in (QRNNStack, LSTMStack):
        args = [draw(st.integers(1, 3))]
        given['dense'] = draw(st.booleans())
    return randomize(kind(*args, draw(sizes), draw(sizes), **given))


def in_size(layer):
    return (layer[0] if isinstance(layer, chainer.ChainList) else layer
            ).in_size


def out_size(layer):
    return (layer[-1] if isinstance(layer, chainer.ChainList) else layer
            ).out_size


@given(st.data(), options(), sizes, sizes, batch_sizes, n_steps,
       strategies.dtypes, strategies.paddings)
def test_layer(data, options, n, m, B, T, dtype, padding):
    k, pooling = options['kernel_size'], options['pooling']
    activations = data.draw(strategies.activations(dtype))
    channels = strategies.POOLINGS[pooling] * m
    ends = data.draw(maybe(lengths(B, T)))
    goes_on, lookahead = data.draw(st.booleans()), 0
    if not goes_on:
        lookahead = data.draw(st.integers(0, k - 1))
    with chainer.using_config('dtype', dtype):
        layer = QRNNLayer(
            n, m, save_state=goes_on, lookahead=lookahead,
            activations=activations, **options)

    def run(x, W, b, c0, x0):
        layer.W, layer.b = W, b  # W and b are Variables with gradients
        layer.state = None if c0 is None else (c0, x0)
        h = layer(x, ends)
        return h, layer.state.c

    def reference(x, W, b, c0, x0):
        u = masked_convolution_ref(x, W, x0, ends, lookahead)
        h, _, c_last = qrnn_pooling_ref(
            u, b, c0, ends, pooling, activations=activations)
        return h, c_last

    x = data.draw(strategies.layouts(
        spoiled(data.draw(arrays(B, T, n, dtype=dtype)), ends, padding)))
    strategies.compare(data, run, reference, [x] + [
        data.draw(arrays(*shape, dtype=dtype))
        for shape in [(k, n, channels), (channels,)]] + [
        data.draw(arrays(*shape, dtype=dtype)) if goes_on else None
        for shape in [(B, m), (B, k - 1, n)]])


@st.composite
def cuts(draw, T):
    """Draw the sizes of the chunks into which T steps are split.

    Some sizes of 1 are replaced by ``'step'``: a step without a time axis.
    """
    return [draw(st.sampled_from([1, 'step'])) if size == 1 else size
            for size in draw(strategies.pieces(T))]


@given(st.data(), layers(save_state=True), batch_sizes, n_steps)
def test_cut_anywhere(data, layer, B, T):
    array = data.draw(arrays(B, T, in_size(layer)))
    gy = data.draw(arrays(B, T, out_size(layer)))

    def run(chunks):
        layer.reset_state()
        x = chainer.Variable(array)
        y = feed(layer, x, chunks)
        return [y] + backward(layer, [y], [gy], [x])

    assert_equal(run(data.draw(cuts(T))), run([T]))


@given(st.data(), layers(save_state=True), batch_sizes, n_steps)
def test_cut_anywhere_with_lengths(data, layer, B, T):
    array = data.draw(arrays(B, T, in_size(layer)))
    gy = data.draw(arrays(B, T, out_size(layer)))
    ends = numpy.array(data.draw(lengths(B, T)))

    def run(sizes):
        layer.reset_state()
        x, ys, start = chainer.Variable(array), [], 0
        for size in sizes:
            ys.append(layer(x[:, start:start + size],
                            numpy.clip(ends - start, 0, size)))
            start += size
        y = F.concat(ys, axis=1)
        return [y] + backward(layer, [y], [gy], [x])

    assert_equal(run(data.draw(strategies.pieces(T))), run([T]))


decoders = layers(save_state=True, attention=True) | layers(
    save_state=True, decoder=True)


@given(st.data(), decoders, batch_sizes, n_steps, st.integers(1, 5))
def test_decoder_cut_anywhere(data, layer, B, T, S):
    array = data.draw(arrays(B, T, in_size(layer)))
    gy = data.draw(arrays(B, T, out_size(layer)))
    encoding = data.draw(arrays(B, S, out_size(layer)))
    ends = data.draw(maybe(lengths(B, S)))

    def run(chunks):
        x, e = chainer.Variable(array), chainer.Variable(encoding)
        layer.init(
            encoder_h=len(layer) * [e]
            if isinstance(layer, chainer.ChainList) else e, lengths=ends)
        y = feed(layer, x, chunks)
        return [y] + backward(layer, [y], [gy], [x, e])

    assert_equal(run(data.draw(cuts(T))), run([T]))


def bidirectional(draw):
    return randomize(BiQRNNLayer(
        draw(sizes), draw(sizes),
        **draw(options(activations=strategies.activations()))))


any_layers = layers() | st.composite(bidirectional)()


@given(st.data(), any_layers, some_sequences, n_steps, strategies.paddings)
def test_padding_and_order(data, layer, B, T, padding):
    """Results depend neither on the padding nor on other sequences."""
    if isinstance(layer, BiQRNNLayer):
        n, m = layer.ahead.in_size, 2 * layer.ahead.out_size
    else:
        n, m = in_size(layer), out_size(layer)
    array, gy = data.draw(arrays(B, T, n)), data.draw(arrays(B, T, m))
    ends, order = data.draw(lengths(B, T)), data.draw(orders(B))

    def run(array, gy, ends):
        x = chainer.Variable(array)
        y = layer(x, ends)
        return [y.array] + backward(layer, [y], [gy], [x])

    y, gx, *gparams = run(
        spoiled(array, ends, padding)[order], gy[order],
        [ends[i] for i in order])
    alone = [run(array[i:i + 1, :ends[i]], gy[i:i + 1, :ends[i]], None)
             for i in range(B)]
    for row, i in enumerate(order):
        for actual, expected in zip((y, gx), alone[i]):
            assert_equal(actual[row, :ends[i]], expected[0])
            assert (actual[row, ends[i]:] == 0).all()
    assert_equal(gparams, [sum(g) for g in list(zip(*alone))[2:]], 1e-11)


@given(st.data(), st.composite(bidirectional)(), batch_sizes, n_steps)
def test_both_directions(data, layer, B, T):
    """With equal weights, reversing the input swaps the two directions."""
    x = data.draw(arrays(B, T, layer.ahead.in_size))
    y = layer(x).array
    layer.ahead.copyparams(layer.back)
    ahead, back = numpy.split(layer(x[:, ::-1]).array[:, ::-1], 2, axis=2)
    assert_equal(ahead, back_of(y))
    assert_equal(back, back_of(y) * 0 + layer.ahead(x).array)


def back_of(y):
    return y[:, :, y.shape[2] // 2:]


@st.composite
def n_step_links(draw):
    n_layers = draw(st.integers(1, 3))
    return randomize(draw(st.sampled_from([NStepQRNN, NStepBiQRNN]))(
        n_layers, draw(sizes), draw(sizes), dropout=0.,
        kernel_size=[draw(strategies.kernel_sizes) for _ in range(n_layers)],
        pooling=draw(strategies.poolings)))


# If the first layer has k > 1, a call with hx warns.
any_window = pytest.mark.filterwarnings('ignore:hx does not include')


@any_window
@given(st.data(), n_step_links(), some_sequences)
def test_n_step(data, link, B):
    """Results depend neither on the batch order nor on other sequences."""
    n = in_size(link)
    xs = [data.draw(arrays(data.draw(st.integers(0, 20)), n))
          for _ in range(B)]
    states = [data.draw(maybe(arrays(len(link), B, link.out_size)))
              for _ in range(2)]
    order = data.draw(orders(B))

    def run(indices):
        parts = [xs[i] for i in indices]
        hy, cy, ys = link(*(
            None if s is None else s[:, indices] for s in states), parts)
        return [hy.array, cy.array] + ys

    hy, cy, *ys = run(order)
    for row, i in enumerate(order):
        h, c, y = run([i])
        assert_equal([hy[:, row], cy[:, row], ys[row]], [h[:, 0], c[:, 0], y])


@given(st.data(), sizes, sizes, some_sequences, st.integers(1, 3),
       strategies.poolings)
def test_n_step_in_pieces(data, n, m, B, n_layers, pooling):
    """Two calls on parts of the sequences equal one call on whole sequences.

    This requires k = 1 in the first layer and k <= 2 in all other layers.
    """
    link = randomize(NStepQRNN(
        n_layers, n, m, dropout=0., pooling=pooling,
        kernel_size=[1, 2, 2][:n_layers]))
    xs = [data.draw(arrays(data.draw(n_steps), n)) for _ in range(B)]
    hx, cx = (data.draw(maybe(arrays(n_layers, B, m))) for _ in range(2))
    expected = link(hx, cx, xs)
    cut = [data.draw(st.integers(0, len(x))) for x in xs]
    h, c, first = link(hx, cx, [x[:i] for x, i in zip(xs, cut)])
    h, c, second = link(h, c, [x[i:] for x, i in zip(xs, cut)])
    ys = [F.concat(parts, axis=0) for parts in zip(first, second)]
    assert_equal([h, c, *ys], [*expected[:2], *expected[2]])


@any_window
@given(st.data(), n_step_links(), some_sequences)
def test_n_step_derivatives(data, link, B):
    inputs = [data.draw(arrays(data.draw(st.integers(1, 5)), in_size(link)))
              for _ in range(B)]
    inputs += [data.draw(arrays(len(link), B, link.out_size))
               for _ in range(2)]

    def run(*inputs):
        hy, cy, ys = link(*inputs[B:], inputs[:B])
        return hy, cy, *ys

    strategies.compare(
        data, run, lambda *inputs: tuple(y.array for y in run(*inputs)),
        inputs)


@given(st.data(), sizes, sizes, batch_sizes, n_steps, options())
def test_steps(data, n, m, B, T, options):
    """Single steps of a shrinking batch equal one call on whole sequences."""
    rnn = randomize(QRNN(n, m, **options))
    x = data.draw(arrays(B, T, n))
    ends = sorted(data.draw(lengths(B, T)), reverse=True)
    expected = rnn.layer(x, ends)
    c = rnn.c
    rnn.reset_state()
    for t in range(T):
        here = sum(end > t for end in ends)
        if here or t or B == 0:
            assert_equal(rnn(x[:here, t]), expected[:here, t])
    if T and all(ends):  # no sequence is empty
        assert_equal(rnn.c, c)
