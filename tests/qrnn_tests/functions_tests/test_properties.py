"""Property tests of the functions with random shapes, dtypes and strides."""
import numpy

from qrnn import attention_sum
from qrnn import attention_sum_ref
from qrnn import masked_convolution
from qrnn import masked_convolution_ref
from qrnn import qrnn_pooling
from qrnn import qrnn_pooling_ref
from qrnn import strnn
from qrnn import strnn_ref
from qrnn import zoneout
from qrnn import zoneout_ref
from qrnn.functions import last_steps
from qrnn.functions import lstm
from qrnn.functions import lstm_ref
from qrnn.functions import reverse_sequences
from qrnn.functions import unpad_sequence
from qrnn.functions.sequences import take_rows
from qrnn_tests import strategies
from qrnn_tests.helpers import assert_equal
from qrnn_tests.strategies import arrays
from qrnn_tests.strategies import batch_sizes
from qrnn_tests.strategies import compare
from qrnn_tests.strategies import dtypes
from qrnn_tests.strategies import given
from qrnn_tests.strategies import lengths
from qrnn_tests.strategies import maybe
from qrnn_tests.strategies import n_steps
from qrnn_tests.strategies import orders
from qrnn_tests.strategies import sizes
from qrnn_tests.strategies import spoiled
from qrnn_tests.strategies import st


reverses = st.booleans()


@given(st.data(), batch_sizes, n_steps, sizes, dtypes, reverses)
def test_strnn(data, B, T, C, dtype, reverse):
    inputs = [data.draw(arrays(B, T, C, dtype=dtype)) for _ in range(2)]
    inputs += [data.draw(arrays(B, C, dtype=dtype))] * data.draw(
        st.integers(0, 1))
    compare(data, lambda *inputs: strnn(*inputs, reverse=reverse),
            lambda *inputs: strnn_ref(*inputs, reverse=reverse), inputs)


@given(st.data(), batch_sizes, n_steps, sizes, reverses)
def test_strnn_in_pieces(data, B, T, C, reverse):
    f, x, h = (data.draw(arrays(*shape)) for shape in [
        (B, T, C), (B, T, C), (B, C)])
    whole, parts = strnn(f, x, h, reverse), []
    ends = numpy.cumsum([0] + data.draw(strategies.pieces(T)))
    spans = list(zip(ends, ends[1:]))
    for start, stop in spans[::-1] if reverse else spans:
        y = strnn(f[:, start:stop], x[:, start:stop], h, reverse).array
        if stop > start:
            h = y[:, 0 if reverse else -1]
        parts.append(y)
    assert_equal(numpy.concatenate(parts[::-1] if reverse else parts, axis=1),
                 whole, 0)


@given(st.data(), batch_sizes, n_steps, sizes)
def test_strnn_reversed(data, B, T, C):
    f, x, h = (data.draw(arrays(*shape)) for shape in [
        (B, T, C), (B, T, C), (B, C)])
    assert_equal(strnn(f, x, h, reverse=True),
                 strnn(f[:, ::-1], x[:, ::-1], h)[:, ::-1], 0)


@st.composite
def pooling_calls(draw, dtype=numpy.float64):
    """Draw arrays (u, b, c0) and options for qrnn_pooling."""
    B, T, C = shape = draw(st.tuples(batch_sizes, n_steps, sizes))
    pooling = draw(strategies.poolings)
    channels = strategies.POOLINGS[pooling] * C
    return [
        draw(arrays(B, T, channels, dtype=dtype)),
        draw(maybe(arrays(channels, dtype=dtype)
                   | arrays(B, channels, dtype=dtype))),
        draw(maybe(arrays(B, C, dtype=dtype))),
    ], {
        'pooling': pooling,
        'lengths': draw(maybe(lengths(B, T))),
        'mask': draw(maybe(arrays(*shape).map(lambda a: a > .3))),
        'activations': draw(strategies.activations(dtype)),
    }


@given(st.data(), dtypes, strategies.paddings)
def test_qrnn_pooling(data, dtype, padding):
    (u, b, c0), options = data.draw(pooling_calls(dtype))
    u = data.draw(strategies.layouts(
        spoiled(u, options['lengths'], padding)))
    compare(data, lambda *inputs: qrnn_pooling(*inputs, **options),
            lambda *inputs: qrnn_pooling_ref(*inputs, **options), [u, b, c0])


