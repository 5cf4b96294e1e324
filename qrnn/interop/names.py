"""Array names in torchqrnn, fastai and awd-lstm-lm."""
import re


#: Naming styles, each with the names of a layer's weight and bias.
NAMES = {
    'torchqrnn': ('layers.{}.linear.weight', 'layers.{}.linear.bias'),
    # DropConnect computes module.weight from the parameter weight_raw.
    'fastai': ('rnns.{}.layers.0.linear.weight_raw',
               'rnns.{}.layers.0.linear.module.bias'),
    'awd-lstm-lm': ('rnns.{}.linear.module.weight_raw',
                    'rnns.{}.linear.module.bias'),
    # The names of a single layer contain no layer index.
    'torchqrnn-layer': ('linear.weight', 'linear.bias'),
}

_BACKWARD = 'layers_bwd.'


def array_names(style, prefix, n_layers, n_directions=1):
    """Return the names of the weight and the bias of every layer.

    Args:
        style (str): One of :data:`NAMES`.
        prefix (str): Prefix of the names.
        n_layers (int): Number of layers.
        n_directions (int): 1, or 2 for fastai's bidirectional ``QRNN``.

    Returns:
        list of list of tuple: One list per direction. Each list contains a
        pair (name of the weight, name of the bias) for each layer.

    """
    return [
        [tuple(prefix + name.format(i).replace('layers.', part)
               for name in NAMES[style]) for i in range(n_layers)]
        for part in ('layers.', _BACKWARD)[:n_directions]]


def find_qrnn(arrays, prefix=None):
    """Find the QRNN in a state dictionary.

    Args:
        arrays (dict): Arrays; the keys are the names.
        prefix (str): Prefix of the names. Inferred if omitted.

    Returns:
        tuple: The style, and the names in the format of :func:`array_names`.

    Raises:
        ValueError: If the number of QRNNs is not 1, if an array is missing, or
            if a backward layer has no forward layer.

    """
    matches = _search(
        arrays, prefix, [s for s in NAMES if '{}' in NAMES[s][0]])
    if not matches:
        matches = {
            (style, start): numbers for (style, start), numbers in _search(
                arrays, prefix, ['torchqrnn-layer']).items()
            # A layer inside a stack matches only if its prefix is given.
            if prefix is not None or not re.search(r'layers\w*\.\d+\.$', start)
        }
    if not matches:
        where = '' if prefix is None else f' with prefix {prefix!r}'
        raise ValueError(
            f'no QRNN of torchqrnn or fastai{where} was found in the arrays '
            + (', '.join(sorted(arrays)[:8]) or '(none)'))
    if len(matches) > 1:
        raise ValueError(
            'the arrays contain several QRNNs; select one by its prefix: '
            + ', '.join(sorted({repr(start) for _, start in matches})))
    (style, start), numbers = matches.popitem()
    backward = [name for name in arrays
                if name.startswith(start) and _BACKWARD in name]
    n_layers = 1 + max(numbers)
    names = array_names(style, start, n_layers, 2 if backward else 1)
    expected = [name for direction in names for pair in direction
                for name in pair]
    for name in expected:
        if name not in arrays:
            raise ValueError(f'the array {name} is missing')
    for name in backward:
        if name not in expected:
            raise ValueError(
                f'the array {name} belongs to a backward layer without a '
                f'forward layer: the forward direction has {n_layers} layers')
    return style, names


def _search(arrays, prefix, styles):
    """Return a dict that maps (style, prefix) to a set of layer indexes."""
    matches = {}
    for style in styles:
        for name in NAMES[style]:
            number = re.escape(name).replace(r'\{\}', r'(\d+)')
            pattern = re.compile(rf'((?:.*\.)?){number}()')
            for match in filter(None, map(pattern.fullmatch, arrays)):
                if prefix in (None, match[1]):
                    matches.setdefault((style, match[1]), set()).add(
                        int(match[2] or 0))
    return matches
