"""Sizes of layers, from the shapes of their arrays."""
import numbers

from qrnn.gates import GATES


def read_shapes(arrays, names, in_size, output_gate, out_size, window):
    """Return the pooling, and window and size of every layer, that fit."""
    fits, reasons = {}, []
    for pooling in 'fo', 'f':
        if output_gate in (None, pooling == 'fo'):
            shapes, n = [], in_size
            try:
                for i, name in enumerate(names):
                    shapes.append(_sizes(
                        arrays, name, n, len(GATES[pooling]),
                        _for_layer(out_size, i), _for_layer(window, i)))
                    n = shapes[-1][1]
                fits[pooling] = shapes
            except ValueError as error:
                reasons.append(error)
    if not fits:
        raise reasons[0]
    if len(fits) > 1:
        gated, ungated = (shapes[-1][1] for shapes in fits.values())
        raise ValueError(
            f'the array {names[-1]} is of shape {arrays[names[-1]].shape}: a '
            f'layer of {gated} channels with an output gate, or of {ungated} '
            'without; give output_gate or out_size')
    return fits.popitem()


def in_size_of(arrays, name, kernel_size):
    """Return the number of input channels of a layer without in_size."""
    shape = arrays[name].shape
    if len(shape) != 2 or not shape[1] or shape[1] % kernel_size:
        raise ValueError(
            f'the array {name} is of shape {shape}, but a layer with '
            f'kernel_size {kernel_size} takes (gates * m, {kernel_size} * n)')
    return shape[1] // kernel_size


def _for_layer(values, i):
    """Return the number for a layer, of one number, one for each, or None."""
    if values is None or isinstance(values, numbers.Integral):
        return values
    return values[i]


def _sizes(arrays, name, in_size, n_gates, out_size, window):
    """Return window and number of hidden channels of a layer."""
    shape = arrays[name].shape
    windows = (1, 2) if window is None else (window,)
    if (len(shape) != 2 or shape[1] not in [k * in_size for k in windows]
            or shape[0] % n_gates
            or out_size not in (None, shape[0] // n_gates)):
        rows = f'{n_gates} * ' + ('m' if out_size is None else f'{out_size}')
        raise ValueError(
            f'the array {name} is of shape {shape}, but a layer of {in_size} '
            f'input channels, window {" or ".join(map(str, windows))} and '
            f'{n_gates} gates takes '
            + ' or '.join(f'({rows}, {k * in_size})' for k in windows))
    return shape[1] // in_size, shape[0] // n_gates
