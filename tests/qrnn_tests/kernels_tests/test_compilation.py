"""Test the cache of compiled code with missing and damaged files."""
import errno
import logging
import os
import pickle
import resource
import shutil
import subprocess
import sys

import numba
import numpy
import pytest

from qrnn.kernels.cpu import compilation


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Use an empty cache, and return its folder."""
    monkeypatch.setattr(numba.config, 'CACHE_DIR', str(tmp_path))
    return tmp_path


def files_of(folder):
    return [path for path in folder.rglob('*') if path.is_file()]


def add(number):
    """Return a new loop that adds a number to each element of an array."""
    @compilation.compiled
    def loop(array):
        for j in range(len(array)):
            array[j] += number

    return loop


def is_cached(number=1., dtype='d'):
    """Run a loop, check its result, and return whether it was cached."""
    loop, array = add(number), numpy.zeros(3, dtype)
    loop(array)
    assert array.tolist() == 3 * [number]
    return sum(loop.stats.cache_hits.values()) == 1


def test_cache(folder):
    assert not is_cached()
    assert is_cached()
    assert len(files_of(folder)) == 1


def test_separate_files_for_constants_and_dtypes(folder):
    for n_files, args in enumerate([(1., 'd'), (2., 'd'), (1., 'f')]):
        assert not is_cached(*args)
        assert len(files_of(folder)) == n_files + 1
    assert is_cached(1., 'd') and is_cached(2., 'd') and is_cached(1., 'f')


def test_stale_code_is_replaced(folder, monkeypatch):
    assert not is_cached()
    monkeypatch.setattr(compilation, '_sources', lambda: b'edited')
    assert not is_cached()
    assert is_cached()
    assert len(files_of(folder)) == 1


DAMAGES = {
    'empty': lambda contents: b'',
    'checksum only': lambda contents: contents[:32],
    'half': lambda contents: contents[:len(contents) // 2],
    'last byte missing': lambda contents: contents[:-1],
    'zeros': lambda contents: bytes(len(contents)),
    'a block of zeros': lambda contents:
        contents[:1024] + bytes(512) + contents[1536:],
    'one bit': lambda contents:
        contents[:-99] + bytes([contents[-99] ^ 4]) + contents[-98:],
    'garbage': lambda contents: os.urandom(len(contents)),
    'longer': lambda contents: contents + b'0',
    'a pickle': lambda contents: pickle.dumps({'another': 'program'}),
    'a pickle of an unknown class': lambda contents:
        b'\x80\x04cmissing.module\nMissing\n.',
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_files_are_replaced(folder, damage):
    assert not is_cached()
    for path in files_of(folder):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert not is_cached()
    assert is_cached()


def test_unloadable_code_is_replaced(folder, monkeypatch):
    """Cached code that cannot be loaded is compiled again.

    A different build of the same version of Numba can write such code.
    """
    monkeypatch.setattr(compilation, 'dumps', lambda data: b'no pickle')
    assert not is_cached()
    monkeypatch.undo()
    monkeypatch.setattr(numba.config, 'CACHE_DIR', str(folder))
    assert not is_cached()
    assert is_cached()


def test_index_of_numba_is_ignored(folder):
    """Index files of Numba, written by older versions of qrnn, are ignored."""
    assert not is_cached()
    path, = files_of(folder)
    path.with_name(path.name.split('.py')[0] + '.nbi').write_bytes(b'')
    assert is_cached()


def test_folder_instead_of_a_file(folder):
    assert not is_cached()
    for path in files_of(folder):
        path.unlink()
        path.mkdir()
    assert not is_cached()
    assert not files_of(folder)


def test_folder_deleted_later(folder):
    loop = add(1.)
    shutil.rmtree(folder)
    loop(numpy.zeros(3))
    assert is_cached()


@pytest.mark.parametrize('number', [
    'EACCES', 'EDQUOT', 'EIO', 'EMFILE', 'ENOSPC', 'EROFS'])
def test_read_only_folder(folder, monkeypatch, number):
    def fail(*args):
        raise OSError(getattr(errno, number), 'failure for testing')

    with monkeypatch.context() as context:
        context.setattr(os, 'replace', fail)
        assert not is_cached()
        assert not is_cached()
    assert not files_of(folder)
    assert not is_cached()
    assert is_cached()


def test_full_disk(folder):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        assert not is_cached()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not files_of(folder)
    assert not is_cached()
    assert is_cached()


def test_no_folder(monkeypatch, tmp_path):
    """Loops run even if no folder for the cache is writable."""
    file = tmp_path / 'file'
    file.touch()
    monkeypatch.setattr(numba.config, 'CACHE_DIR', str(file / 'missing'))
    monkeypatch.setattr(
        'numba.core.caching.CacheImpl._locator_classes',
        [numba.core.caching.UserProvidedCacheLocator])
    assert not is_cached()
    assert not is_cached()


def test_simultaneous_processes(folder):
    """Processes with different dtypes share an empty cache."""
    code = '''if True:
        import sys, numpy, qrnn
        x = numpy.full((1, 2, 3), .5, sys.argv[1])
        y = qrnn.strnn(x, x).array
        assert y.dtype == x.dtype and (y[0] == [3 * [.5], 3 * [.75]]).all()
    '''
    for _ in range(2):
        processes = [subprocess.Popen(
            [sys.executable, '-c', code, dtype], stderr=subprocess.PIPE,
            text=True, env={**os.environ, 'NUMBA_CACHE_DIR': str(folder)})
            for dtype in 'fd']
        for process in processes:
            _, errors = process.communicate()
            assert process.returncode == 0, errors
            assert errors == ''


def test_messages(caplog, monkeypatch):
    caplog.set_level(logging.INFO, 'qrnn')
    is_cached()
    message, = caplog.messages
    assert message.startswith('compiling ') and 'float64' in message
    caplog.clear()
    is_cached()
    assert not caplog.messages
