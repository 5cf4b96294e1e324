import sys

import numpy
import pytest

from qrnn import interop


def test_names_may_be_anything(tmp_path):
    """Those of numpy.savez's own arguments, too."""
    arrays = {'file': numpy.arange(3.), 'a/b': numpy.float32(2.),
              'a/b.npy': numpy.float32(3.),
              'layers.0.weight': numpy.ones((2, 3)).T}
    path = tmp_path / 'arrays.npz'
    interop.write_arrays(path, arrays)
    read = interop.read_arrays(path)
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        assert numpy.array_equal(read[name], array)


def test_strided_arrays(tmp_path):
    pytest.importorskip('safetensors')
    path = tmp_path / 'arrays.safetensors'
    interop.write_arrays(path, {'a': numpy.arange(6.).reshape(2, 3).T})
    assert interop.read_arrays(path)['a'].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / 'arrays.npz'
    numpy.savez(path, a=numpy.array([print], object))
    with pytest.raises(ValueError, match='arrays.npz cannot be read: .*ickle'):
        interop.read_arrays(path)


@pytest.mark.parametrize('kind', ['npz', 'safetensors'])
def test_damaged_files(tmp_path, kind):
    if kind == 'safetensors':
        pytest.importorskip('safetensors')
    path = tmp_path / ('arrays.' + kind)
    path.write_bytes(b'PK\3\4 and so on, but no archive')
    with pytest.raises(ValueError, match=kind + ' cannot be read'):
        interop.read_arrays(path)


def test_other_files(tmp_path):
    with pytest.raises(ValueError, match='not model.pth'):
        interop.read_arrays('model.pth')
    with pytest.raises(ValueError, match='not model.pth'):
        interop.write_arrays('model.pth', {})
    with pytest.raises(FileNotFoundError):
        interop.read_arrays(tmp_path / 'none.npz')


def test_without_safetensors(monkeypatch):
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    monkeypatch.setitem(sys.modules, 'safetensors.numpy', None)
    with pytest.raises(ImportError, match='pip install safetensors'):
        interop.read_arrays('model.safetensors')
