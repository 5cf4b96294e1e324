import doctest
import importlib.util
import inspect
import pathlib

import pytest

import qrnn
from qrnn import chainer_compat
from qrnn import interop
from qrnn import onnx_export


DOCS = pathlib.Path(__file__).parents[2] / 'docs'
PAGES = [DOCS.parent / 'README.md', *sorted(DOCS.glob('*.rst'))]
NAMES = [name for module in (qrnn, interop, onnx_export)
         for name, value in vars(module).items()
         if name[0] != '_' and not inspect.ismodule(value)]


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_examples_hold(page):
    if page.stem in ('onnx', 'tutorial'):
        pytest.importorskip('onnxruntime')
    result = doctest.testfile(str(page), module_relative=False)
    assert not result.failed
    assert bool(result.attempted) == ('>>>' in page.read_text())


def test_patches_are_listed():
    text = (DOCS / 'chainer_today.rst').read_text()
    for module, _, _ in chainer_compat._PATCHES:
        assert module.rpartition('.')[0] in text
        assert module in text or f'``{module.rpartition(".")[2]}``' in text


@pytest.mark.parametrize('name', NAMES)
def test_every_public_name_has_a_page(name):
    listed = (DOCS / 'reference.rst').read_text().split()
    assert name in listed or (
        name == 'STRONGLY_TYPED' and 'strongly_typed' in listed)


def test_figures_are_drawn(tmp_path):
    pytest.importorskip('matplotlib')
    spec = importlib.util.spec_from_file_location(
        'figures', DOCS / 'figures.py')
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    figures.draw(tmp_path)
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    text = (DOCS / 'recurrence.rst').read_text()
    assert drawn and all('_figures/' + name in text for name in drawn)
    figures.draw(tmp_path)  # the second call writes the same bytes
    assert all((tmp_path / name).read_bytes() == drawn[name]
               for name in drawn)
