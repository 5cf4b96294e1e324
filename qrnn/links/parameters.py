"""Shape checks of loaded and copied parameters.

Without these checks, Chainer would broadcast arrays of other shapes.
"""
import chainer
import numpy


def check_stored(link, serializer):
    """Raise ValueError if stored parameters have other shapes than a link's.

    Args:
        link (RecurrentLayer): The link into which parameters will be loaded.
        serializer: Any serializer. Only a deserializer is checked.

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
    """Raise ValueError if a source link's parameters have other shapes."""
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
