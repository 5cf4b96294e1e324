"""Link hooks around the use of a link that is not a plain call of it."""
import chainer
from chainer import link_hook


def with_hooks(link, name, function, *args):
    """Return ``function(*args)``, with the hooks of a link around it.

    Chainer runs link hooks only where a link is called. A layer that reads the
    parameters of an inner link, or runs an inner layer from a given state,
    does so within this function, so that spectral normalization, timers and
    other hooks act there as well.

    Args:
        link (~chainer.Link): The link that ``function`` uses.
        name (str): Name of the method that the hooks are told of.
        function (callable): Function that reads parameters of ``link``.
        args: Arguments of ``function``.

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
