"""Reading and writing of named arrays, and assignment to parameters."""
import os
import zipfile

import numpy

from qrnn.links.hooks import find_hooked
from qrnn.types import Arrays


def read_arrays(source: str | Arrays) -> dict[str, numpy.ndarray]:
    """Read arrays from a file, or convert arrays and tensors to NumPy.

    Files are read without pickle, so they can contain arrays of numbers only.
    Arrays are converted to the byte order of the machine. bfloat16, which
    NumPy lacks, is converted to float32.

    Args:
        source (str or dict): Name of a ``.npz`` or ``.safetensors`` file, or
            a dict that maps names to arrays. The values may also be tensors
            and parameters of PyTorch, as in
            ``dict(model.named_parameters())``. Reading ``.safetensors``
            requires the package safetensors.

    Returns:
        dict: NumPy arrays; the keys are the names.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If the file has a different format or is damaged.
        ImportError: If safetensors is required but not installed.

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
            # Full member names are used, because the key 'a.npy' could mean
            # the array a.npy or the array a.
            return {member.removesuffix('.npy'): _native(arrays[member])
                    for member in members}
    except (OSError, ImportError):
        raise
    except Exception as error:  # a damaged file may raise any exception
        raise ValueError(
            f'{os.fspath(source)} cannot be read: {error}') from error


def write_arrays(path: str, arrays: Arrays) -> None:
    """Write arrays to a file.

    Args:
        path (str): Name of a ``.npz`` or ``.safetensors`` file. Writing
            ``.safetensors`` requires the package safetensors.
        arrays (dict): Arrays; the keys are the names.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If the extension is not supported.
        ImportError: If safetensors is required but not installed.

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
        # safetensors ignores strides and writes the memory of an array.
        _safetensors(path).numpy.save_file(
            {name: numpy.ascontiguousarray(array)
             for name, array in arrays.items()}, path)
        return
    # numpy.savez(path, **arrays) fails for an array named "file".
    with zipfile.ZipFile(path, 'w') as archive:
        for name, array in arrays.items():
            with archive.open(name + '.npy', 'w', force_zip64=True) as f:
                numpy.lib.format.write_array(
                    f, numpy.asarray(array), allow_pickle=False)


def set_layers(values):
    """Set the filters and biases of several layers.

    Args:
        values (list of tuple): One tuple per layer: a
            :class:`~qrnn.QRNNLayer`, filters ``(k, n, gates * m)``, and bias
            ``(gates * m,)``. The arrays are converted to the layer's dtype.

    """
    for layer, W, b in values:
        if layer.W.array is None:
            layer.W.initialize(W.shape)
        set_array(layer.W, W)
        set_array(layer.b, b)


def check_hooks(link, *names):
    """Raise ValueError if a link hook replaces one of the named parameters."""
    if getattr(link, names[0]).array is None:
        hooked = names[0] if link.local_link_hooks else None
    else:
        hooked = find_hooked(link, *names)
    if hooked:
        raise ValueError(
            f'a link hook replaces the parameter {hooked} of the '
            f'{type(link).__name__}, which would ignore the loaded weights; '
            'load the weights first, then add the hook')


def set_array(param, array):
    """Copy an array into a parameter on any device."""
    param.array[...] = param.device.send(
        array.astype(param.dtype, copy=False))


def get_array(arrays, name, shape, layer):
    """Check the shape and the dtype of a named array, and return the array.

    Args:
        arrays (dict): Arrays; the keys are the names.
        name (str): Name of the array.
        shape (tuple of int): Required shape.
        layer (str): Description of the layer, for error messages.

    Returns:
        numpy.ndarray: The array.

    Raises:
        ValueError: If the array is missing, or if its shape or dtype is wrong.

    """
    if name not in arrays:
        raise ValueError(f'the array {name} is missing; {layer} needs it, '
                         f'with shape {shape}')
    array = arrays[name]
    if array.shape != shape:
        raise ValueError(f'the array {name} has shape {array.shape}, but '
                         f'{layer} needs shape {shape}')
    if array.dtype.kind != 'f':
        raise ValueError(f'the array {name} must be floating point, but its '
                         f'dtype is {array.dtype}')
    return array


def _kind(path):
    kind = os.path.splitext(path)[1]
    if kind not in ('.npz', '.safetensors'):
        raise ValueError(
            'files of weights must end in .npz or .safetensors, not '
            f'{os.fspath(path)}')
    return kind


def _check_archive(path):
    """Raise ValueError if a file is not an archive of arrays."""
    advice = ('which contains pickled objects; load it in PyTorch and write '
              'its state_dict() with numpy.savez')
    with open(path, 'rb') as f:
        if not zipfile.is_zipfile(f):
            f.seek(0)
            if f.read(1) == b'\x80':  # the first byte of a pickle
                raise ValueError(
                    f'it seems to be a file of an old PyTorch, {advice}')
            raise ValueError('it is not an archive of arrays')
        names = zipfile.ZipFile(f).namelist()
    if any(name.endswith('.pkl') for name in names):
        raise ValueError(f'it is a file of PyTorch, {advice}')


def _native(array):
    """Return an array in the byte order of the machine."""
    return array.astype(array.dtype.newbyteorder('='), copy=False)


def _from_tensor(value):
    """Convert a PyTorch tensor or parameter, or an array, to a NumPy array."""
    if hasattr(value, 'detach'):
        value = value.detach().cpu()
        if str(value.dtype) == 'torch.bfloat16':
            value = value.float()
    return numpy.asarray(value)


def _from_bytes(name, dtype, shape, data):
    """Convert the little-endian bytes of a safetensors array to NumPy."""
    if dtype == 'BF16':  # the upper 16 bits of a float32
        array = numpy.frombuffer(data, '<u2').astype('<u4') << 16
        return array.view('<f4').reshape(shape)
    if dtype not in _DTYPES:
        raise ValueError(
            f'the array {name} has dtype {dtype}, which NumPy does not '
            'support; convert it to another dtype')
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
            f'{os.fspath(path)} requires the package safetensors; install it '
            'with "pip install safetensors"') from None
    return safetensors
