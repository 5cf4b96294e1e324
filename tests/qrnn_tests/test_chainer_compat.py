"""All patched functions of Chainer, used as in Chainer's own tests."""
import collections
import importlib.util
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import textwrap
from unittest import mock
import warnings

import chainer
from chainer import distributions as D
import chainer.functions as F
from chainer import gradient_check
import chainer.links as L
import numpy
import pytest

import qrnn
from qrnn import chainer_compat

# Folder of the checkout or of the installed package.
ROOT = pathlib.Path(qrnn.__file__).parents[1]


def uniform(*shape):
    return numpy.random.uniform(.1, .9, shape).astype(numpy.float32)


def run(code, *arguments, options=(), path=(ROOT,)):
    """Run code in a separate Python process, outside the project's folder."""
    environ = dict(
        os.environ, PYTHONPATH=os.pathsep.join(map(str, path)))
    return subprocess.run(
        [sys.executable, *options, '-c', textwrap.dedent(code), *arguments],
        env=environ, cwd='/', capture_output=True, text=True)


def succeed(*args, **kwargs):
    done = run(*args, **kwargs)
    assert done.returncode == 0, done.stderr
    return done


# Patched functions


@pytest.mark.parametrize('module, lines', [
    pytest.param(module, lines, id=module)
    for module, _, lines in chainer_compat._PATCHES])
def test_lines_are_in_chainer(module, lines):
    top = pathlib.Path(chainer.__file__).parents[1]
    source = top.joinpath(*module.split('.')).with_suffix('.py').read_text()
    for old in lines:
        assert re.search(
            re.escape(old) if isinstance(old, str) else old, source)


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
    """Initializers that are functions receive arrays with the right axes."""
    def fill(array):
        shapes.append(array.shape)
        array[...] = numpy.arange(array.size).reshape(array.shape)

    shapes = []
    link = L.Maxout(2, 3, 4, initialW=fill, initial_bias=fill)
    assert shapes == [(3, 4, 2), (3, 4)]
    numpy.testing.assert_array_equal(
        link.linear.W.array, numpy.arange(24).reshape(12, 2))
    numpy.testing.assert_array_equal(link.linear.b.array, numpy.arange(12))


# Programs that start processes. The processes cannot import the program, which
# is not a file, so that they do not import qrnn.

ITERATOR = '''
    iterator = chainer.iterators.MultiprocessIterator(
        [(numpy.full(3, n, 'f'), n) for n in range(5)], 2, repeat=False,
        shuffle=False, n_processes=2, maxtasksperchild=2)
    batches = list(iterator)
    assert [[n for _, n in batch] for batch in batches] == [
        [0, 1], [2, 3], [4]]
    assert all((x == n).all() for batch in batches for x, n in batch)
    assert iterator._prefetch_loop.thread.daemon
    iterator.finalize()
'''

WRITERS = '''
    import os, tempfile
    from chainer.training.extensions import snapshot_writers
    for Writer in (snapshot_writers.ProcessWriter,
                   snapshot_writers.ProcessQueueWriter):
        with tempfile.TemporaryDirectory() as folder:
            writer = Writer(savefun=chainer.serializers.save_npz)
            for name in 'first', 'second':
                writer(name, folder, chainer.links.Linear(2, 3))
            writer.finalize()
            assert sorted(os.listdir(folder)) == ['first', 'second']
'''

UPDATER = '''
    import unittest.mock
    from chainer.training.updaters import multiprocess_parallel_updater
    multiprocess_parallel_updater.nccl = unittest.mock.Mock(
        get_unique_id=lambda: 'id')
    Updater = multiprocess_parallel_updater.MultiprocessParallelUpdater
    updater = Updater.__new__(Updater)
    device = chainer.get_device('@numpy')
    vars(updater).update(
        _initialized=False, _workers=[], _pipes=[], _devices=2 * [device],
        _master=chainer.links.Linear(2, 3), _mpu_iterators=2 * [
            chainer.iterators.SerialIterator([1, 2], 2)],
        converter=chainer.dataset.concat_examples)
    updater.setup_workers()
    worker, = updater._workers
    worker.join()
'''


def run_processes(method, code, *options):
    start = '''
    import sys
    import qrnn, chainer, numpy, multiprocessing
    multiprocessing.set_start_method(sys.argv[1])
    '''
    return succeed(start + code, method, options=options)


@pytest.mark.parametrize(
    'code', [ITERATOR, WRITERS], ids=['iterator', 'writers'])
@pytest.mark.parametrize('method', multiprocessing.get_all_start_methods())
def test_processes(method, code):
    done = run_processes(
        method, code, '-W', 'error::DeprecationWarning:chainer')
    assert done.stderr == ''


