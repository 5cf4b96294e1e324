"""Test cases of the kernels, with and without a GPU."""
import chainer
import numpy

from qrnn.functions.lstm import lstm
from qrnn.functions.lstm import lstm_ref
from qrnn.functions.masked_convolution import masked_convolution
from qrnn.functions.masked_convolution import masked_convolution_ref
from qrnn.functions.pooling import qrnn_pooling
from qrnn.functions.pooling import qrnn_pooling_ref
from qrnn.functions.strnn import strnn
from qrnn.functions.strnn import strnn_ref
from qrnn.gates import GATES
from qrnn.kernels import cpu
from qrnn.kernels import cuda
from qrnn.kernels import philox
from qrnn.kernels.cuda import plans


#: Tolerance of each dtype, relative to the largest value of an array.
TOLERANCE = {'float16': 4e-3, 'float32': 4e-6, 'float64': 1e-12}

SIZES = {'B': [1, 3, 24], 'T': [0, 1, 17, 105, 1000], 'C': [1, 7, 33, 320]}
ACTIVATIONS = {
    'usual': None,
    'some': {'z': 'identity', 'o': 'tanh', 'i': 'tanh'},
    'others': {'z': 'sigmoid', 'o': 'identity', 'i': 'identity'}}
REGIMES = [*plans.REGIMES, None]

WINDOWS = {
    'dtype': list(TOLERANCE), 'k': [1, 2, 5], 'lookahead': [0, 1, 3],
    'B': [1, 3], 'T': [0, 1, 3, 17], 'C': [1, 4, 7, 130],
    'x0': [True, False], 'lengths': [None, 'some'], 'strided': [False, True]}

LSTM = {
    'dtype': list(TOLERANCE), 'B': [1, 3], 'T': [0, 1, 9],
    'C': [1, 7, 130], 'lengths': [None, 'some'],
    'grads': ['y', 'c', 'h', 'y c h'], 'strided': [False, True]}

STRNN = {
    'dtype': list(TOLERANCE), 'regime': REGIMES, 'reverse': [False, True],
    **SIZES, 'h0': [True, False], 'strided': [False, True]}

POOLING = {
    'pooling': list(GATES), 'dtype': list(TOLERANCE), 'regime': REGIMES,
    **SIZES,
    'lengths': [None, 'some', 'one short', 'none at all'],
    'zoneout': [None, 'seed', 'mask', 'everywhere', 'expectation'],
    'b': [None, 'shared', 'each'],
    'c0': [True, False],
    'grads': ['h', 'h c', 'h c_last', 'c c_last', 'h c c_last'],
    'strided': [False, True],
    'activations': list(ACTIVATIONS), 'gated': [True, False]}


def check_strnn(case, device=None, to_device=lambda a: a,
                to_host=lambda a: a):
    """Compare the forward and backward passes of strnn with the reference.

    If ``device`` is None, the CPU loops are checked.
    """
    kernels, options = backend(device, regime=getattr(case, 'regime', None))
    random = numpy.random.RandomState(1)
    shape = case.B, case.T, case.C
    f = _rows(random.uniform(0, 1, shape), case)
    x = _rows(random.normal(size=shape), case)
    h0 = random.normal(size=shape[::2]).astype(case.dtype) if (
        case.h0) else None
    gh = random.normal(size=shape).astype(case.dtype)
    given = [f, x, h0, gh]
    f_, x_, h0_, gh_ = inputs = [_moved(a, to_device) for a in given]

    def run():
        h = kernels.strnn_forward(f_, x_, h0_, case.reverse, **options)
        return [to_host(a) for a in (h, *kernels.strnn_backward(
            f_, h, h0_, gh_, case.reverse, **options))]

    outputs = run()
    h = strnn_ref(f, x, h0, case.reverse)
    variables = [chainer.Variable(a.astype('d')) for a in (
        f, x, numpy.zeros(shape[::2]) if h0 is None else h0)]
    grads = chainer.grad([strnn(*variables, reverse=case.reverse)], variables,
                         [chainer.Variable(gh.astype('d'))])
    _compare(outputs, [h] + [g.array for g in grads], case.dtype)
    _same_bits(outputs, run())
    _unchanged(given, inputs, to_host)
    return outputs


