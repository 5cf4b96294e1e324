import doctest
import importlib
import inspect
import pkgutil
import re

import chainer
import pytest

import qrnn
from qrnn import interop
from qrnn import onnx_export
from qrnn.onnx_export import Graph


MODULES = ['qrnn'] + [
    module.name for module in pkgutil.walk_packages(qrnn.__path__, 'qrnn.')]
PUBLIC = [
    (module, name)
    for module in (qrnn, qrnn.functions, interop, onnx_export)
    for name, value in vars(module).items()
    if name[0] != '_' and (inspect.isfunction(value) or isinstance(value, type)
                           and issubclass(value, (chainer.Link, Graph)))
    and (module is qrnn or not hasattr(qrnn, name))]
NAMES = [name for name, value in vars(qrnn).items()
         if not name.startswith('_') and not inspect.ismodule(value)]


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_examples_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    assert any(test.examples for test in finder.find(
        importlib.import_module('qrnn.functions.strnn')))


@pytest.mark.parametrize('module, name', PUBLIC)
def test_public_names_are_documented(module, name):
    value = getattr(module, name)
    doc = inspect.getdoc(value) or ''
    if name.endswith('_ref'):
        # The docstring lists the arguments in a table instead of in Args.
        assert doc.startswith('Reference of :func:')
        return
    assert f'>>> from {module.__name__} import' in doc
    if re.search(r'^Arguments .*(are those of|as for) :class:', doc,
                 re.MULTILINE):
        return
    arguments, _, rest = doc.partition('Args:\n')[2].partition('\n\n')
    for argument in inspect.signature(value).parameters.values():
        if argument.kind is argument.VAR_KEYWORD:
            assert f'    {argument.name}: ' in arguments
        else:
            assert re.search(rf'^    {argument.name} \(.+\): ', arguments,
                             re.MULTILINE | re.DOTALL), argument
    assert inspect.isclass(value) or 'Returns:' in rest or (
        inspect.signature(value).return_annotation is None)


@pytest.mark.parametrize('module, name', PUBLIC)
def test_public_methods_are_documented(module, name):
    for method, function in inspect.getmembers(
            getattr(module, name), inspect.isfunction):
        if method[0] != '_' and function.__module__.startswith('qrnn.'):
            assert inspect.getdoc(function), method


def test_public_names():
    assert {'QRNNLayer', 'QRNNStack', 'LSTMLayer', 'LSTMStack', 'strnn',
            'STRNNFunction', 'qrnn_pooling', 'masked_convolution',
            'attention_sum', 'zoneout'} <= set(NAMES)
    for name in NAMES:
        value = getattr(qrnn, name)
        assert len((value.__doc__ or '').split()) > 5
        if inspect.isfunction(value) and not name.endswith('_ref'):
            # Every function has a reference implementation for NumPy arrays,
            # with the same arguments.
            reference = getattr(qrnn, name + '_ref')
            assert _arguments(reference) == _arguments(value)


def _arguments(function):
    return [(each.name, each.kind, each.default)
            for each in inspect.signature(function).parameters.values()]
