import inspect
import pathlib

import chainer
import pytest

import qrnn
import qrnn.interop
import qrnn.onnx_export


LINKS = [value for value in vars(qrnn).values()
         if isinstance(value, type) and issubclass(value, chainer.Link)]
FUNCTIONS = [
    value for module in (qrnn, qrnn.functions, qrnn.interop, qrnn.onnx_export)
    for value in vars(module).values() if inspect.isfunction(value)]


def _methods(link):
    names = ['__init__', 'forward'] + [
        name for name in vars(link) if name[0] != '_']
    return [value for value in (getattr(link, name) for name in names)
            if inspect.isfunction(value)
            and value.__module__.startswith('qrnn.')
            and value.__name__ != 'device_resident_accept'
            and value.__name__ != 'serialize']


@pytest.mark.parametrize(
    'function', FUNCTIONS + [m for link in LINKS for m in _methods(link)],
    ids=lambda function: function.__qualname__)
def test_public_signatures_have_types(function):
    signature = inspect.signature(function)
    assert signature.return_annotation is not signature.empty
    assert not [
        name for name, parameter in signature.parameters.items()
        if parameter.annotation is signature.empty and name != 'self']


def test_types_are_installed():
    package = pathlib.Path(qrnn.__file__).parent
    assert (package / 'py.typed').exists()
