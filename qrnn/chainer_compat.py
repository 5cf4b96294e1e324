"""Run Chainer 7.8.1, the last release, with current Python and NumPy versions.

Importing this module patches the broken parts of Chainer. The patches change
neither Chainer's files nor NumPy's namespace. When a module named in
``_PATCHES`` is imported, its source is compiled with the broken lines
replaced. If such a module has already been imported, the code of its functions
is replaced.
"""

from importlib.machinery import PathFinder, SourceFileLoader
import importlib.metadata
import importlib.util
import re
import sys
import types
import warnings


def patch():
    """Import Chainer with its broken lines replaced.

    Patches that the installed versions do not need are not applied.
    Further calls have no effect.

    Raises:
        ImportError: If Chainer is missing or cannot be imported. The message
            contains the command that installs it.

    """
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    if 'chainer' in sys.modules:
        for name in _PATCHED_MODULES & sys.modules.keys():
            _patch_imported(sys.modules[name])
    else:  # remove modules that a failed import left half initialized
        for name in [name for name in sys.modules if name.split('.')[0] in (
                'chainer', 'chainerx', 'chainermn')]:
            del sys.modules[name]
    try:
        import chainer  # NOQA
    except Exception as error:
        raise ImportError(_explain(error), name='chainer') from None


def call(function, *args, **kwargs):
    """Call a function in a new process, after Chainer has been patched.

    A process that is not forked unpickles ``call`` before ``function``.
    Unpickling ``call`` imports this module, which patches Chainer.
    """
    return function(*args, **kwargs)


def _without_cupy_or_with(module):
    cupy = importlib.util.find_spec('cupy')  # find_spec does not import CuPy
    return cupy is None or PathFinder.find_spec(
        module, cupy.submodule_search_locations)


def _scalar_keeps_dtype(np):
    return (np.float32([1]) * np.float64(1)).dtype == np.float32


def _shape_can_be_set(np):
    array = np.ones(2)
    array.shape = 2, 1
    return True


