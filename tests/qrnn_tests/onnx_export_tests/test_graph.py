import doctest
import importlib
import sys

import numpy
import pytest

from qrnn import onnx_export
from qrnn import QRNNLayer


@pytest.mark.parametrize('module', ['graph', 'links'])
def test_examples_hold(module):
    """Examples, which doctest skips because they need onnx, are correct."""
    pytest.importorskip('onnx')
    module = importlib.import_module('qrnn.onnx_export.' + module)
    tests = [test for test in doctest.DocTestFinder(
        exclude_empty=True).find(module) if test.examples]
    assert tests
    runner = doctest.DocTestRunner(verbose=False)
    for test in tests:
        for example in test.examples:
            example.options.pop(doctest.SKIP, None)
        assert runner.run(test).failed == 0


def test_without_onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ImportError, match='pip install onnx'):
        onnx_export.export(QRNNLayer(3, 4))


def test_invalid_graph():
    onnx = pytest.importorskip('onnx')
    graph = onnx_export.Graph('wrong')
    x = graph.input('x', numpy.float32, ('batch', 3))
    y = graph.add('MatMul', x, graph.constant(numpy.zeros((4, 2), 'f')))
    graph.output('y', y, numpy.float32, ('batch', 2))
    with pytest.raises(onnx.shape_inference.InferenceError):
        graph.model()


def test_names_are_unique():
    pytest.importorskip('onnx')
    graph = onnx_export.Graph('names')
    x = graph.input('add_0', numpy.float32, ('batch', 3))
    assert graph.add('Add', x, x) == 'add_1'
    with pytest.raises(ValueError, match="'add_1' already"):
        graph.input('add_1', numpy.float32, ('batch', 3))
    with pytest.raises(ValueError, match="'add_0' already"):
        graph.output('add_0', x, numpy.float32, ('batch', 3))


def test_names_in_a_body():
    """A name in the body of an operator may equal a name outside the body."""
    pytest.importorskip('onnx')
    graph = onnx_export.Graph('body')
    x = graph.input('kept', numpy.float32, ('batch', 'time', 3))
    h = onnx_export.add_link(graph, QRNNLayer(3, 4), x)
    graph.output('next_c', h, numpy.float32, ('batch', 'time', 4))
    graph.model()