def check_pooling(case, device=None, to_device=lambda a: a,
                  to_host=lambda a: a):
    """Compare the forward and backward passes of pooling with the reference.

    If ``device`` is None, the CPU loops are checked.
    """
    kernels, options = backend(device, regime=getattr(case, 'regime', None))
    random = numpy.random.RandomState(1)
    B, T, C = shape = case.B, case.T, case.C
    activations = options['activations'] = ACTIVATIONS[case.activations]
    gated = options['gated'] = case.gated or 'o' not in case.pooling
    channels = len(GATES[case.pooling]) * C
    u = _rows(random.normal(size=(B, T, channels)), case)
    b = {None: None, 'shared': random.normal(size=channels),
         'each': random.normal(size=(B, channels))}[case.b]
    c0 = random.normal(size=(B, C)) if case.c0 else None
    b, c0 = [None if a is None else a.astype(case.dtype) for a in (b, c0)]
    lengths = None
    if case.lengths is not None:
        lengths = random.randint(0, T + 1, B).astype('i')
        lengths[::2] = {'none at all': 0, 'some': T,
                        'one short': max(0, T - 1)}[case.lengths]
        for s in range(B):  # padding must not affect results
            u[s, lengths[s]:] = numpy.nan
    expectation = case.zoneout == 'expectation'
    ratio = {'seed': .3, 'everywhere': 1., 'expectation': .3}.get(
        case.zoneout, 0.)
    seed = None if expectation else 2 ** 63 + 12345
    mask = None if expectation else philox.zoneout_mask(seed, ratio, shape)
    if case.zoneout == 'mask':
        mask = random.uniform(size=shape) < .3
    grads = dict(zip(['h', 'c', 'c_last'], [
        random.normal(size=s).astype(case.dtype)
        for s in (shape, shape, (B, C))]))
    grads = [g if name in case.grads.split() else None
             for name, g in grads.items()]
    given = [u, b, c0, lengths, mask if case.zoneout == 'mask' else None,
             *grads]
    inputs = [_moved(a, to_device) for a in given]

    def run():
        u_, b_, c0_, lengths_, mask_, *grads_ = inputs
        same = (u_, b_, c0_, lengths_, case.pooling, ratio, seed, mask_)
        h, c, c_last = kernels.pooling_forward(*same, **options)
        return [None if a is None else to_host(a) for a in (
            h, c, c_last,
            *kernels.pooling_backward(*same, c, *grads_, **options))]

    outputs = run()
    clean = numpy.nan_to_num(u.astype('d'))
    expected = list(qrnn_pooling_ref(
        clean, b, c0, lengths, case.pooling, ratio, mask, activations,
        expectation, gated))
    expected += _pooling_gradients(
        case, clean, b, c0, lengths, ratio, mask, grads)
    _compare(outputs, expected, case.dtype)
    _same_bits(outputs, run())
    _unchanged(given, inputs, to_host)
    return outputs


def _pooling_gradients(case, u, b, c0, lengths, ratio, mask, grads):
    u, b, c0 = [None if a is None else chainer.Variable(a.astype('d'))
                for a in (u, b, c0)]
    with chainer.using_config('train', False):
        ys = qrnn_pooling(
            u, b, c0, lengths, case.pooling, ratio, mask,
            ACTIVATIONS[case.activations], zoneout_expectation=True,
            gated=case.gated or 'o' not in case.pooling)
    arrived = [(y, chainer.Variable(g.astype('d')))
               for y, g in zip(ys, grads) if g is not None]
    there = [v for v in (u, b, c0) if v is not None]
    gs = iter(chainer.grad([y for y, _ in arrived], there,
                           [g for _, g in arrived],
                           # With this option, strnn computes the
                           # gradients instead of the pooling kernel.
                           enable_double_backprop=True))
    return [None if v is None else next(gs).array for v in (u, b, c0)]