# Each patch consists of a module name, a check and a dict of replacements. The
# check is called with NumPy as its argument. If the check raises an exception,
# warns or returns a false value, the replacements are applied. The dict maps
# old text (a string or a regular expression) to new text.
_PATCHES = (
    # NumPy 2.0 removed numpy.sctypes, so the import fails.
    ('chainer.functions.array.as_strided', lambda np: np.sctypes, {
        "np.sctypes['int']": '(np.int8, np.int16, np.int32, np.int64)',
        "np.sctypes['float']":
            '(np.float16, np.float32, np.float64, np.longdouble)'}),
    # NumPy 1.24 removed numpy.float.
    ('chainer.functions.array.resize_images', lambda np: np.float, {
        'dtype=numpy.float)': 'dtype=numpy.float64)'}),
    # Since NumPy 2.0, meshgrid returns a tuple, but Chainer adds a list to the
    # result.
    ('chainer.distributions.categorical', lambda np: np.meshgrid(0) + [0], {
        'mg + [': 'list(mg) + ['}),
    # Since NumPy 2.0, an operation on a float32 array and an np.float64 scalar
    # returns float64. With np.float64 hyperparameters, two of the next four
    # functions return float64 outputs, and two return float64 gradients.
    ('chainer.functions.normalization.layer_normalization',
     _scalar_keeps_dtype, {'self.eps = eps': 'self.eps = float(eps)'}),
    ('chainer.functions.normalization.local_response_normalization',
     _scalar_keeps_dtype, {
         'self.k = k': 'self.k = float(k)',
         'self.alpha = alpha': 'self.alpha = float(alpha)',
         'self.beta = beta': 'self.beta = float(beta)'}),
    ('chainer.functions.normalization.batch_normalization',
     _scalar_keeps_dtype, {'self.eps = eps': 'self.eps = float(eps)'}),
    ('chainer.functions.normalization.batch_renormalization',
     _scalar_keeps_dtype, {
         'self.rmax = rmax': 'self.rmax = float(rmax)',
         'self.dmax = dmax': 'self.dmax = float(dmax)'}),
    # Since NumPy 2.0, an array cannot be filled with a Python integer outside
    # the range of its dtype, such as the padding -1 in an unsigned array. In
    # earlier versions, such integers wrapped around.
    ('chainer.dataset.convert', lambda np: np.full(1, -1, np.uint8), {
        'device.xp.full(shape, padding, dtype=arrays[0].dtype)':
            'device.xp.full(shape, numpy.asarray(padding).astype('
            'arrays[0].dtype)[()], dtype=arrays[0].dtype)'}),
    ('chainer.functions.array.pad_sequence',
     lambda np: np.full(1, -1, np.uint8), {
         'y = xp.empty(shape, xs[0].dtype)':
             'y = xp.empty(shape, xs[0].dtype); '
             'padding = numpy.asarray(self.padding).astype(y.dtype)[()]',
         'y[i, l:] = self.padding': 'y[i, l:] = padding',
         ')(ptrs, lengths, self.padding, base':
             ')(ptrs, lengths, padding, base'}),
    # Since NumPy 2.5, numpy.fix warns.
    ('chainer.functions.math.fix', lambda np: np.fix(np.ones(1)), {
        'xp.fix(x)': 'xp.trunc(x)'}),
    # Since NumPy 2.5, setting the shape of an array warns.
    ('chainer.links.activation.maxout',
     _shape_can_be_set, {
         16 * ' ' + 'array.shape = (out_size, pool_size, in_size)\n': '',
         16 * ' ' + 'array.shape = (linear_out_size, in_size)\n': '',
         'initialW_orig(array)':
             'initialW_orig(array.reshape(out_size, pool_size, in_size))',
         16 * ' ' + 'array.shape = (out_size, pool_size)\n': '',
         16 * ' ' + 'array.shape = linear_out_size,\n': '',
         'initial_bias_orig(array)':
             'initial_bias_orig(array.reshape(out_size, pool_size))'}),
    # Since Python 3.10, Thread.setDaemon warns.
    ('chainer.iterators.multiprocess_iterator', lambda np: False, {
        'thread.setDaemon(True)': 'thread.daemon = True'}),
    # Since Python 3.14, processes are not forked by default. Without
    # `call`, new processes would import Chainer unpatched, and fail or hang.
    ('chainer.iterators.multiprocess_iterator', lambda np: False, {
        'self._pool = multiprocessing.Pool(':
            'from qrnn.chainer_compat import call\n'
            '        self._pool = multiprocessing.Pool(',
        'initializer=_fetch_setup': 'initializer=call',
        'initargs=(': 'initargs=(_fetch_setup, '}),
    ('chainer.training.extensions.snapshot_writers', lambda np: False, {
        'return multiprocessing.Process(\n            target=self.save,\n'
        '            args=(':
            'from qrnn.chainer_compat import call\n'
            '        return multiprocessing.Process(target=call,\n'
            '            args=(self.save, ',
        'return multiprocessing.Process(target=self.consume, args=(':
            'from qrnn.chainer_compat import call\n'
            '        return multiprocessing.Process('
            'target=call, args=(self.consume, '}),
    ('chainer.training.updaters.multiprocess_parallel_updater',
     lambda np: False, {
         'worker = _Worker(i, worker_end, self)':
             'from qrnn.chainer_compat import call\n'
             '            worker = multiprocessing.Process(target=call, '
             'args=(_Worker(i, worker_end, self).run,))'}),
    # Since protobuf 4, code generated by protoc 2 raises an exception. The
    # replacement builds the same classes from the descriptor in the old code.
    ('chainer.links.caffe.protobuf3.caffe_pb2',
     lambda np: not importlib.util.find_spec(
         'google.protobuf.internal.builder'), {
         re.compile(r'.*serialized_pb=_b\((.*?)\)\n\).*', re.DOTALL):
             r"""
from google.protobuf import descriptor_pool
from google.protobuf.internal import builder
DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(
    \1.encode('latin1'))
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, __name__, globals())
"""}),
    # Since NumPy 2.5, passing the output array as a positional argument warns.
    ('chainer.dataset.convert',
     lambda np: np.maximum(0, 1, np.empty(())) == 1, {
         'numpy.maximum(shape, array.shape, shape)':
             'numpy.maximum(shape, array.shape, out=shape)'}),
    # numpy.distutils does not exist in Python 3.12 and later, and warns in
    # earlier versions. On macOS, Chainer imports it to detect a faulty version
    # of Accelerate, which NumPy 1.20 and later do not use.
    ('chainer._environment_check', lambda np: False, {
        'import numpy.distutils.system_info': '',
        "numpy.distutils.system_info.get_info('blas_opt')": 'None'}),
    # setuptools 82 removed pkg_resources. Before, importing it warns.
    *((module, lambda np: importlib.import_module('pkg_resources'), {
        'import pkg_resources':
            'from qrnn.chainer_compat import _Requirements as pkg_resources'})
      for module in ('chainer._environment_check', 'chainer.testing.helper',
                     'chainer.testing.doctest_helper')),
    # If CuPy is installed from the package "cupy", Chainer requires CuPy 7,
    # which does not support Python 3.11.
    ('chainer._version', lambda np: False, {'>=7.7.0,<8.0.0': '>=7.7.0'}),
    # CuPy 14 does not support cuDNN, so Chainer's advice to reinstall CuPy
    # with cuDNN is useless.
    ('chainer.backends.cuda', lambda np: _without_cupy_or_with('cupy.cudnn'), {
        'not _cudnn_disabled_by_user and': 'False and'}),
    # CuPy 13 warns about missing cuDNN even if CHAINER_CUDNN=0 disables cuDNN.
    ('chainer.backends.cuda', lambda np: False, {
        'if 7 < _cupy_major:':
            'if _cudnn_disabled_by_user:\n'
            '            raise ImportError("CHAINER_CUDNN is 0")\n'
            '        if 7 < _cupy_major:'}),
    # If NCCL is missing, CuPy prints a long warning, but few users need NCCL.
    ('chainer.training.updaters.multiprocess_parallel_updater',
     lambda np: not importlib.util.find_spec('cupy'), {
         '    from cupy.cuda import nccl':
             '    with warnings.catch_warnings(action="ignore"):\n'
             '        from cupy.cuda import nccl'}),
    # Since NumPy 2.4, int() of an array with one element raises an exception.
    # In chainermn, all processes except the master fail, and the master hangs.
    ('chainermn.iterators.multi_node_iterator', lambda np: int(np.ones(1)), {
        'int(_size)': 'int(_size[0])'}),
    # Since NumPy 2.0 and CuPy 14, array(copy=False) cannot convert dtypes.
    ('chainermn.communicators._memory_utility',
     lambda np: np.array(np.ones(1), copy=False, dtype=np.float32), {
         'xp.array(v, copy=False, dtype=transfer_dtype)':
             'v.astype(transfer_dtype)'}),
    # Since CuPy 14, cupy/carray.cuh does not include cuda_fp16.h, which
    # defines the type half.
    ('chainermn.communicators._memory_utility', lambda np: False, {
        '#include <cupy/carray.cuh>':
            '#include <cuda_fp16.h>\n#include <cupy/carray.cuh>'}),
    # Since CuPy 14, the array method scatter_add warns and recommends add.at.
    ('chainer.functions.array.get_item', lambda np: False, {
        'gx.scatter_add(slices, inputs[0])':
            'xp.add.at(gx, slices, inputs[0])'}),
)

