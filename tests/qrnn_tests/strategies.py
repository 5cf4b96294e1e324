"""Hypothesis strategies of the property tests.

``conftest.py`` sets the number of examples.
"""
import numpy
import pytest

from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import TOLERANCES
from qrnn_tests.helpers import variables

hypothesis = pytest.importorskip('hypothesis')
given, st = hypothesis.given, hypothesis.strategies


#: A dict that maps each pooling to its number of gates.
POOLINGS = {'f': 2, 'fo': 3, 'if': 3, 'ifo': 4}

batch_sizes = st.integers(0, 4)
n_steps = st.integers(0, 9)
sizes = st.integers(0, 4)  # numbers of channels
kernel_sizes = st.integers(1, 5)
poolings = st.sampled_from(list(POOLINGS))
dtypes = st.sampled_from(list(TOLERANCES)[::-1])
paddings = st.sampled_from([0, 6e4, numpy.inf, -numpy.inf, numpy.nan])


def maybe(strategy):
    return st.none() | strategy


def activations(dtype=numpy.float64):
    """Return a strategy for the activations of a pooling.

    There are only two choices, because compiling each choice takes seconds.
    ``kernels_tests/test_cpu.py`` tests further activations.
    """
    if dtype is not numpy.float64:
        return st.none()
    return st.sampled_from([
        None, {'z': 'identity', 'o': 'tanh', 'i': 'tanh'}])


@st.composite
def arrays(draw, *shape, dtype=numpy.float64):
    """Draw an array of numbers from -1 to 1, with any strides.

    Sometimes one axis is broadcast.
    """
    random = numpy.random.RandomState(draw(st.integers(0, 99)))
    array = numpy.asarray(random.uniform(-1, 1, shape)).astype(dtype)
    if shape and array.size and draw(st.sampled_from([0, 0, 0, 1])):
        axis = draw(st.sampled_from(range(len(shape))))
        array = numpy.broadcast_to(array.take([0], axis), shape)
        array.flags.writeable = False
        return array
    return draw(layouts(array))


@st.composite
def layouts(draw, array):
    """Return an array in a random memory layout.

    The elements may be spread over a buffer that is filled with NaN. The
    result is read-only, because functions must not modify their inputs.
    """
    axes = range(array.ndim)
    if array.ndim and draw(st.booleans()):
        order = draw(st.permutations(axes))  # order of the axes in memory
        steps = [draw(st.sampled_from([1, 2, -1, -2])) for _ in axes]
        offsets = [draw(st.integers(0, 1)) for _ in axes]
        buffer = numpy.full(
            [offsets[i] + abs(steps[i]) * array.shape[i] for i in order],
            numpy.nan, array.dtype)
        view = buffer.transpose(numpy.argsort(order))[
            tuple(slice(n, None) for n in offsets)][
            tuple(slice(None, None, step) for step in steps)]
        view[...] = array
        array = view
    array.flags.writeable = False
    return array


def lengths(B, T):
    """Return a strategy for the lengths of B sequences of at most T steps."""
    return st.lists(st.integers(0, T), min_size=B, max_size=B).flatmap(
        lambda ns: st.sampled_from(
            [ns, tuple(ns), numpy.array(ns, 'i'), numpy.array(ns, 'i8')]))


@st.composite
def pieces(draw, T):
    """Draw the sizes of the pieces into which T steps are split.

    Pieces may be empty.
    """
    cuts = sorted(draw(st.lists(st.integers(0, T), max_size=4)))
    return [stop - start for start, stop in zip([0] + cuts, cuts + [T])]


def orders(B):
    """Return a strategy for permutations of the sequences of a batch."""
    return st.permutations(range(B)).map(lambda order: numpy.array(order, 'i'))


def spoiled(array, ends, value):
    """Copy an array, ``(B, T, ...)``, and set the padding to a value."""
    array = numpy.array(array)
    if ends is not None:
        for row, end in zip(array, ends):
            row[end:] = value
    return array


def compare(data, function, reference, inputs):
    """Compare the outputs and gradients of a function with a reference.

    The inner product of the gradients and a random direction must equal the
    numerical derivative of the reference in that direction.

    Args:
        data: Source of random choices, from ``st.data()``.
        function (callable): Function to test.
        reference (callable): Reference implementation of the function.
        inputs (list): Arrays of any floating-point dtype, or None.

    """
    dtype = inputs[0].dtype
    tolerance = TOLERANCES[dtype.type][0]
    vs = variables(*inputs)
    ys, expected = _tuple(function(*vs)), _tuple(reference(*inputs))
    assert len(ys) == len(expected)
    for y, e in zip(ys, expected):
        assert (y.dtype, y.shape) == (dtype, e.shape)
        numpy.testing.assert_allclose(y.array, e, **tolerance)

    gys = variables(*(data.draw(arrays(*y.shape, dtype=dtype)) for y in ys))
    given = data.draw(st.sets(
        st.sampled_from(range(len(ys))), min_size=1).map(sorted))
    vs = [v for v in vs if v is not None]
    gxs = gradients([ys[i] for i in given], vs, [gys[i] for i in given],
                    data.draw(st.booleans()))
    random = numpy.random.RandomState(0)
    directions = [random.uniform(-1, 1, v.shape) for v in vs]
    change = derivative(reference, inputs, directions)
    expected = sum(numpy.vdot(gys[i].array.astype('d'), change[i])
                   for i in given)
    terms = [gx * d for gx, d in zip(gxs, directions)]
    assert [(gx.dtype, gx.shape) for gx in gxs] == [
        (dtype, v.shape) for v in vs]
    # The tolerance allows for the sum of the rounding errors of all terms.
    numpy.testing.assert_allclose(
        sum(term.sum() for term in terms), expected, rtol=0,
        atol=max(1e-8, 10 * tolerance['rtol']) * (
            1 + sum(abs(term).sum() for term in terms)))


def derivative(function, inputs, directions, eps=1e-5):
    """Return the numerical directional derivative of each output."""
    outputs = []
    for step in eps, -eps:
        remaining = list(directions)
        outputs.append(_tuple(function(*(
            None if a is None else a.astype('d') + step * remaining.pop(0)
            for a in inputs))))
    return [(upper - lower) / (2 * eps) for upper, lower in zip(*outputs)]


def _tuple(ys):
    return ys if isinstance(ys, tuple) else (ys,)
