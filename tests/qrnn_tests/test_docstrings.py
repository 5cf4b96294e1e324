import doctest
import importlib
import inspect
import pkgutil

import chainer
import pytest

import qrnn


MODULES = ['qrnn'] + [
    module.name for module in pkgutil.walk_packages(qrnn.__path__, 'qrnn.')]
NAMES = [name for name, value in vars(qrnn).items()
         if not name.startswith('_') and not inspect.ismodule(value)]


@pytest.mark.parametrize('name', MODULES)
def test_examples_hold(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_examples_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    assert any(test.examples for test in finder.find(
        importlib.import_module('qrnn.functions.strnn')))


@pytest.mark.parametrize('name', NAMES)
def test_public_names_are_documented(name):
    value = getattr(qrnn, name)
    doc = value.__doc__ or ''
    assert len(doc.split()) > 5
    is_layer = isinstance(value, type) and issubclass(value, chainer.Link)
    if is_layer:
        for method, function in inspect.getmembers(value):
            if (inspect.isfunction(function) and method[0] != '_'
                    and function.__module__.startswith('qrnn.')):
                assert inspect.getdoc(function), method
    if is_layer or inspect.isfunction(value) and not name.endswith('_ref'):
        assert f'>>> from qrnn import {name}' in doc


def test_public_names_are_those_of_the_packages():
    assert {'QRNNLayer', 'QRNNStack', 'LSTMLayer', 'LSTMStack', 'strnn',
            'STRNNFunction', 'qrnn_pooling', 'masked_convolution',
            'attention_sum', 'zoneout'} <= set(NAMES)
    for name in NAMES:
        value = getattr(qrnn, name)
        if inspect.isfunction(value) and not name.endswith('_ref'):
            # Beside every function, a reference of the same signature; it
            # takes and returns NumPy's arrays alone.
            reference = getattr(qrnn, name + '_ref')
            assert _arguments(reference) == _arguments(value)


def _arguments(function):
    return [(each.name, each.kind, each.default)
            for each in inspect.signature(function).parameters.values()]
