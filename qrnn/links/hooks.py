"""Run link hooks for links that are used without being called."""
import chainer
from chainer import link_hook
import numpy


def with_hooks(link, name, function, *args):
    """Call a function, and run the hooks of a link before and after it.

    Chainer runs link hooks, such as spectral normalization, only when a link
    is called. This function runs them for a link that is used without a call:
    its parameters are read, or it runs from a given state.

    Args:
        link (~chainer.Link): The link that ``function`` uses.
        name (str): Method name that is passed to the hooks.
        function (callable): Function that reads parameters of ``link``.
        args: Arguments of ``function``.

    Returns:
        The result of the function.

    """
    hooks = chainer._get_link_hooks()
    if link._n_local_link_hooks:
        hooks = {**hooks, **link.local_link_hooks}
    if not hooks:
        return function(*args)
    before = link_hook._ForwardPreprocessCallbackArgs(link, name, args, {})
    for hook in hooks.values():
        hook.forward_preprocess(before)
    out = function(*args)
    after = link_hook._ForwardPostprocessCallbackArgs(
        link, name, args, {}, out)
    for hook in hooks.values():
        hook.forward_postprocess(after)
    return out


def apply_between_hooks(link, function):
    """Apply a function to a copy of a link, and run the link's hooks.

    A link hook, for example spectral normalization, may replace parameters
    during a call of the link. The copy has the parameters that the link would
    use in evaluation. The original link is not changed.

    Args:
        link (~chainer.Link): A link.
        function (callable): Function whose only argument is a link.

    Returns:
        The result of the function.

    """
    twin = link.copy()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return with_hooks(  # hooks may read the shape of the input
            twin, 'forward', lambda x: function(twin), numpy.zeros((0, 0)))


def to_numpy(*variables):
    """Return the arrays of variables as NumPy arrays."""
    device = chainer.get_device('@numpy')
    return [device.send(variable.array) for variable in variables]


def find_hooked(link, *names):
    """Return the name of the first parameter that a hook replaces, or None.

    Args:
        link (~chainer.Link): A link.
        names (str): Names of parameters of the link.

    Returns:
        str: The name of the parameter, or None if no hook replaces one.

    """
    def find(twin):
        return next((name for name in names if getattr(twin, name).array
                     is not getattr(link, name).array), None)

    return apply_between_hooks(link, find)
