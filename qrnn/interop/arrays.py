"""Named arrays, in files and in parameters."""
import os
import zipfile

import chainer
import numpy

from qrnn.types import Arrays


def read_arrays(source: str | Arrays) -> dict[str, numpy.ndarray]:
    """Read named arrays.

    Nothing is unpickled: a file can give arrays of numbers, and nothing else.
    Numbers of the other byte order are converted to this machine's, and
    bfloat16, which NumPy has not, to float32.

    Args:
        source (str or dict): Name of a ``.npz`` or ``.safetensors`` file, the
            latter with the package safetensors; or arrays by name, or
            PyTorch's tensors and parameters,
            ``dict(model.named_parameters())`` for instance.

    Returns:
        dict: Arrays by name.

    Raises:
        ValueError: If the file is of another kind, or damaged.
        ImportError: If safetensors is needed and not installed.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.interop import read_arrays
        >>> read_arrays({'layers.0.linear.bias': np.zeros(2)})
        {'layers.0.linear.bias': array([0., 0.])}

    """
    if not isinstance(source, (str, os.PathLike)):
        return {name: _native(_from_tensor(array))
                for name, array in source.items()}
    try:
        if _kind(source) == '.safetensors':
            package = _safetensors(source)
            with open(source, 'rb') as f:
                members = package.deserialize(f.read())
            return {name: _native(_from_bytes(name, **member))
                    for name, member in members}
        _check_archive(source)
        with numpy.load(source, allow_pickle=False) as arrays:
            members = arrays.zip.namelist()
            # By the members' own names: there may be an a.npy beside an a.
            return {member.removesuffix('.npy'): _native(arrays[member])
                    for member in members}
    except (OSError, ImportError):
        raise
    except Exception as error:  # a damaged file fails in many ways
        raise ValueError('{} cannot be read: {}'.format(
            os.fspath(source), error)) from error


def write_arrays(path: str, arrays: Arrays) -> None:
    """Write named arrays.

    Args:
        path (str): Name of a ``.npz`` or ``.safetensors`` file, the latter
            with the package safetensors.
        arrays (dict): Arrays by name.

    Raises:
        ValueError: If the file is of another kind.
        ImportError: If safetensors is needed and not installed.

    .. admonition:: Example

        >>> import os, tempfile
        >>> from qrnn import QRNNStack
        >>> from qrnn.interop import read_arrays, to_state_dict, write_arrays
        >>> weights = to_state_dict(QRNNStack(1, 3, 5))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, 'weights.npz')
        ...     write_arrays(path, weights)
        ...     sorted(read_arrays(path))
        ['layers.0.linear.bias', 'layers.0.linear.weight']

    """
    if _kind(path) == '.safetensors':
        # It writes what lies in memory, in that order, not strided views.
        _safetensors(path).numpy.save_file(
            {name: numpy.ascontiguousarray(array)
             for name, array in arrays.items()}, path)
        return
    # savez would take a name such as "file" for an argument of its own.
    with zipfile.ZipFile(path, 'w') as archive:
        for name, array in arrays.items():
            with archive.open(name + '.npy', 'w', force_zip64=True) as f:
                numpy.lib.format.write_array(
                    f, numpy.asarray(array), allow_pickle=False)


def assign(values):
    """Sets the filters and the bias of layers, converted to their dtype.

    Args:
        values (list): Triples of a :class:`~qrnn.QRNNLayer`, filters
            ``(k, n, gates * m)`` and bias ``(gates * m,)``.

    """
    for layer, W, b in values:
        if layer.W.array is None:
            with chainer.using_device(layer.device):
                layer._initialize_params(W.shape[1])
        set_array(layer.W, W)
        set_array(layer.b, b)


def set_array(param, array):
    """Sets a parameter, wherever it is."""
    param.array[...] = param.device.send(
        array.astype(param.dtype, copy=False))


def fitting(arrays, name, shape, whose):
    """The array of that name, or a complaint if it does not fit.

    Args:
        arrays (dict): Arrays by name.
        name (str): Name of one.
        shape (tuple): The shape that it must have.
        whose (str): What takes it, to complain about.

    """
    if name not in arrays:
        raise ValueError(
            'the array {} is missing; {} takes it, of shape {}'.format(
                name, whose, shape))
    array = arrays[name]
    if array.shape != shape:
        raise ValueError('the array {} is of shape {}, but {} takes {}'.format(
            name, array.shape, whose, shape))
    if array.dtype.kind != 'f':
        raise ValueError(
            'the array {} must hold floating-point numbers, but its dtype is '
            '{}'.format(name, array.dtype))
    return array


def _kind(path):
    kind = os.path.splitext(path)[1]
    if kind not in ('.npz', '.safetensors'):
        raise ValueError(
            'weights are read from and written to .npz and .safetensors '
            'files, not {}'.format(os.fspath(path)))
    return kind


def _check_archive(path):
    """Tell a file of PyTorch's, whatever its name, from an ``.npz``."""
    advice = ('PyTorch, which holds pickled objects; load it there and write '
              'its state_dict() by numpy.savez')
    with open(path, 'rb') as f:
        if not zipfile.is_zipfile(f):
            f.seek(0)
            if f.read(1) == b'\x80':  # how a pickle begins
                raise ValueError('it seems to be a file of an old ' + advice)
            raise ValueError('it is no archive of arrays')
        names = zipfile.ZipFile(f).namelist()
    if any(name.endswith('.pkl') for name in names):
        raise ValueError('it is a file of ' + advice)


def _native(array):
    """An array of this machine's byte order."""
    return array.astype(array.dtype.newbyteorder('='), copy=False)


def _from_tensor(value):
    """An array of an array, or of a tensor or parameter of PyTorch's."""
    if hasattr(value, 'detach'):
        value = value.detach().cpu()
        if str(value.dtype) == 'torch.bfloat16':
            value = value.float()
    return numpy.asarray(value)


def _from_bytes(name, dtype, shape, data):
    """An array of a member of a safetensors file, little-endian as it is."""
    if dtype == 'BF16':  # the upper half of a float32
        array = numpy.frombuffer(data, '<u2').astype('<u4') << 16
        return array.view('<f4').reshape(shape)
    if dtype not in _DTYPES:
        raise ValueError(
            f'the array {name} is of dtype {dtype}, which NumPy has not')
    return numpy.frombuffer(data, _DTYPES[dtype]).reshape(shape)


_DTYPES = {'BOOL': '?', 'C64': '<c8', **{
    f'{kind}{8 * size}': f'<{letter}{size}'
    for kind, letter in (('F', 'f'), ('I', 'i'), ('U', 'u'))
    for size in (1, 2, 4, 8) if (kind, size) != ('F', 1)}}


def _safetensors(path):
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            '{} needs the package safetensors: pip install '
            'safetensors'.format(os.fspath(path))) from None
    return safetensors
