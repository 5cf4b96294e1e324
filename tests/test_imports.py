"""Tests that imports form no cycles and follow the order of the packages."""
import ast
import graphlib
import os

import pytest


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# A module may import modules that belong to the same entry of this list or to
# a later entry.
LAYERS = ['benchmarks', 'experiments', 'qrnn.check', 'qrnn', 'qrnn.interop',
          'qrnn.onnx_export', 'qrnn.links', 'qrnn.functions', 'qrnn.kernels',
          'qrnn.gates', 'qrnn.types', 'qrnn.chainer_compat']


@pytest.fixture(scope='module')
def trees():
    """Return a dict that maps module names to syntax trees."""
    found = {}
    for package in 'benchmarks', 'experiments', 'qrnn':
        for folder, _, names in os.walk(os.path.join(ROOT, package)):
            for name in names:
                if name.endswith('.py'):
                    path = os.path.join(folder, name)
                    module = os.path.relpath(path, ROOT)[:-3].replace('/', '.')
                    with open(path) as f:
                        found[module.removesuffix('.__init__')] = ast.parse(
                            f.read())
    return found


@pytest.fixture(scope='module')
def graph(trees):
    """Return a dict that maps module names to sets of imported modules.

    Imports inside functions are included.
    """
    graph = {}
    for module, tree in trees.items():
        found = graph[module] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    name = f'{node.module}.{alias.name}'
                    found.add(name if name in trees else node.module)
        found &= set(trees)
    return graph


def test_no_cycles(graph):
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(' imports '.join(reversed(error.args[1])))
    assert set(order) == set(graph)


def test_one_direction(graph):
    def layer(module):
        return max(i for i, name in enumerate(LAYERS)
                   if f'{module}.'.startswith(f'{name}.'))

    upward = [f'{module} imports {other}'
              for module, others in graph.items() for other in others
              if layer(other) < layer(module)]
    assert not upward, '\n'.join(upward)


def test_no_private_names_of_other_modules(trees):
    private = []
    for module, tree in trees.items():
        imported = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    name = f'{node.module}.{alias.name}'
                    imported[alias.asname or alias.name] = name
                    if alias.name.startswith('_'):
                        private.append((module, name))
        for node in ast.walk(tree):
            if (isinstance(node, ast.Attribute) and node.attr.startswith('_')
                    and isinstance(node.value, ast.Name)
                    and imported.get(node.value.id) in trees):
                name = f'{imported[node.value.id]}.{node.attr}'
                private.append((module, name))
    assert not private
