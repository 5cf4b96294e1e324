"""The one module that compiles CUDA sources and launches kernels."""
import functools
import importlib.resources

from chainer.backends.cuda import cupy
from chainer.backends.cuda import ndarray  # no array is one without CuPy
import numpy

from qrnn.kernels.cuda import plans


#: The files of every module, in the order in which they build on each other.
#: The first one is what only the device's compiler understands.
SOURCES = {
    'strnn': ('device.cu', 'numbers.cu', 'scan.cu', 'strnn.cu'),
    'pooling': ('device.cu', 'numbers.cu', 'scan.cu', 'philox.cu', 'gates.cu',
                'pooling_forward.cu', 'pooling_backward.cu'),
}

POOLINGS = ('f', 'fo', 'ifo')  # in the order of QRNN_POOLING


def take(array):
    """Whether an array is one that the kernels run on: CuPy's."""
    return isinstance(array, ndarray)


class CudaDevice:
    """Where kernels run: CuPy's current device and stream.

    Nothing here synchronises. Memory comes from CuPy's pool, which hands a
    freed block only to later work on the same stream.
    """

    def __init__(self):
        self.xp = cupy

    def empty(self, shape, dtype):
        return cupy.empty(shape, dtype)

    def launch(self, module, launches):
        here = cupy.cuda.runtime.getDevice()
        for launch in launches:
            kernel = _kernel(module, launch.kernel, here)
            kernel(launch.grid, launch.block,
                   tuple(map(_argument, launch.args)),
                   shared_mem=launch.shared)


def _argument(value):
    if value is None:
        return numpy.uint64(0)  # a null pointer
    return numpy.int64(value) if isinstance(value, int) else value


@functools.lru_cache(maxsize=None)
def _kernel(module, name, device):
    # Found once per device: a function belongs to the device it was loaded on.
    return _compiled(*module).get_function(name)


@functools.lru_cache(maxsize=None)
def _compiled(family, bits, pooling):
    # Compiled at the first launch on a device, for its architecture; CuPy
    # keeps the binary on disk.
    return cupy.RawModule(
        code=source(family), options=options(bits, pooling))


def source(family):
    """The CUDA C++ text of a family of kernels, ``'strnn'`` or ``'pooling'``.
    """
    folder = importlib.resources.files('qrnn.kernels.cuda')
    return ''.join(
        '#line 1 "{}"\n{}'.format(
            name, folder.joinpath(name).read_text(encoding='utf-8'))
        for name in SOURCES[family])


def options(bits, pooling=None):
    """Compiler options that choose the dtype and pooling."""
    defined = plans.definitions(bits)
    if pooling is not None:
        defined['QRNN_POOLING'] = POOLINGS.index(pooling)
    return ('-std=c++17',) + tuple(
        '-D{}={}'.format(*item) for item in defined.items())


def modules():
    """Every module there is, as (family, bits, pooling)."""
    for bits in (16, 32, 64):
        yield 'strnn', bits, None
        for pooling in POOLINGS:
            yield 'pooling', bits, pooling


cuda = CudaDevice()
