"""Links as their hooks leave them."""
import chainer
import numpy


def apply_between_hooks(link, function):
    """Apply a function to a copy of a link, between the hooks of the link.

    A link hook may replace parameters while its link is called: spectral
    normalization does. The function sees the parameters that the link
    computes with in evaluation; the link itself stays as it is.

    Args:
        link (~chainer.Link): A link.
        function: Function of a link.

    Returns:
        The result of the function.

    """
    twin = link.copy()
    twin.forward = lambda _: function(twin)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return twin(numpy.zeros((0, 0)))  # hooks may ask for an input


def to_numpy(*variables):
    """Return the arrays of variables as NumPy arrays."""
    device = chainer.get_device('@numpy')
    return [device.send(variable.array) for variable in variables]


def find_hooked(link, *names):
    """Return the first of some parameters that a hook replaces, or None.

    Args:
        link (~chainer.Link): A link.
        names (str): Names of its parameters.

    Returns:
        str: The name of the parameter.

    """
    def find(twin):
        return next((name for name in names if getattr(twin, name).array
                     is not getattr(link, name).array), None)

    return apply_between_hooks(link, find)