@pytest.mark.parametrize('method', ['spawn', 'forkserver'])
def test_processes_of_an_updater(method):
    """Without NCCL the processes stop at its first use."""
    lines = run_processes(method, UPDATER).stderr.splitlines()
    assert lines[-1] == "NameError: name 'nccl' is not defined"


def test_caffe(tmp_path):
    """A network is written and read with the installed protobuf."""
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
    """Fake communicator, whose ranks share one thread and a queue."""

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
        warnings.simplefilter('ignore', FutureWarning)  # experimental feature
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


WITHOUT_PKG_RESOURCES = '''
    import sys
    sys.modules['pkg_resources'] = None
    sys.modules['numpy.distutils'] = None
'''


def test_testing_without_pkg_resources():
    succeed(WITHOUT_PKG_RESOURCES + '''
    import qrnn
    from chainer import testing
    from chainer.testing import doctest_helper
    def skipped(decorate):
        return hasattr(decorate(lambda: None), '__unittest_skip__')
    assert not skipped(testing.with_requires('numpy>=1.26', 'six'))
    assert skipped(testing.with_requires('numpy>=1.26', 'numpy<1.26'))
    assert skipped(testing.with_requires('no-such-distribution'))
    assert skipped(testing.without_requires('numpy>=1.26,<9'))
    assert not skipped(testing.without_requires('no-such-distribution'))
    assert doctest_helper.skipif_requires_satisfied('numpy')
    assert not doctest_helper.skipif_requires_satisfied('numpy<1')
    ''')


def test_no_check_for_accelerate():
    from chainer import _environment_check
    with mock.patch('sys.platform', 'darwin'), warnings.catch_warnings():
        warnings.simplefilter('error')
        _environment_check._check_osx_numpy_backend()


# Patching


def test_patch_twice():
    functions = [F.as_strided, D.Categorical.log_prob, F.resize_images]
    before = list(sys.meta_path), [f.__code__ for f in functions], set(
        sys.modules)
    chainer_compat.patch()
    assert before == (list(sys.meta_path), [f.__code__ for f in functions],
                      set(sys.modules))


def test_namespaces_stay_clean():
    succeed('''
    import sys, types
    import numpy
    before = set(vars(numpy))
    import qrnn
    import chainer.testing
    added = {name for name in set(vars(numpy)) - before
             if not isinstance(vars(numpy)[name], types.ModuleType)}
    assert not added, added
    if 'pkg_resources' in sys.modules:
        assert sys.modules['pkg_resources'].__file__
    ''')


def test_modules_imported_before():
    succeed('''
    import sys, types
    import numpy
    for name in 'pkg_resources', 'numpy.distutils', \\
            'numpy.distutils.system_info':
        sys.modules[name] = types.ModuleType(name)
    import unittest.mock
    with unittest.mock.patch('numpy.sctypes', {
            'int': [numpy.int32, numpy.int64],
            'float': [numpy.float32, numpy.float64]}, create=True):
        sys.modules['pkg_resources'].require = {}.__getitem__
        sys.modules['pkg_resources'].DistributionNotFound = LookupError
        import chainer.testing
        del sys.modules['pkg_resources']
    from chainer import distributions as D
    from chainer.functions import (
        as_strided, layer_normalization, resize_images)
    try:
        resize_images(numpy.ones((1, 1, 2, 2), 'f'), (4, 4))
    except AttributeError:
        pass  # As it should without the patches.
    else:
        assert hasattr(numpy, 'float')

    import qrnn
    resize_images(numpy.ones((1, 1, 2, 2), 'f'), (4, 4))
    x = chainer.Variable(numpy.ones((2, 2), 'f'))
    y = layer_normalization(x, x[0], x[1], eps=numpy.float64(1))
    assert y.dtype == numpy.float32
    D.Categorical(p=x).log_prob(numpy.array([0, 1]))
    y = as_strided(x, (3, 2), (1, 1), 0)
    y.grad = y.array
    y.backward()
    assert (x.grad == [[1, 2], [2, 1]]).all(), x.grad
    ''')


def test_import_failed_before():
    succeed('''
    import sys
    sys.modules['chainer._environment_check'] = None
    try:
        import chainer
    except Exception:
        del sys.modules['chainer._environment_check']
    import qrnn
    import chainer
    assert chainer.functions.relu(chainer.Parameter(1., (2, 3))).shape
    assert chainer.backends.cuda.to_cpu
    ''')


