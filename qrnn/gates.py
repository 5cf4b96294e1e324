"""The gates of every pooling and their activations."""


#: The gates of every pooling, in the order in which they are stacked.
GATES = {'f': 'fz', 'fo': 'fzo', 'if': 'fzi', 'ifo': 'fzoi'}

#: The activation of every gate, unless others are asked for.
ACTIVATIONS = {'f': 'sigmoid', 'z': 'tanh', 'o': 'sigmoid', 'i': 'sigmoid'}

_NAMES = 'tanh', 'sigmoid', 'identity'


def check_pooling(pooling, activations=None, gated=True):
    """Check a pooling, and return the activation of every gate.

    Args:
        pooling (str): One of :data:`GATES`.
        activations (dict): Activations of some of the gates z, o and i, by
            name, in place of :data:`ACTIVATIONS`.
        gated (bool): Whether the output is the gated state, or else the
            output gate.

    Returns:
        dict: The activation of each of the gates f, z, o and i, by name.

    Raises:
        ValueError: If ``pooling`` is unknown, ``activations`` names another
            gate or activation, or there is no output gate to return.

    """
    if pooling not in GATES:
        raise ValueError(
            f"pooling must be 'f', 'fo', 'if' or 'ifo', not {pooling!r}")
    if not gated and 'o' not in GATES[pooling]:
        raise ValueError(
            f'gated=False needs an output gate, which pooling {pooling!r} '
            "does not have: choose 'fo' or 'ifo'")
    for gate, name in (activations or {}).items():
        if (gate, name) == ('f', 'sigmoid'):
            continue  # as it always is
        if gate not in ('z', 'o', 'i') or name not in _NAMES:
            raise ValueError(
                "activations must give 'tanh', 'sigmoid' or 'identity' for "
                f"some of the gates 'z', 'o' and 'i', not {name!r} for "
                f"{gate!r}")
    return {**ACTIVATIONS, **(activations or {})}
