"""Examples for the property tests; ``conftest.py`` sets their number."""
import numpy
import pytest

from qrnn_tests.helpers import gradients
from qrnn_tests.helpers import TOLERANCES
from qrnn_tests.helpers import variables

hypothesis = pytest.importorskip('hypothesis')
given, st = hypothesis.given, hypothesis.strategies


#: Poolings and the number of their gates.
POOLINGS = {'f': 2, 'fo': 3, 'if': 3, 'ifo': 4}

batch_sizes = st.integers(0, 4)
n_steps = st.integers(0, 9)
sizes = st.integers(0, 4)  # of channels
kernel_sizes = st.integers(1, 5)
poolings = st.sampled_from(list(POOLINGS))
dtypes = st.sampled_from(list(TOLERANCES)[::-1])
# With the default, each gate has each function; a loop is compiled for each.
activations = st.sampled_from([
    {'z': 'identity', 'o': 'tanh', 'i': 'tanh'},
    {'z': 'sigmoid', 'o': 'identity', 'i': 'identity'}])
paddings = st.sampled_from([0, 6e4, numpy.inf, -numpy.inf, numpy.nan])


def maybe(strategy):
    return st.none() | strategy


@st.composite
def arrays(draw, *shape, dtype=numpy.float64):
    """Numbers from -1 to 1, with any strides.

    One axis may be broadcast, so that numbers repeat.
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
    """An array in memory in any order, inside a buffer of NaN.

    It is read-only: nothing may write to its inputs.
    """
    axes = range(array.ndim)
    if array.ndim and draw(st.booleans()):
        order = draw(st.permutations(axes))  # in memory
        steps = [draw(st.sampled_from([1, 2, -1, -2])) for _ in axes]
        before = [draw(st.integers(0, 1)) for _ in axes]
        buffer = numpy.full(
            [before[i] + abs(steps[i]) * array.shape[i] for i in order],
            numpy.nan, array.dtype)
        view = buffer.transpose(numpy.argsort(order))[
            tuple(slice(n, None) for n in before)][
            tuple(slice(None, None, step) for step in steps)]
        view[...] = array
        array = view
    array.flags.writeable = False
    return array


def lengths(B, T):
    """Lengths of B sequences, as a list, a tuple or an array."""
    return st.lists(st.integers(0, T), min_size=B, max_size=B).flatmap(
        lambda ns: st.sampled_from(
            [ns, tuple(ns), numpy.array(ns, 'i'), numpy.array(ns, 'i8')]))


@st.composite
def pieces(draw, T):
    """Sizes of the pieces that T steps are cut into, some of them empty."""
    cuts = sorted(draw(st.lists(st.integers(0, T), max_size=4)))
    return [stop - start for start, stop in zip([0] + cuts, cuts + [T])]


def orders(B):
    """The sequences of a batch in another order."""
    return st.permutations(range(B)).map(lambda order: numpy.array(order, 'i'))


def spoiled(array, ends, value):
    """An array ``(B, T, ...)`` with that value past the sequences' ends."""
    array = numpy.array(array)
    if ends is not None:
        for row, end in zip(array, ends):
            row[end:] = value
    return array


def compare(data, function, reference, inputs):
    """Compares values and gradients with a reference, in any precision.

    The gradients' product with a direction is to be the derivative of the
    reference along it, found numerically.

    Args:
        data: What further choices are drawn from.
        function (callable): What is tested.
        reference (callable): The same in float64.
        inputs (list): Arrays, or None.

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
    arrived = data.draw(st.sets(
        st.sampled_from(range(len(ys))), min_size=1).map(sorted))
    vs = [v for v in vs if v is not None]
    gxs = gradients([ys[i] for i in arrived], vs, [gys[i] for i in arrived],
                    data.draw(st.booleans()))
    random = numpy.random.RandomState(0)
    directions = [random.uniform(-1, 1, v.shape) for v in vs]
    change = derivative(reference, inputs, directions)
    along = sum(numpy.vdot(gys[i].array.astype('d'), change[i])
                for i in arrived)
    terms = [gx * d for gx, d in zip(gxs, directions)]
    assert [(gx.dtype, gx.shape) for gx in gxs] == [
        (dtype, v.shape) for v in vs]
    # The terms' rounding errors add up.
    numpy.testing.assert_allclose(
        sum(term.sum() for term in terms), along, rtol=0,
        atol=max(1e-8, 10 * tolerance['rtol']) * (
            1 + sum(abs(term).sum() for term in terms)))


def derivative(function, inputs, directions, eps=1e-5):
    """Derivatives of a function's outputs along directions, in float64."""
    ends = []
    for step in eps, -eps:
        rest = list(directions)
        ends.append(_tuple(function(*(
            None if a is None else a.astype('d') + step * rest.pop(0)
            for a in inputs))))
    return [(after - before) / (2 * eps) for after, before in zip(*ends)]


def _tuple(ys):
    return ys if isinstance(ys, tuple) else (ys,)