@pytest.mark.parametrize('method', ['fork', 'spawn', 'forkserver'])
def test_child_processes(method, tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(textwrap.dedent('''
    import multiprocessing
    import sys
    import qrnn
    import chainer
    import numpy

    def double(x):
        return chainer.functions.resize_images(x, (4, 4))

    if __name__ == '__main__':
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(1) as pool:
            y, = pool.map(double, [numpy.ones((1, 1, 2, 2), 'f')])
        assert y.shape == (1, 1, 4, 4)
        print('done')
    '''))
    done = subprocess.run(
        [sys.executable, script, method], capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert (done.stdout, done.stderr) == ('done\n', '')


# Messages


def _check_sentence(done, start, option=''):
    assert done.returncode == 1
    *frames, sentence = done.stderr.splitlines()
    assert sentence.startswith('ImportError: ' + start)
    assert sentence.endswith(
        "; type: python -m pip install 'setuptools<81' wheel && python -m pip "
        f'install --no-build-isolation {option}chainer==7.8.1 '
        "'numpy>=1.26,<2.6'")
    assert done.stderr.count('Traceback') == 1
    assert 'chainer/' not in ''.join(frames)


def test_chainer_missing(tmp_path):
    # -S excludes site-packages.
    tmp_path.joinpath('qrnn').symlink_to(ROOT / 'qrnn')
    _check_sentence(run('import qrnn', options=['-S'], path=[tmp_path]),
                    'qrnn needs Chainer, which is not installed')


@pytest.mark.parametrize('reason, sentence', [
    ("AttributeError('numpy has\\nno attribute')",
     'AttributeError: numpy has no attribute'),
    ("ModuleNotFoundError('No module named six', name='six')",
     'ModuleNotFoundError: No module named six')])
def test_chainer_broken(reason, sentence, tmp_path):
    tmp_path.joinpath('chainer').mkdir()
    tmp_path.joinpath('chainer', '__init__.py').write_text('raise ' + reason)
    _check_sentence(
        run('import qrnn', path=[tmp_path, ROOT]),
        f'Chainer cannot be imported here ({sentence})',
        '--force-reinstall ')


@pytest.mark.parametrize('setting', ['', WITHOUT_PKG_RESOURCES])
def test_import_is_silent(setting, tmp_path):
    # CuPy built from source has the name "cupy".
    metadata = tmp_path / 'cupy-14.2.0.dist-info' / 'METADATA'
    metadata.parent.mkdir()
    metadata.write_text('Metadata-Version: 2.1\nName: cupy\nVersion: 14.2.0\n')
    done = succeed(setting + '''
    import qrnn
    import chainer.testing
    ''', options=['-W', 'default'], path=[tmp_path, ROOT])
    for word in 'chainer', 'distutils', 'pkg_resources', 'nccl':
        assert word not in done.stderr, done.stderr


CUPY = '''
from unittest import mock
__version__ = '13.6.0'
ndarray = Device = Event = Stream = type('Some', (), {})
def __getattr__(name):
    if name in ('cudnn', 'nccl') or name.startswith('__'):
        raise AttributeError(name)
    return mock.MagicMock()
'''


@pytest.mark.parametrize('has_cudnn, setting, warns', [
    (False, '1', False), (True, '1', True), (True, '0', False)])
def test_import_with_cupy(has_cudnn, setting, warns, tmp_path, monkeypatch):
    monkeypatch.setenv('CHAINER_CUDNN', setting)
    for package in 'cupy', 'cupy/cuda', 'cupy/lib', 'cupyx', 'cupyx/scipy':
        tmp_path.joinpath(package).mkdir()
        tmp_path.joinpath(package, '__init__.py').write_text(CUPY)
    for module in ('cupy/_util', 'cupy/lib/stride_tricks',
                   'cupyx/scipy/linalg', 'cupyx/scipy/special'):
        tmp_path.joinpath(module + '.py').write_text(CUPY)
    tmp_path.joinpath('cupy', 'cuda', 'nccl.py').write_text(
        'import warnings; warnings.warn("NCCL is missing"); raise ImportError')
    if has_cudnn:  # CuPy 13 has the module, even without the library
        tmp_path.joinpath('cupy', 'cudnn.py').touch()
        tmp_path.joinpath('cupy', 'cuda', 'cudnn.py').write_text(
            'import warnings; warnings.warn("libcudnn"); raise ImportError')
    done = succeed('''
    import qrnn
    from chainer.backends import cuda
    assert cuda.available
    cuda.check_cuda_available()
    ''', path=[tmp_path, ROOT])
    for warning in 'cuDNN is not enabled', 'libcudnn':
        assert (warning in done.stderr) == warns
    assert 'NCCL' not in done.stderr


def test_finder_leaves_others_alone():
    assert chainer_compat._Finder.find_spec('chainer.functions') is None
    assert importlib.util.find_spec('chainer.no_such_module') is None
