"""Store the states of layers between calls."""
import weakref

import chainer
import chainer.functions as F


def map_parts(function, parts):
    """Apply a function to a named tuple's fields; None fields stay None."""
    if parts is None:
        return None
    return type(parts)(*(
        None if part is None else function(part) for part in parts))


def own(x, device):
    """Return a differentiable copy of an array or Variable on a device."""
    x = F.copy(chainer.as_variable(x), device)
    return x * 1  # F.copy does not copy within a device


def detached(part):
    """Return a Variable with the same values, but without history."""
    return chainer.Variable(part.array, requires_grad=False)


class ValuesOnly:
    """A state that does not keep its computational graph alive.

    The object stores the values of the state's Variables, and weak references
    to the functions that computed the values. While the outputs or the loss
    keep the graph alive, :meth:`get` returns Variables with their history.
    Afterwards, :meth:`get` returns Variables without history.
    """

    def __init__(self, state):
        self._state = map_parts(detached, state)
        self._creators = [
            part is not None and part.creator_node is not None
            and _output_of(part) for part in state]

    def get(self):
        """Return the state, with its graph if the graph still exists."""
        return type(self._state)(*map(_restore, self._state, self._creators))

    def __reduce__(self):  # weak references cannot be pickled
        return ValuesOnly, (self._state,)


def _output_of(part):
    """Return a weak reference to the function that computed a Variable.

    Also return the index of the Variable among the outputs of the function.
    """
    creator = part.creator_node
    number = next(i for i, output in enumerate(creator.outputs)
                  if output() is part.node)
    return weakref.ref(creator), number


def _restore(part, output):
    """Reconnect a part of the state to the function that computed it.

    If the function or its graph no longer exists, the part is returned without
    history.
    """
    creator = output and output[0]()
    if not creator or creator.inputs is None:  # the history is gone
        return part
    number = output[1]
    node = creator.outputs[number]()
    if node is not None:
        if node.data is None:
            node.data = part.array
        return node.get_variable()
    # Restore the node as FunctionNode.get_retained_outputs does.
    restored = chainer.Variable(part.array)
    restored.creator_node = creator
    outputs = list(creator.outputs)
    outputs[number] = weakref.ref(restored.node)
    creator.outputs = tuple(outputs)
    return restored
