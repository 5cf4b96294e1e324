"""Test the functions of Chainer that the patches change."""
import collections
import sys
from unittest import mock
import warnings

import chainer
from chainer import distributions as D
import chainer.functions as F
from chainer import gradient_check
import chainer.links as L
import numpy
import pytest


def uniform(*shape):
    return numpy.random.uniform(.1, .9, shape).astype(numpy.float32)


class TestAsStrided:

    def test_overlapping_windows(self):
        x = chainer.Variable(numpy.arange(4, dtype=numpy.float32))
        y = F.as_strided(x, (3, 2), (1, 1), 0)
        numpy.testing.assert_array_equal(y.array, [[0, 1], [1, 2], [2, 3]])
        y.grad = numpy.ones_like(y.array)
        y.backward()
        numpy.testing.assert_array_equal(x.grad, [1, 2, 2, 1])

    @pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8'])
    def test_transpose(self, dtype):
        x = chainer.Variable(uniform(3, 4).astype(dtype))
        y = F.as_strided(x, (4, 3), (1, 4))
        gy = y.grad = uniform(4, 3).astype(dtype)
        y.backward()
        numpy.testing.assert_array_equal(y.array, x.array.T)
        numpy.testing.assert_array_equal(x.grad, gy.T)

    def test_integers_have_no_gradient(self):
        x = chainer.Variable(numpy.arange(4))
        y = F.as_strided(x, (2,), (1,))
        y.grad = numpy.ones_like(y.array)
        with pytest.raises(TypeError, match='Only float'):
            y.backward()


@pytest.mark.parametrize('mode, align_corners', [
    ('bilinear', False), ('bilinear', True), ('nearest', False)])
def test_resize_images(mode, align_corners):
    def resize(x):
        return F.resize_images(
            x, (4, 6), mode=mode, align_corners=align_corners)

    x = numpy.array([[[[1, 2, 3], [4, 5, 6]]]], dtype=numpy.float32)
    y = resize(x)
    assert y.shape == (1, 1, 4, 6) and y.dtype == numpy.float32
    if mode == 'nearest':
        numpy.testing.assert_array_equal(
            y.array, x.repeat(2, axis=2).repeat(2, axis=3))
    elif align_corners:
        numpy.testing.assert_allclose(
            y.array[0, 0, :, 0], [1, 2, 3, 4], rtol=1e-6)
    gradient_check.check_backward(
        resize, x, uniform(1, 1, 4, 6), eps=1e-2, atol=1e-2, rtol=1e-2)


class TestCategorical:

    @pytest.mark.parametrize('shape', [(), (2,), (3, 2)])
    def test_log_prob(self, shape):
        p = numpy.random.dirichlet(numpy.ones(4), shape).astype(numpy.float32)
        x = numpy.random.randint(4, size=shape)
        actual = D.Categorical(p=p).log_prob(numpy.asarray(x))
        expected = numpy.log(numpy.take_along_axis(
            p, numpy.expand_dims(x, -1), axis=-1)[..., 0])
        numpy.testing.assert_allclose(actual.array, expected, rtol=1e-5)

    def test_log_prob_of_variable(self):
        p = chainer.Variable(numpy.array([[.25, .75]], dtype=numpy.float32))
        y = D.Categorical(p=p).log_prob(chainer.Variable(numpy.array([1])))
        F.sum(y).backward()
        numpy.testing.assert_allclose(p.grad, [[0, 1 / .75]], rtol=1e-6)

    def test_kl_divergence_by_sampling(self):
        p, q = (D.Categorical(p=numpy.array(p, dtype=numpy.float32))
                for p in ([[.2, .3, .5]], [[.4, .4, .2]]))
        x = p.sample(100000).array
        sampled = numpy.mean([
            (p.log_prob(x[i:i + 1, 0]) - q.log_prob(x[i:i + 1, 0])).array
            for i in range(2000)])
        exact = chainer.kl_divergence(p, q).array
        numpy.testing.assert_allclose(sampled, exact[0], atol=.1)


NORMALIZATIONS = {
    'layer': lambda number, x, gamma, beta, mean, var: F.layer_normalization(
        x, gamma, beta, eps=number(1e-3)),
    'local_response': lambda number, x, gamma, beta, mean, var:
        F.local_response_normalization(
            x, 3, number(2), number(1e-1), number(.75)),
    'batch': lambda number, x, gamma, beta, mean, var: F.batch_normalization(
        x, gamma, beta, eps=number(1e-3), decay=number(.5)),
    'fixed_batch': lambda number, x, gamma, beta, mean, var:
        F.fixed_batch_normalization(
            x, gamma, beta, mean, var, eps=number(1e-3)),
    'batch_re': lambda number, x, gamma, beta, mean, var:
        F.batch_renormalization(
            x, gamma, beta, number(2.), number(1.), eps=number(1e-3),
            running_mean=mean.array.copy(), running_var=var.array.copy(),
            decay=number(.5)),
}


