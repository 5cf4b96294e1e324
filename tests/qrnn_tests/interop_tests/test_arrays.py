import json
import pickle
import sys
import zipfile

import numpy
import pytest

from qrnn import interop


def test_any_names(tmp_path):
    """An array may have the name of an argument of numpy.savez."""
    arrays = {'file': numpy.arange(3.), 'a/b': numpy.float32(2.),
              'a/b.npy': numpy.float32(3.),
              'layers.0.weight': numpy.ones((2, 3)).T}
    path = tmp_path / 'arrays.npz'
    interop.write_arrays(path, arrays)
    read = interop.read_arrays(path)
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        assert numpy.array_equal(read[name], array)


def test_pickle_is_not_read(tmp_path):
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


def test_unsupported_files(tmp_path):
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


def test_other_byte_order(tmp_path):
    values = numpy.arange(6.).reshape(2, 3)
    for dtype in '>f4', '>f2', '<f8', '>i4':
        array = values.astype(dtype)
        numpy.savez(tmp_path / 'a.npz', a=array)
        for source in str(tmp_path / 'a.npz'), {'a': array}:
            read = interop.read_arrays(source)['a']
            assert read.dtype == array.dtype.newbyteorder('=')
            assert read.dtype.isnative and (read == values).all()


def write_safetensors(path, dtype, shape, data):
    header = json.dumps({'a': {
        'dtype': dtype, 'shape': shape, 'data_offsets': [0, len(data)]}})
    path.write_bytes(
        len(header).to_bytes(8, 'little') + header.encode() + data)


def test_bfloat16(tmp_path):
    pytest.importorskip('safetensors')
    path = tmp_path / 'a.safetensors'
    data = bytes.fromhex('803f 20c0 0080 4940')
    write_safetensors(path, 'BF16', [2, 2], data)
    array = interop.read_arrays(path)['a']
    assert array.dtype == numpy.float32
    assert array.tolist() == [[1, -2.5], [0, 3.140625]]
    assert numpy.signbit(array[1, 0])


def test_unsupported_dtypes(tmp_path):
    pytest.importorskip('safetensors')
    path = tmp_path / 'a.safetensors'
    write_safetensors(path, 'F8_E4M3', [2], b'..')
    with pytest.raises(ValueError, match='the array a has dtype F8_E4M3'):
        interop.read_arrays(path)


def test_renamed_pytorch_checkpoint(tmp_path):
    """PyTorch checkpoints are rejected, both archives and older pickles."""
    path = tmp_path / 'model.npz'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('model/data.pkl', b'...')
        archive.writestr('model/data/0', bytes(8))
    with pytest.raises(ValueError, match='model.npz .*PyTorch.*numpy.savez'):
        interop.read_arrays(path)
    path.write_bytes(pickle.dumps({'a': [1.]}, protocol=2))
    with pytest.raises(ValueError, match='model.npz .*old PyTorch.*numpy.sav'):
        interop.read_arrays(path)


def test_tensors_and_parameters():
    torch = pytest.importorskip('torch')
    values = torch.tensor([[1., -2.5], [0., 3.140625]])
    for tensor in (values, torch.nn.Parameter(values), values.bfloat16(),
                   values.double().requires_grad_()):
        array = interop.read_arrays({'a': tensor})['a']
        assert isinstance(array, numpy.ndarray)
        assert array.tolist() == values.tolist()
