"""Configuration of Sphinx."""

import pathlib
import sys

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

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
    'sphinx.ext.napoleon',
]
exclude_patterns = ['_build']
templates_path = ['_templates']

# The docstrings describe the types of arguments.
autodoc_typehints = 'none'
autodoc_inherit_docstrings = False
autodoc_member_order = 'bysource'
autosummary_generate = True
napoleon_use_ivar = True

html_theme = 'furo'
html_math_renderer = 'mathml'
html_static_path = ['_static']
html_css_files = ['equations.css']
html_title = 'qrnn'
html_show_sphinx = False
html_show_copyright = False

figures.draw(here / '_figures')


def setup(app):
    """Render equations as MathML, which browsers show without a script."""
    app.add_html_math_renderer(
        'mathml', (_write_equation, None), (_write_equation, None))


def _write_equation(writer, node):
    text, is_block = node.astext(), isinstance(node, nodes.math_block)
    if is_block and '\\\\' in text:
        text = r'\begin{aligned}%s\end{aligned}' % text
    writer.body.append(tex2mathml(text, as_block=is_block))
    raise nodes.SkipNode