def test_padding_is_silent():
    arrays = [numpy.ones(n, 'i') for n in (3, 1, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        padded = chainer.dataset.concat_examples(arrays, padding=-1)
    assert padded.tolist() == [[1, 1, 1], [1, -1, -1], [1, 1, -1]]


@pytest.mark.parametrize('dtype', ['u1', 'u2', 'i4', 'f4'])
@pytest.mark.parametrize('device', [
    '@numpy', pytest.param('@cupy:0', marks=pytest.mark.gpu)])
def test_padding_of_minus_one(dtype, device):
    device = chainer.get_device(device)
    arrays = [device.xp.ones(n, dtype=dtype) for n in (3, 1)]
    expected = numpy.array([[1, 1, 1], [1, -1, -1]]).astype(dtype)
    for padded in (
            F.pad_sequence(arrays, padding=-1).array,
            chainer.dataset.concat_examples(arrays, padding=-1)):
        assert padded.dtype == dtype
        numpy.testing.assert_array_equal(
            chainer.get_device('@numpy').send(padded), expected)


@pytest.mark.filterwarnings('error::DeprecationWarning')
def test_fix():
    x = numpy.array([-2.5, -.5, 0, .5, 2.5], dtype=numpy.float32)
    numpy.testing.assert_array_equal(F.fix(x).array, [-2, 0, 0, 0, 2])
    gradient_check.check_backward(
        F.fmod, (x, numpy.full_like(x, 2)), x, dtype='d', atol=1e-6)


@pytest.mark.filterwarnings('error::DeprecationWarning')
def test_maxout():
    """An initializer function receives arrays of the correct shape."""
    def fill(array):
        shapes.append(array.shape)
        array[...] = numpy.arange(array.size).reshape(array.shape)

    shapes = []
    link = L.Maxout(2, 3, 4, initialW=fill, initial_bias=fill)
    assert shapes == [(3, 4, 2), (3, 4)]
    numpy.testing.assert_array_equal(
        link.linear.W.array, numpy.arange(24).reshape(12, 2))
    numpy.testing.assert_array_equal(link.linear.b.array, numpy.arange(12))


def test_caffe(tmp_path):
    """A Caffe network is written and read with the installed protobuf."""
    from chainer.exporters import caffe
    from chainer.links.caffe import CaffeFunction
    model = chainer.Sequential(L.Linear(3, 4), F.relu, L.Linear(4, 2))
    x = chainer.Variable(uniform(5, 3))
    with chainer.using_config('train', False):
        caffe.export(model, [x], str(tmp_path), graph_name='net')
        function = CaffeFunction(str(tmp_path / 'chainer_model.caffemodel'))
        names = list(function.layers)
        y, = function({names[0][1][0]: x}, [names[-1][2][0]])
    numpy.testing.assert_allclose(y.array, model(x).array, rtol=1e-5)


@pytest.mark.parametrize('normalization', NORMALIZATIONS)
def test_hyperparameter_of_numpy(normalization):
    inputs = [uniform(3, 4)] + [uniform(4) for _ in range(4)]
    results = []
    for number in float, numpy.float64:
        xs = [chainer.Variable(x) for x in inputs]
        y = NORMALIZATIONS[normalization](number, *xs)
        y.grad = inputs[0]
        y.backward()
        results.append([y.array] + [x.grad for x in xs if x.grad is not None])
    for expected, actual in zip(*results):
        assert actual.dtype == numpy.float32
        numpy.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


class Communicator:
    """Fake communicator. All ranks run in one thread and share a queue."""

    sent = collections.deque()

    def __init__(self, rank):
        self.rank = rank

    def bcast(self, array, root):
        if self.rank == root:
            self.sent.append(array)
            return array
        return self.sent.popleft()


@pytest.fixture
def chainermn(monkeypatch):
    before = set(sys.modules)
    try:
        import mpi4py.MPI  # NOQA
    except (ImportError, RuntimeError):
        monkeypatch.setitem(sys.modules, 'mpi4py', mock.MagicMock())
        monkeypatch.setitem(
            sys.modules, 'mpi4py.MPI', sys.modules['mpi4py'].MPI)
    import chainermn
    yield chainermn
    for name in set(sys.modules) - before:
        if name.split('.')[0] == 'chainermn':
            del sys.modules[name]


@pytest.mark.parametrize('shuffle', [False, True])
def test_multi_node_iterator(chainermn, shuffle):
    dataset = [(numpy.float32(i), numpy.int32(i)) for i in range(5)]
    with warnings.catch_warnings():
        # ChainerMN warns that this iterator is an experimental feature.
        warnings.simplefilter('ignore', FutureWarning)
        master, slave = [
            chainermn.iterators.create_multi_node_iterator(
                chainer.iterators.SerialIterator(dataset, 2, shuffle=shuffle),
                Communicator(rank)) for rank in (0, 1)]
    assert slave.dataset_size == 5
    for _ in range(5):
        assert next(master) == next(slave)
        assert slave.epoch_detail == master.epoch_detail


def test_unpack_params_of_another_dtype(chainermn):
    from chainermn.communicators import _memory_utility

    def to_device(array, size, offset, stream):
        assert array.dtype == numpy.float16 and size == 2 * array.size
        array[...] = sent[offset // 2:][:array.size].reshape(array.shape)

    sent = numpy.arange(6).astype(numpy.float16)
    params = [chainer.Parameter(numpy.zeros(shape, dtype=numpy.float32))
              for shape in [(2, 2), (2,)]]
    for param in params:
        param.grad = numpy.ones_like(param.array)
    grads = [param.grad for param in params]
    _memory_utility.unpack_params(
        params, 'grad', mock.Mock(to_device=to_device), numpy.float16, False)
    for grad, expected in zip(grads, ([[0, 1], [2, 3]], [4, 5])):
        assert grad.dtype == numpy.float32
        numpy.testing.assert_array_equal(grad, expected)


def test_no_check_for_accelerate():
    from chainer import _environment_check
    with mock.patch('sys.platform', 'darwin'), warnings.catch_warnings():
        warnings.simplefilter('error')
        _environment_check._check_osx_numpy_backend()
