"""Chainer 7.8.1, its last release, on today's Python and NumPy.

A dozen lines of Chainer fail on NumPy 1.24 to 2.5, on Python 3.12 and where
``pkg_resources`` is gone. Importing this module mends them in this process,
now and for what is imported later; ``import qrnn`` does it first of all.

Chainer's files, NumPy's namespace and the rest of ``sys.modules`` stay as
they are: a module named in ``_MENDS`` is compiled with its broken lines
replaced when it comes to be imported, or has the functions that hold them
replaced if it was imported before.
"""

import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import sys
import types
import typing
import warnings


def mend():
    """Imports Chainer, mended where it is broken.

    What works here is left alone. Calling it again changes nothing.

    Raises:
        ImportError: Chainer is missing or cannot be imported. The message is
            one sentence with the command that installs it.

    """
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    for module in {place.module for place in _MENDS} & sys.modules.keys():
        _mend_imported(sys.modules[module])
    try:
        import chainer
    except Exception as error:
        raise ImportError(_explain(error), name='chainer') from None
    _hush_cudnn(chainer.backends.cuda)


class _Mend(typing.NamedTuple):
    module: str
    #: What the lines rely on, called with NumPy. They are broken if it
    #: raises, warns or gives a false value.
    works: typing.Callable[[types.ModuleType], object]
    #: The new text for each old one.
    lines: typing.Dict[str, str]


def _import_pkg_resources(np):
    return importlib.import_module('pkg_resources')


def _scalars_keep_dtype(np):
    return (np.float32([1]) * np.float64(1)).dtype == np.float32


_STAND_IN = {
    'import pkg_resources':
        'from qrnn.chainer_compat import _Requirements as pkg_resources',
}

_MENDS = (
    # numpy.sctypes is gone since NumPy 2.0: the import fails.
    _Mend('chainer.functions.array.as_strided', lambda np: np.sctypes, {
        "np.sctypes['int']": '(np.int8, np.int16, np.int32, np.int64)',
        "np.sctypes['float']":
            '(np.float16, np.float32, np.float64, np.longdouble)',
    }),
    # numpy.float is gone since NumPy 1.24.
    _Mend('chainer.functions.array.resize_images', lambda np: np.float, {
        'dtype=numpy.float)': 'dtype=numpy.float64)',
    }),
    # meshgrid gives a tuple since NumPy 2.0.
    _Mend('chainer.distributions.categorical',
          lambda np: np.meshgrid(0) + [0], {
              '[mg + [': '[list(mg) + [',
          }),
    # A np.float64 scalar widens float32 arrays since NumPy 2.0.
    _Mend('chainer.functions.normalization.layer_normalization',
          _scalars_keep_dtype, {
              'self.eps = eps': 'self.eps = float(eps)',
          }),
    _Mend('chainer.functions.normalization.local_response_normalization',
          _scalars_keep_dtype, {
              'self.k = k': 'self.k = float(k)',
              'self.alpha = alpha': 'self.alpha = float(alpha)',
              'self.beta = beta': 'self.beta = float(beta)',
          }),
    # numpy.distutils is gone since Python 3.12, deprecated before: the import
    # fails. It is asked on macOS alone, about an Accelerate that NumPy has
    # not been linked with since 1.20.
    _Mend('chainer._environment_check',
          lambda np: importlib.import_module('numpy.distutils.system_info'), {
              'import numpy.distutils.system_info': '',
              "numpy.distutils.system_info.get_info('blas_opt')": 'None',
          }),
    # pkg_resources is gone since setuptools 82, and warns whoever imports it
    # before: the import fails.
    _Mend('chainer._environment_check', _import_pkg_resources, _STAND_IN),
    _Mend('chainer.testing.helper', _import_pkg_resources, _STAND_IN),
    _Mend('chainer.testing.doctest_helper', _import_pkg_resources, _STAND_IN),
    # An array of one element is no integer since NumPy 2.4: this rank stops,
    # and the others wait for it.
    _Mend('chainermn.iterators.multi_node_iterator',
          lambda np: int(np.ones(1)), {
              'int(_size)': 'int(_size[0])',
          }),
    # array(copy=False) refuses to copy since NumPy 2.0 and CuPy 14.
    _Mend('chainermn.communicators._memory_utility',
          lambda np: np.array(np.ones(1), copy=False, dtype=np.float32), {
              'xp.array(v, copy=False, dtype=transfer_dtype)':
                  'v.astype(transfer_dtype)',
          }),
)


class _Finder:
    """Finds the modules to mend, and leaves all others to who comes next."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if not any(place.module == name for place in _MENDS):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _Loader(name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module with its broken lines replaced."""

    def get_code(self, name):
        lines = {}
        for place in _MENDS:
            if place.module == name and not _works(place):
                lines.update(place.lines)
        if not lines:
            return super().get_code(name)
        source = self.get_source(name)
        for old, new in lines.items():
            source = source.replace(old, new)
        return self.source_to_code(source, self.path)


def _works(place):
    import numpy
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        try:
            return place.works(numpy)
        except Exception:
            return False


def _mend_imported(module):
    # Functions keep their identity, for they have long been handed on; those
    # without a broken line get code equal to what they have.
    for code in _nested(_Loader(module.__name__, module.__file__).get_code(
            module.__name__)):
        function = module
        for name in code.co_qualname.split('.'):
            function = getattr(function, name, None)
        old = getattr(function, '__code__', None)
        if old and old.co_qualname == code.co_qualname:
            function.__code__ = code


def _nested(code):
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


class _Requirements:
    """What Chainer uses of ``pkg_resources``."""

    class ResolutionError(Exception):
        pass

    class DistributionNotFound(ResolutionError):
        pass

    class VersionConflict(ResolutionError):
        pass

    get_distribution = staticmethod(importlib.metadata.distribution)

    @classmethod
    def WorkingSet(cls):
        return cls

    @classmethod
    def require(cls, *requirements):
        for requirement in requirements:
            name = re.match(r'[\w.-]+', requirement).group()
            try:
                version = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                raise cls.DistributionNotFound(requirement)
            from packaging.requirements import Requirement
            if version not in Requirement(requirement).specifier:
                raise cls.VersionConflict(requirement)


def _explain(error):
    install = ("python -m pip install 'setuptools<81' wheel && "
               'python -m pip install --no-build-isolation {}'
               "chainer==7.8.1 'numpy>=1.26,<2.6'")
    if isinstance(error, ModuleNotFoundError) and error.name == 'chainer':
        return ('qrnn needs Chainer 7.8.1, which is not installed here; '
                'type: ' + install.format(''))
    return ('Chainer is installed here but cannot be imported ({}: {}); '
            'type: '.format(type(error).__name__, error)
            + install.format('--force-reinstall '))


def _hush_cudnn(cuda):
    # CuPy 14 has no cuDNN, so the advice to reinstall CuPy with it, given
    # with the first array that goes to a GPU, cannot be followed.
    if cuda.available and importlib.util.find_spec('cupy.cudnn') is None:
        cuda.check_cuda_available._already_warned = True


mend()