def check_windows(case, device=None, to_device=lambda a: a,
                  to_host=lambda a: a):
    """Compare windows and their adjoint with the reference."""
    kernels, options = backend(device)
    random = numpy.random.RandomState(1)
    B, T, n, k = case.B, case.T, case.C, case.k
    lookahead = min(case.lookahead, k - 1)
    x = _rows(random.normal(size=(B, T, n)), case)
    x0 = random.normal(size=(B, k - 1, n)).astype(case.dtype) if (
        case.x0 and not lookahead) else None
    lengths = None if case.lengths is None else random.randint(
        0, T + 1, B).astype('i')
    clean = x.copy()
    if lengths is not None:
        for b, end in enumerate(lengths):
            x[b, end:], clean[b, end:] = numpy.nan, 0
    given = [x, x0, lengths]
    inputs = [_moved(a, to_device) for a in given]
    windows = to_host(kernels.unfold(
        inputs[0], inputs[1], k, lookahead, inputs[2], **options))
    # In this convolution, each filter copies one input of the window.
    W = numpy.eye(k * n).reshape(k, n, k * n)
    expected = masked_convolution_ref(clean, W, x0, lengths, lookahead)
    numpy.testing.assert_array_equal(
        windows, expected.reshape(B, T, k, n).astype(case.dtype))
    _unchanged(given, inputs, to_host)

    gwindows = random.normal(size=(B, T, k, n)).astype(case.dtype)
    gx, gx0 = map(to_host, kernels.fold(
        _moved(gwindows, to_device), x.shape, lookahead, inputs[2],
        **options))
    variables = [chainer.Variable(a.astype('d')) for a in (
        clean, numpy.zeros((B, k - 1, n)))][:1 if lookahead else 2]
    y = masked_convolution(variables[0], W, *variables[1:], lengths=lengths,
                           lookahead=lookahead)
    expected = chainer.grad([y], variables, [chainer.Variable(
        gwindows.astype('d').reshape(y.shape))])
    _compare((gx, gx0), [g.array for g in expected], case.dtype)

    # First check the function last_steps. Then check the function fold, with
    # glast, the gradient of the output of last_steps, as an input.
    n_steps = k - 1
    before = numpy.zeros((B, n_steps, n)) if x0 is None else x0
    ends = B * [T] if lengths is None else lengths
    last = to_host(kernels.last_steps(
        inputs[0], inputs[1], n_steps, inputs[2], **options))
    numpy.testing.assert_array_equal(last, numpy.array([
        numpy.concatenate((before[b], x[b, :end]))[end:]
        for b, end in enumerate(ends)]).astype(case.dtype))
    _unchanged(given, inputs, to_host)
    glast = random.normal(size=(B, n_steps, n)).astype(case.dtype)
    expected = [g.astype('d') for g in (gx, gx0)]
    for b, end in enumerate(ends):
        rows = numpy.concatenate((expected[1][b], expected[0][b, :end]))
        rows[end:] += glast[b]
        expected[1][b], expected[0][b, :end] = rows[:n_steps], rows[n_steps:]
    actual = map(to_host, kernels.fold(
        _moved(gwindows, to_device), x.shape, lookahead, inputs[2],
        _moved(glast, to_device), **options))
    _compare(actual, expected, case.dtype)
    expected = [g - w.astype('d') for g, w in zip(expected, (gx, gx0))]
    actual = map(to_host, kernels.fold(
        None, x.shape, lookahead, inputs[2], _moved(glast, to_device),
        **options))
    _compare(actual, expected, case.dtype)


