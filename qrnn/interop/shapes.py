"""Sizes of layers, inferred from the shapes of their arrays."""
import numbers

from qrnn.gates import GATES


def read_shapes(arrays, names, in_size, output_gate, out_size, window):
    """Infer a link's pooling, and each layer's window and number of channels.

    Args:
        arrays (dict): Arrays; the keys are the names.
        names (list of str): Names of the weights, one for each layer.
        in_size (int): Number of input channels.
        output_gate (bool): Whether the layers have an output gate, or None if
            unknown.
        out_size (int or sequence): Expected number of hidden channels, or
            None.
        window (int or sequence): Expected window (filter width), or None.

    Returns:
        tuple: The pooling, and a list with a pair (window, hidden channels)
        for each layer.

    Raises:
        ValueError: If no pooling or more than one pooling matches the shapes.

    """
    matches, reasons = {}, []
    for pooling in 'fo', 'f':
        if output_gate in (None, pooling == 'fo'):
            shapes, n = [], in_size
            try:
                for i, name in enumerate(names):
                    shapes.append(_sizes(
                        arrays, name, n, len(GATES[pooling]),
                        _for_layer(out_size, i), _for_layer(window, i)))
                    n = shapes[-1][1]
                matches[pooling] = shapes
            except ValueError as error:
                reasons.append(error)
    if not matches:
        raise reasons[0]
    if len(matches) > 1:
        gated, ungated = (shapes[-1][1] for shapes in matches.values())
        raise ValueError(
            f'the array {names[-1]} has shape {arrays[names[-1]].shape}: a '
            f'layer of {gated} channels with an output gate, or of {ungated} '
            'channels without; specify output_gate or out_size')
    return matches.popitem()


def in_size_of(arrays, name, kernel_size):
    """Infer the number of input channels of a layer."""
    shape = arrays[name].shape
    if len(shape) != 2 or not shape[1] or shape[1] % kernel_size:
        raise ValueError(
            f'the array {name} has shape {shape}, but a layer with '
            f'kernel_size {kernel_size} needs shape (gates * m, '
            f'{kernel_size} * n)')
    return shape[1] // kernel_size


def _for_layer(values, i):
    """Return element i of a sequence; return a number or None unchanged."""
    if values is None or isinstance(values, numbers.Integral):
        return values
    return values[i]


def _sizes(arrays, name, in_size, n_gates, out_size, window):
    """Return the window and the number of hidden channels of a layer."""
    shape = arrays[name].shape
    windows = (1, 2) if window is None else (window,)
    if (len(shape) != 2 or shape[1] not in [k * in_size for k in windows]
            or shape[0] % n_gates
            or out_size not in (None, shape[0] // n_gates)):
        rows = f'{n_gates} * ' + ('m' if out_size is None else f'{out_size}')
        raise ValueError(
            f'the array {name} has shape {shape}, but a layer with {in_size} '
            f'input channels, window {" or ".join(map(str, windows))} and '
            f'{n_gates} gates needs shape '
            + ' or '.join(f'({rows}, {k * in_size})' for k in windows))
    return shape[1] // in_size, shape[0] // n_gates