@given(st.data(), pooling_calls())
def test_qrnn_pooling_in_pieces(data, call):
    (u, b, c), options = call
    B, T, _ = u.shape
    whole = qrnn_pooling(u, b, c, **options)
    hs, cs, start = [], [], 0
    for size in data.draw(strategies.pieces(T)):
        steps = slice(start, start + size)
        start = steps.stop
        h, states, c = qrnn_pooling(u[:, steps], b, c, **dict(
            options,
            mask=None if options['mask'] is None else (
                options['mask'][:, steps]),
            lengths=None if options['lengths'] is None else numpy.clip(
                numpy.array(options['lengths'], 'i') - steps.start, 0, size)))
        hs.append(h.array)
        cs.append(states.array)
    assert_equal([numpy.concatenate(hs, axis=1),
                  numpy.concatenate(cs, axis=1), c], whole, 0)


@given(st.data(), batch_sizes, n_steps, sizes, sizes, dtypes,
       strategies.kernel_sizes, strategies.paddings)
def test_masked_convolution(data, B, T, n, m, dtype, k, padding):
    ends = data.draw(maybe(lengths(B, T)))
    lookahead = data.draw(st.integers(0, k - 1))
    x = data.draw(strategies.layouts(
        spoiled(data.draw(arrays(B, T, n, dtype=dtype)), ends, padding)))
    W = data.draw(arrays(k, n, m, dtype=dtype))
    x0 = None if lookahead else data.draw(
        maybe(arrays(B, k - 1, n, dtype=dtype)))
    options = {'lengths': ends, 'lookahead': lookahead}
    compare(data, lambda *inputs: masked_convolution(*inputs, **options),
            lambda *inputs: masked_convolution_ref(*inputs, **options),
            [x, W, x0])


@given(st.data(), batch_sizes, n_steps, sizes, sizes, strategies.kernel_sizes)
def test_masked_convolution_in_pieces(data, B, T, n, m, k):
    x, W = data.draw(arrays(B, T, n)), data.draw(arrays(k, n, m))
    x0 = data.draw(maybe(arrays(B, k - 1, n)))
    whole, parts, start = masked_convolution(x, W, x0), [], 0
    for size in data.draw(strategies.pieces(T)):
        piece = x[:, start:start + size]
        parts.append(masked_convolution(piece, W, x0).array)
        x0 = last_steps(piece, k - 1, x0)
        start += size
    assert_equal(numpy.concatenate(parts, axis=1), whole)


@given(st.data(), batch_sizes, n_steps, sizes, dtypes, st.integers(0, 6))
def test_last_steps(data, B, T, n, dtype, size):
    ends = data.draw(maybe(lengths(B, T)))
    x = data.draw(arrays(B, T, n, dtype=dtype))
    x0 = data.draw(maybe(arrays(B, size, n, dtype=dtype)))

    def reference(x, x0):
        if x0 is None:
            x0 = numpy.zeros((B, size, n))
        return numpy.array([
            numpy.concatenate((before, row[:end]))[end:]
            for before, row, end in zip(
                x0, x, B * [T] if ends is None else ends)]).reshape(B, size, n)

    compare(data, lambda x, x0: last_steps(x, size, x0, ends), reference,
            [x, x0])


@given(st.data(), batch_sizes, n_steps, n_steps, sizes, dtypes,
       strategies.paddings)
def test_attention_sum(data, B, S, T, C, dtype, padding):
    ends = data.draw(maybe(lengths(B, S)))
    encoding = data.draw(strategies.layouts(
        spoiled(data.draw(arrays(B, S, C, dtype=dtype)), ends, padding)))
    query = data.draw(arrays(B, T, C, dtype=dtype))
    compare(data, lambda *inputs: attention_sum(*inputs, ends),
            lambda *inputs: attention_sum_ref(*inputs, ends),
            [encoding, query])


@given(st.data(), batch_sizes, st.integers(1, 9), n_steps, sizes)
def test_attention_of_permuted_sources(data, B, S, T, C):
    encoding, query = data.draw(arrays(B, S, C)), data.draw(arrays(B, T, C))
    order = data.draw(orders(S))
    assert_equal(attention_sum(encoding[:, order], query),
                 attention_sum(encoding, query))


