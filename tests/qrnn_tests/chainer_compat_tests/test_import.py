"""Test how patches are applied, and the messages of failed imports."""
import importlib.util
import pathlib
import re
import sys

import chainer
from chainer import distributions as D
import chainer.functions as F
import pytest

from qrnn import chainer_compat
from qrnn_tests.chainer_compat_tests.processes import ROOT
from qrnn_tests.chainer_compat_tests.processes import run
from qrnn_tests.chainer_compat_tests.processes import succeed


@pytest.mark.parametrize('module, lines', [
    pytest.param(module, lines, id=module)
    for module, _, lines in chainer_compat._PATCHES])
def test_lines_are_in_chainer(module, lines):
    top = pathlib.Path(chainer.__file__).parents[1]
    source = top.joinpath(*module.split('.')).with_suffix('.py').read_text()
    for old in lines:
        assert re.search(
            re.escape(old) if isinstance(old, str) else old, source)


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


def test_finder_leaves_others_alone():
    assert chainer_compat._Finder.find_spec('chainer.functions') is None
    assert importlib.util.find_spec('chainer.no_such_module') is None


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
    # If CuPy is built from source, its distribution has the name "cupy".
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
    if has_cudnn:  # CuPy 13 contains this module even without cuDNN
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
