"""Sphinx: the reference from the docstrings, and pages around it."""

import pathlib
import sys

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent)]

import figures  # NOQA
import qrnn  # NOQA


project = 'qrnn'
author = 'The qrnn developers'
version = release = qrnn.__version__

extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
]
exclude_patterns = ['_build']
templates_path = ['_templates']

# Docstrings say what the types in the signatures mean, in prose.
autodoc_typehints = 'none'
autodoc_inherit_docstrings = False
autodoc_member_order = 'bysource'
autosummary_generate = True
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = 'furo'
html_title = 'qrnn'
html_show_sphinx = False
html_show_copyright = False

figures.draw(here / '_figures')
