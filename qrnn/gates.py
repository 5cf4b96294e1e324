"""Gates of each pooling, and activations of each gate."""


#: Gates of each pooling, in the order of their channels.
GATES = {'f': 'fz', 'fo': 'fzo', 'if': 'fzi', 'ifo': 'fzoi'}

#: Default activation of each gate.
ACTIVATIONS = {'f': 'sigmoid', 'z': 'tanh', 'o': 'sigmoid', 'i': 'sigmoid'}

_NAMES = 'tanh', 'sigmoid', 'identity'


def check_pooling(pooling, activations=None, gated=True):
    """Check a pooling and its activations, and fill in default activations.

    Args:
        pooling (str): A key of :data:`GATES`.
        activations (dict): A dict that maps some of the gates z, o and i to
            activations. Omitted gates have the activations of
            :data:`ACTIVATIONS`.
        gated (bool): As in :func:`~qrnn.qrnn_pooling`. If False, the pooling
            must have an output gate.

    Returns:
        dict: A dict that maps the gates f, z, o and i to activations.

    Raises:
        ValueError: If the pooling, a gate or an activation is unknown, or if
            ``gated`` is False and the pooling has no output gate.

    """
    if pooling not in GATES:
        raise ValueError(
            f"pooling must be 'f', 'fo', 'if' or 'ifo', not {pooling!r}")
    if not gated and 'o' not in GATES[pooling]:
        raise ValueError(
            f'gated=False needs an output gate, which pooling {pooling!r} '
            "does not have; choose 'fo' or 'ifo'")
    for gate, name in (activations or {}).items():
        if (gate, name) == ('f', 'sigmoid'):
            continue  # f supports only the sigmoid
        if gate not in ('z', 'o', 'i') or name not in _NAMES:
            raise ValueError(
                "activations must map some of the gates 'z', 'o' and 'i' to "
                f"'tanh', 'sigmoid' or 'identity', not {gate!r} to {name!r}")
    return {**ACTIVATIONS, **(activations or {})}