_PATCHED_MODULES = {module for module, _, _ in _PATCHES}


class _Finder:
    """Find the modules to patch; leave other modules to the next finder."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in _PATCHED_MODULES:
            spec = PathFinder.find_spec(name, path, target)
            if spec and type(spec.loader) is SourceFileLoader:
                spec.loader = _Loader(name, spec.loader.path)
            return spec


class _Loader(SourceFileLoader):
    """Compile a module with its broken lines replaced."""

    def get_code(self, name):
        broken = [line for module, check, lines in _PATCHES
                  if module == name and not _works(check)
                  for line in lines.items()]
        if not broken:
            return super().get_code(name)
        source = self.get_source(name)
        for old, new in broken:
            source = (source.replace(old, new) if isinstance(old, str)
                      else old.sub(new, source))
        return self.source_to_code(source, self.path)


def _works(check):
    import numpy
    with warnings.catch_warnings(action='error'):
        try:
            return check(numpy)
        except Exception:
            return False


def _patch_imported(module):
    # Other modules may have imported the functions. Therefore, the function
    # objects are kept, and only their code is replaced. For functions without
    # a broken line, the new code equals the old code.
    loader = module.__spec__.loader
    if type(loader) is not SourceFileLoader:
        return
    codes = [_Loader(loader.name, loader.path).get_code(loader.name)]
    for code in codes:
        codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
        function = module
        for name in code.co_qualname.split('.'):
            function = getattr(function, name, None)
        old = getattr(function, '__code__', None)
        if old and old.co_qualname == code.co_qualname:
            function.__code__ = code


class _Requirements:
    """Replacement for the part of ``pkg_resources`` that Chainer uses."""

    class VersionConflict(Exception):
        pass

    DistributionNotFound = importlib.metadata.PackageNotFoundError
    ResolutionError = DistributionNotFound, VersionConflict
    WorkingSet = classmethod(lambda cls: cls)
    get_distribution = staticmethod(importlib.metadata.distribution)

    @classmethod
    def require(cls, *requirements):
        for requirement in requirements:
            name = re.match(r'[\w.-]+', requirement).group()
            version = importlib.metadata.version(name)
            from packaging.requirements import Requirement
            if not Requirement(requirement).specifier.contains(
                    version, prereleases=True):
                raise cls.VersionConflict(requirement)


def _explain(error):
    if isinstance(error, ModuleNotFoundError) and error.name == 'chainer':
        problem, option = 'qrnn needs Chainer, which is not installed', ''
    else:
        reason = ' '.join(str(error).split())
        problem = (f'Chainer cannot be imported here ({type(error).__name__}: '
                   f'{reason})')
        option = '--force-reinstall '
    return (f"{problem}; type: python -m pip install 'setuptools<81' wheel && "
            f'python -m pip install --no-build-isolation {option}'
            "chainer==7.8.1 'numpy>=1.26,<2.6'")


patch()