def check_lstm(case, device=None, to_device=lambda a: a,
               to_host=lambda a: a):
    """Compare all steps of an LSTM with the reference."""
    kernels, options = backend(device)
    random = numpy.random.RandomState(1)
    B, T, m = case.B, case.T, case.C
    u = _rows(random.normal(size=(B, T, 4 * m)), case)
    W, c0, h0, gy, gc, gh = [
        random.uniform(-1, 1, shape).astype(case.dtype) for shape in (
            (4 * m, m), (B, m), (B, m), (B, T, m), (B, m), (B, m))]
    W /= m ** .5
    grads = [g if name in case.grads.split() else None
             for name, g in (('y', gy), ('c', gc), ('h', gh))]
    lengths = None if case.lengths is None else random.randint(
        0, T + 1, B).astype('i')
    clean = u.copy()
    if lengths is not None:
        for b, end in enumerate(lengths):
            u[b, end:], clean[b, end:] = numpy.nan, 0
    given = [u, W, c0, h0, lengths, *grads]
    inputs = [_moved(a, to_device) for a in given]
    u_, W_, c0_, h0_, lengths_, *grads_ = inputs

    def run():
        *ys, kept = kernels.lstm_forward(
            u_, W_, c0_, h0_, lengths_, **options)
        return [to_host(a) for a in (*ys, *kernels.lstm_backward(
            W_, lengths_, kept, *grads_, u_.dtype, **options))]

    outputs = run()
    variables = [chainer.Variable(a.astype('d')) for a in (clean, W, c0, h0)]
    ys = lstm(*variables, lengths)
    arrived = [(y, chainer.Variable(g.astype('d')))
               for y, g in zip(ys, grads) if g is not None]
    # Compute the gradients with functions of Chainer.
    expected = chainer.grad([y for y, _ in arrived], variables,
                            [g for _, g in arrived],
                            enable_double_backprop=True)
    _compare(outputs, [*lstm_ref(clean, W, c0, h0, lengths),
                       *(g.array for g in expected)], case.dtype)
    _same_bits(outputs, run())
    _unchanged(given, inputs, to_host)


def check_rounding(device, to_device=lambda a: a, to_host=lambda a: a):
    """Check that results are rounded only once, to the nearest float16."""
    bits = numpy.random.RandomState(0).randint(
        0, 2 ** 16, (2, 1, 1, 5000)).astype('H')
    f, h0 = bits.view('e')
    with numpy.errstate(all='ignore'):
        expected = (f.astype('f') * h0.astype('f')).astype('e')
    f_, h0_, x_ = map(to_device, (f, h0[0], numpy.zeros_like(f)))
    for regime in REGIMES:
        h = to_host(cuda.strnn_forward(
            f_, x_, h0_, regime=regime, device=device))
        # Values are compared instead of bits: adding x = 0 turns -0 into 0,
        # and NaN has many representations.
        numpy.testing.assert_array_equal(h, expected)


def backend(device, **options):
    """Return the module of CPU or CUDA kernels, and a dict of options."""
    return (cpu, {}) if device is None else (cuda, {
        'device': device, **options})


def _rows(array, case):
    """Convert an array to the dtype and the memory layout of a case."""
    array = array.astype(case.dtype)
    if not case.strided:
        return array
    B, T, C = array.shape
    wide = numpy.full((B, T, C + 3), numpy.nan, case.dtype)
    wide[:, :, 2:-1] = array
    return wide[:, :, 2:-1]


def _moved(array, to_device):
    """Send an array to the device without changing its strides."""
    if array is None:
        return None
    base = array if array.base is None else array.base
    if base.shape == array.shape:
        return to_device(array)
    return to_device(base)[:, :, 2:-1]


def _compare(actual, expected, dtype):
    for a, e in zip(actual, expected):
        if e is None:
            assert a is None
            continue
        assert a.dtype == dtype and a.shape == e.shape
        # Rounding errors of a sum grow with its terms, not with its value,
        # so the tolerance is relative to the largest value.
        allowed = TOLERANCE[dtype] * max(1, abs(e).max(initial=0))
        numpy.testing.assert_allclose(a, e, rtol=0, atol=allowed)


def _same_bits(first, second):
    for a, b in zip(first, second):
        assert a is b is None or a.tobytes() == b.tobytes()


def _unchanged(given, inputs, to_host):
    for a, b in zip(given, inputs):
        if a is not None:
            numpy.testing.assert_array_equal(a, to_host(b))
