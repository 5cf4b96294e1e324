"""Named arrays, in files and in parameters."""
import os
import zipfile

import numpy

from qrnn.links.hooks import find_hooked
from qrnn.types import Arrays


def read_arrays(source: str | Arrays) -> dict[str, numpy.ndarray]:
    """Read named arrays.

    Nothing is unpickled: a file gives arrays of numbers, and nothing else.
    Numbers are converted to this machine's byte order, and bfloat16, which
    NumPy does not have, to float32.

    Args:
        source (str or dict): Name of a ``.npz`` or ``.safetensors`` file, the
            latter with the package safetensors; or arrays, or PyTorch's
            tensors and parameters, by name, such as
            ``dict(model.named_parameters())``.

    Returns:
        dict: Arrays by name.

    Raises:
        OSError: If the file cannot be opened.
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
        _refuse_pytorch(source)
        with numpy.load(source, allow_pickle=False) as arrays:
            members = arrays.zip.namelist()
            # By the members' own names: there may be an a.npy beside an a.
            return {member.removesuffix('.npy'): _native(arrays[member])
                    for member in members}
    except (OSError, ImportError):
        raise
    except Exception as error:  # a damaged file may raise any
        raise ValueError(
            f'{os.fspath(source)} cannot be read: {error}') from error


def write_arrays(path: str, arrays: Arrays) -> None:
    """Write named arrays.

    Args:
        path (str): Name of a ``.npz`` or ``.safetensors`` file, the latter
            with the package safetensors.
        arrays (dict): Arrays by name.

    Raises:
        OSError: If the file cannot be written.
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
        # It writes memory as it is, and not what a strided view shows.
        _safetensors(path).numpy.save_file(
            {name: numpy.ascontiguousarray(array)
             for name, array in arrays.items()}, path)
        return
    # numpy.savez would take an array named "file" for its first argument.
    with zipfile.ZipFile(path, 'w') as archive:
        for name, array in arrays.items():
            with archive.open(name + '.npy', 'w', force_zip64=True) as f:
                numpy.lib.format.write_array(
                    f, numpy.asarray(array), allow_pickle=False)


def set_layers(values):
    """Set the filters and the bias of layers, converted to their dtype.

    Args:
        values (list of tuple): Triples of a :class:`~qrnn.QRNNLayer`, filters
            ``(k, n, gates * m)`` and bias ``(gates * m,)``.

    """
    for layer, W, b in values:
        if layer.W.array is None:
            layer.W.initialize(W.shape)
        set_array(layer.W, W)
        set_array(layer.b, b)


def check_hooks(link, *names):
    """Raise ValueError if a link hook replaces one of some parameters."""
    if getattr(link, names[0]).array is None:
        hooked = names[0] if link.local_link_hooks else None
    else:
        hooked = find_hooked(link, *names)
    if hooked:
        raise ValueError(
            f'a link hook replaces the parameter {hooked} of the '
            f'{type(link).__name__}, so the link would not compute with the '
            'loaded weights: load them first, then add the hook')


def set_array(param, array):
    """Set a parameter, on whatever device."""
    param.array[...] = param.device.send(
        array.astype(param.dtype, copy=False))


def get_array(arrays, name, shape, taker):
    """Return an array by name, if it is there and fits.

    Args:
        arrays (dict): Arrays by name.
        name (str): Its name.
        shape (tuple of int): The shape that it must have.
        taker (str): What takes it, for the message if it does not fit.

    Returns:
        numpy.ndarray: The array.

    Raises:
        ValueError: If it is missing, of another shape or no floating point.

    """
    if name not in arrays:
        raise ValueError(
            f'the array {name} is missing; {taker} takes it, of shape {shape}')
    array = arrays[name]
    if array.shape != shape:
        raise ValueError(f'the array {name} is of shape {array.shape}, but '
                         f'{taker} takes {shape}')
    if array.dtype.kind != 'f':
        raise ValueError(f'the array {name} must hold floating-point numbers, '
                         f'but its dtype is {array.dtype}')
    return array


def _kind(path):
    kind = os.path.splitext(path)[1]
    if kind not in ('.npz', '.safetensors'):
        raise ValueError(
            'weights are read from and written to .npz and .safetensors '
            f'files, not {os.fspath(path)}')
    return kind


def _refuse_pytorch(path):
    """Raise ValueError for a PyTorch file, or any that is not an ``.npz``."""
    advice = ('PyTorch, which holds pickled objects; load it there and write '
              'its state_dict() with numpy.savez')
    with open(path, 'rb') as f:
        if not zipfile.is_zipfile(f):
            f.seek(0)
            if f.read(1) == b'\x80':  # a pickle begins with it
                raise ValueError(f'it seems to be a file of an old {advice}')
            raise ValueError('it is not an archive of arrays')
        names = zipfile.ZipFile(f).namelist()
    if any(name.endswith('.pkl') for name in names):
        raise ValueError(f'it is a file of {advice}')


def _native(array):
    """Return an array in this machine's byte order."""
    return array.astype(array.dtype.newbyteorder('='), copy=False)


def _from_tensor(value):
    """Convert a PyTorch tensor or parameter, or an array, to NumPy."""
    if hasattr(value, 'detach'):
        value = value.detach().cpu()
        if str(value.dtype) == 'torch.bfloat16':
            value = value.float()
    return numpy.asarray(value)


def _from_bytes(name, dtype, shape, data):
    """Return an array of a safetensors file, which is little-endian."""
    if dtype == 'BF16':  # the upper half of a float32
        array = numpy.frombuffer(data, '<u2').astype('<u4') << 16
        return array.view('<f4').reshape(shape)
    if dtype not in _DTYPES:
        raise ValueError(
            f'the array {name} is of dtype {dtype}, which NumPy does not have')
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
            f'{os.fspath(path)} needs the package safetensors: pip install '
            'safetensors') from None
    return safetensors