@given(st.data(), st.lists(sizes, max_size=4), dtypes)
def test_zoneout(data, shape, dtype):
    f = data.draw(arrays(*shape, dtype=dtype))
    mask = data.draw(arrays(*shape).map(lambda a: a > 0))
    compare(data, lambda f: zoneout(f, mask=mask),
            lambda f: zoneout_ref(f, mask=mask), [f])


@st.composite
def lstm_calls(draw, dtype=numpy.float64):
    """Draw arrays (u, W, c0, h0) for lstm."""
    B, T, m = draw(st.tuples(batch_sizes, n_steps, sizes))
    return [draw(arrays(B, T, 4 * m, dtype=dtype)),
            draw(arrays(4 * m, m, dtype=dtype)),
            draw(maybe(arrays(B, m, dtype=dtype))),
            draw(maybe(arrays(B, m, dtype=dtype)))]


@given(st.data(), dtypes, strategies.paddings)
def test_lstm(data, dtype, padding):
    u, *rest = data.draw(lstm_calls(dtype))
    ends = data.draw(maybe(lengths(*u.shape[:2])))
    u = data.draw(strategies.layouts(spoiled(u, ends, padding)))
    compare(data, lambda *inputs: lstm(*inputs, lengths=ends),
            lambda *inputs: lstm_ref(*inputs, lengths=ends), [u, *rest])


@given(st.data(), lstm_calls())
def test_lstm_in_pieces(data, call):
    u, W, c, h = call
    whole, parts, start = lstm(u, W, c, h), [], 0
    for size in data.draw(strategies.pieces(u.shape[1])):
        y, c, h = lstm(u[:, start:start + size], W, c, h)
        parts.append(y.array)
        start += size
    assert_equal([numpy.concatenate(parts, axis=1), c, h], whole)


@st.composite
def batches(draw, dtype=numpy.float64):
    """Draw padded sequences and their lengths."""
    B, T = draw(batch_sizes), draw(n_steps)
    shape = draw(st.lists(sizes, max_size=2))
    return draw(arrays(B, T, *shape, dtype=dtype)), draw(lengths(B, T))


def reversed_ref(x, ends):
    y = numpy.array(x)
    for row, end in zip(y, ends):
        row[:end] = row[:end][::-1].copy()
    return y


@given(st.data(), dtypes)
def test_reverse_sequences(data, dtype):
    x, ends = data.draw(batches(dtype))
    if data.draw(st.booleans()):
        compare(data, reverse_sequences, lambda x: x[:, ::-1], [x])
        assert_equal(reverse_sequences(reverse_sequences(x)), x, 0)
    else:
        compare(data, lambda x: reverse_sequences(x, ends),
                lambda x: reversed_ref(x, ends), [x])
        assert_equal(
            reverse_sequences(reverse_sequences(x, ends), ends), x, 0)


@given(st.data(), st.integers(1, 4), n_steps, sizes, dtypes)
def test_take_rows(data, B, T, n, dtype):
    x = data.draw(arrays(B, T, n, dtype=dtype))
    rows = numpy.array(data.draw(st.lists(st.integers(0, B - 1))), 'i')
    compare(data, lambda x: take_rows(x, rows), lambda x: x[rows], [x])


@given(st.data(), dtypes)
def test_unpad_sequence(data, dtype):
    x, ends = data.draw(batches(dtype).filter(lambda batch: len(batch[0])))
    compare(data, lambda x: unpad_sequence(x, ends),
            lambda x: tuple(row[:end] for row, end in zip(x, ends)), [x])


@given(st.data(), dtypes, strategies.paddings)
def test_permuted_batch(data, dtype, padding):
    """Results depend neither on other sequences nor on the padding."""
    (u, b, c0), options = data.draw(pooling_calls(dtype))
    B, T, _ = u.shape
    ends = data.draw(lengths(B, T))
    order = data.draw(orders(B))
    options.update(lengths=ends)
    expected = qrnn_pooling(u, b, c0, **options)
    options.update(lengths=numpy.array(ends, 'i')[order])
    if options['mask'] is not None:
        options['mask'] = options['mask'][order]
    actual = qrnn_pooling(
        spoiled(u, ends, padding)[order],
        b if b is None or b.ndim == 1 else b[order],
        c0 if c0 is None else c0[order], **options)
    assert_equal(actual, [y[order] for y in expected], 0)
