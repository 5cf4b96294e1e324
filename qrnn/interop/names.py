"""Names of the arrays of torchqrnn, fastai and awd-lstm-lm."""
import re


#: Names of the weight and the bias of a layer, by style.
NAMES = {
    'torchqrnn': ('layers.{}.linear.weight', 'layers.{}.linear.bias'),
    # The weights before its dropout; module.weight is a copy after it.
    'fastai': ('rnns.{}.layers.0.linear.weight_raw',
               'rnns.{}.layers.0.linear.module.bias'),
    'awd-lstm-lm': ('rnns.{}.linear.module.weight_raw',
                    'rnns.{}.linear.module.bias'),
    # A layer by itself has no number.
    'torchqrnn-layer': ('linear.weight', 'linear.bias'),
}

_BACKWARD = 'layers_bwd.'


def array_names(style, prefix, n_layers, n_directions=1):
    """Return the names of weight and bias, by direction and layer.

    Args:
        style (str): One of :data:`NAMES`.
        prefix (str): Prefix of the names.
        n_layers (int): Number of layers.
        n_directions (int): 2 for those of fastai's bidirectional ``QRNN``.

    Returns:
        list of list of tuple: A pair of names for each layer, by direction.

    """
    return [
        [tuple(prefix + name.format(i).replace('layers.', part)
               for name in NAMES[style]) for i in range(n_layers)]
        for part in ('layers.', _BACKWARD)[:n_directions]]


def find_qrnn(arrays, prefix=None):
    """Find the one QRNN among some arrays.

    Args:
        arrays (dict): Arrays by name.
        prefix (str): Prefix of the names. Found if omitted.

    Returns:
        tuple: The style and the names, as :func:`array_names` returns them.

    Raises:
        ValueError: If there is none, more than one, or one that lacks arrays.

    """
    found = _search(arrays, prefix, [s for s in NAMES if '{}' in NAMES[s][0]])
    if not found:
        found = {
            (style, start): numbers for (style, start), numbers in _search(
                arrays, prefix, ['torchqrnn-layer']).items()
            # One layer of several is selected by its prefix only.
            if prefix is not None or not re.search(r'layers\w*\.\d+\.$', start)
        }
    if not found:
        where = '' if prefix is None else f' under {prefix!r}'
        raise ValueError(
            f'there is no QRNN of torchqrnn or fastai{where} among the arrays '
            + (', '.join(sorted(arrays)[:8]) or '(none)'))
    if len(found) > 1:
        raise ValueError(
            'the arrays hold several QRNNs: choose one by its prefix, one of '
            + ', '.join(sorted({repr(start) for _, start in found})))
    (style, start), numbers = found.popitem()
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
                f'the array {name} belongs to a backward half that does not '
                f'match the {n_layers} layers of the forward half')
    return style, names


def _search(arrays, prefix, styles):
    """Return the numbers of the layers found, by style and prefix."""
    found = {}
    for style in styles:
        for name in NAMES[style]:
            number = re.escape(name).replace(r'\{\}', r'(\d+)')
            pattern = re.compile(rf'((?:.*\.)?){number}()')
            for match in filter(None, map(pattern.fullmatch, arrays)):
                if prefix in (None, match[1]):
                    found.setdefault((style, match[1]), set()).add(
                        int(match[2] or 0))
    return found
