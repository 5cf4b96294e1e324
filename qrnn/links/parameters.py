"""Shape checks for loaded and copied parameters.

Without these checks, Chainer would broadcast arrays of the wrong shape.
"""
import chainer
import numpy


def check_stored(link, serializer):
    """Raise ValueError if the shape of a stored parameter is invalid.

    Args:
        link (RecurrentLayer): The link into which parameters will be loaded.
        serializer: Serializer or deserializer. Only loading is checked.

    """
    if not isinstance(serializer, chainer.Deserializer):
        return
    for path, param in link.namedparams():
        *folders, name = path.strip('/').split('/')
        inner = serializer
        for folder in folders:
            inner = inner[folder]
        stored = inner(name, None)
        if stored is not None:
            _check(link, path, param, numpy.shape(stored))


def check_source(link, source):
    """Raise ValueError if ``source`` has a parameter of an invalid shape."""
    theirs = dict(source.namedparams())
    for path, param in link.namedparams():
        if path in theirs and theirs[path].array is not None:
            _check(link, path, param, theirs[path].shape)


def _check(link, path, param, shape):
    axes = link.axes[path]
    expected = (link.known_shape(path) if param.array is None
                else param.shape)
    if len(expected) == len(shape):
        causes = {axis for axis, ours, theirs in zip(axes, expected, shape)
                  if ours not in (None, theirs)}
        if not causes:
            return
    else:
        causes = set(axes)
    raise ValueError(
        f'{path} of {link} is of shape {expected}, but the given array is of '
        f'shape {shape}: it belongs to a layer with another '
        f'{" and ".join(sorted(causes))}')
