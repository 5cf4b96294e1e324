"""Parse settings of a configuration from text, for ``--set``."""
import argparse
import inspect
import math
import typing


def parse(text, kinds):
    """Return the name and value in a text, for example in ``'lr=0.1'``.

    ``kinds`` maps the names of all settings to types.
    """
    name, _, value = text.partition('=')
    if name not in kinds:
        raise argparse.ArgumentTypeError(
            f'{name!r} is not a setting; choose from {", ".join(kinds)}')
    try:
        return name, _value(value, kinds[name])
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(
            f'{name} must be {_describe(kinds[name])}, not {value!r}')


def _describe(kind):
    return {int: 'a whole number from 1', float: 'a number from 0'}.get(
        kind) or inspect.formatannotation(kind)


def _value(text, kind):
    """Convert text to a value of a type."""
    options = typing.get_args(kind)
    if kind is bool:
        return {'true': True, 'false': False}[text.lower()]
    if type(None) in options:
        return None if text.lower() == 'none' else _value(text, options[0])
    if Ellipsis in options:  # a tuple of any length
        return tuple(_value(item, options[0]) for item in text.split(','))
    if options:  # values of a Literal
        return options[options.index(text)]
    value = kind(text)
    if kind is not str and not (1 if kind is int else 0) <= value < math.inf:
        raise ValueError
    return value
