"""Test cases of dropout, the softmax loss and attention."""
import numpy

from qrnn.kernels import philox
from qrnn_tests.kernels_tests.cases import backend
from qrnn_tests.kernels_tests.cases import TOLERANCE


DROPOUT = {
    'dtype': list(TOLERANCE), 'ratio': [0., .25, 1.],
    'shape': [(0,), (), (1,), (4095,), (4097,), (3, 5, 700)],
    'strided': [False, True]}

SOFTMAX = {
    'dtype': ['float32', 'float64'], 'N': [0, 1, 3, 40],
    'V': [1, 2, 33, 200, 1031], 'label_dtype': ['b', 'i', 'q'],
    'ignore_label': [-1, 0, 10 ** 6],
    'ignored': ['none', 'some', 'all', 'no such label'],
    'scale': [1., 1e4]}

ATTENTION = {
    'dtype': ['float32', 'float64'], 'rows': [(0, 3), (1, 0), (3, 1), (2, 40)],
    'S': [0, 1, 7, 33, 300], 'lengths': [None, 'some'],
    'scale': [1., 1e4]}


def check_dropout(case, device=None, to_device=lambda a: a,
                  to_host=lambda a: a):
    """Check dropout against a mask from the reference generator."""
    kernels, options = backend(device)
    x = numpy.random.RandomState(1).normal(size=case.shape).astype(case.dtype)
    if case.strided:
        x = numpy.stack([x, -x], axis=-1)  # stack keeps the dtype of x
    x_ = to_device(x)
    if case.strided:
        x, x_ = x[..., 0], x_[..., 0]
    seed = 2 ** 63 + 12345
    y = to_host(kernels.dropout(x_, case.ratio, seed, **options))
    carry = numpy.promote_types(case.dtype, 'f').type
    scale = carry(0 if case.ratio == 1 else 1 / (1 - case.ratio))
    chunks = -(-x.size // philox.CHUNK)
    quarter = philox.CHUNK // 4
    counters = numpy.arange(chunks * quarter).reshape(chunks, quarter)
    words = numpy.stack(philox.philox(counters, seed), axis=1).reshape(-1)
    kept = words[:x.size].reshape(x.shape) >= round(case.ratio * 2 ** 32)
    assert y.dtype == case.dtype and y.shape == x.shape
    numpy.testing.assert_array_equal(
        y, (x.astype(carry) * (kept * scale)).astype(case.dtype))
    assert case.ratio in (0, 1) or x.size < 50 or (
        abs(kept.mean() - 1 + case.ratio) < .1)


def check_softmax(case, device=None, to_device=lambda a: a,
                  to_host=lambda a: a):
    """Compare losses, gradients and weights with NumPy results in float64."""
    kernels, options = backend(device)
    random = numpy.random.RandomState(1)
    N, V = case.N, case.V
    logits = (case.scale * random.normal(size=(N, V))).astype(case.dtype)
    b = random.normal(size=V).astype(case.dtype)
    t = random.randint(0, min(V, 128), N).astype(case.label_dtype)
    ignore_label = case.ignore_label if (
        case.ignore_label <= numpy.iinfo(t.dtype).max) else -1
    if case.ignored == 'all':
        t[:] = ignore_label
    elif case.ignored == 'some':
        t[::2] = ignore_label
    elif case.ignored == 'no such label' and device is not None:
        t[::3], t[1::3] = -2, numpy.iinfo(t.dtype).max
    counts = (t != ignore_label) & (0 <= t) & (t < V)

    def run():
        logits_ = to_device(logits.copy())
        losses = kernels.softmax_cross_entropy(
            logits_, to_device(b), to_device(t), ignore_label, **options)
        mean, weights = kernels.mean_loss(
            losses, to_device(t), V, ignore_label, **options)
        return tuple(map(to_host, (logits_, losses, mean, weights)))

    glogits, losses, mean, weights = outputs = run()
    y = logits.astype('d') + b
    rows = numpy.flatnonzero(counts)
    total = numpy.logaddexp.reduce(y, axis=1, keepdims=True)
    expected = counts[:, None] * numpy.exp(y - total)
    expected[rows, t[rows]] -= 1
    numpy.testing.assert_allclose(
        glogits, expected, rtol=0, atol=TOLERANCE[case.dtype])
    expected = numpy.zeros(N)
    expected[rows] = total[rows, 0] - y[rows, t[rows]]
    atol = TOLERANCE[case.dtype] * case.scale * 10
    numpy.testing.assert_allclose(losses, expected, rtol=0, atol=atol)
    number = max(1, counts.sum())
    numpy.testing.assert_allclose(
        mean, expected.sum() / number, rtol=0, atol=atol)
    numpy.testing.assert_allclose(
        weights, counts / number, rtol=TOLERANCE[case.dtype])
    for first, second in zip(outputs, run()):
        assert first.dtype == case.dtype or device is None
        assert first.tobytes() == second.tobytes()


def check_not_finite(device=None, to_device=lambda a: a, to_host=lambda a: a):
    """Check that the loss of a row is not finite if a logit is NaN or inf.

    If a logit is -inf, the loss must be finite.
    """
    kernels, options = backend(device)
    for bad in numpy.nan, numpy.inf, -numpy.inf:
        logits = numpy.zeros((2, 100), 'f')
        logits[0, 3] = bad
        losses, logits = map(to_host, (kernels.softmax_cross_entropy(
            logits_ := to_device(logits), to_device(logits[1]),
            to_device(numpy.array([5, 5])), -1, **options), logits_))
        assert numpy.isfinite(losses).tolist() == [bad == -numpy.inf, True]
        assert numpy.isfinite(logits).all(1).tolist() == [
            bad == -numpy.inf, True]


def check_attention(case, device=None, to_device=lambda a: a,
                    to_host=lambda a: a):
    """Compare attention weights and gradients with results in float64."""
    kernels, options = backend(device)
    random = numpy.random.RandomState(1)
    shape = *case.rows, case.S
    scores, gweights = (
        (scale * random.normal(size=shape)).astype(case.dtype)
        for scale in (case.scale, 1))
    ends = numpy.full(shape[0], case.S, 'i')
    if case.lengths:
        ends = random.randint(0, case.S + 1, shape[0]).astype('i')
    valid = numpy.broadcast_to(
        numpy.arange(case.S) < ends[:, None, None], shape)
    scores[~valid] = numpy.nan
    exact = numpy.where(valid, scores, -numpy.inf).astype('d')
    expected = numpy.exp(exact - exact.max(
        axis=2, keepdims=True, initial=numpy.finfo('d').min))
    expected /= numpy.maximum(expected.sum(axis=2, keepdims=True), 1e-300)

    weights, g = to_device(scores), to_device(gweights.copy())
    kernels.attention_weights(
        weights, to_device(ends) if case.lengths else None, **options)
    kernels.attention_weights_backward(weights, g, **options)
    numpy.testing.assert_allclose(
        to_host(weights), expected, rtol=0, atol=TOLERANCE[case.dtype])
    mean = (expected * gweights).sum(axis=2, keepdims=True)
    numpy.testing.assert_allclose(
        to_host(g), expected * (gweights - mean), rtol=0,
        atol=10 * TOLERANCE[case.dtype])
