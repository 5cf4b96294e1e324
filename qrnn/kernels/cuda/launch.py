"""The one module that compiles CUDA sources and launches kernels."""
import collections
import functools
import importlib.resources

from chainer.backends.cuda import cupy
import numpy

from qrnn.gates import ACTIVATIONS
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.kernels.cuda import plans


#: The files of every module, in the order in which they build on each other.
#: The first one is what only the device's compiler understands.
SOURCES = {
    'strnn': ('device.cu', 'numbers.cu', 'scan.cu', 'strnn.cu'),
    'pooling': ('device.cu', 'numbers.cu', 'scan.cu', 'philox.cu', 'gates.cu',
                'pooling_forward.cu', 'pooling_backward.cu'),
    'windows': ('device.cu', 'numbers.cu', 'windows.cu'),
    'lstm': ('device.cu', 'numbers.cu', 'lstm.cu'),
    'dropout': ('device.cu', 'numbers.cu', 'philox.cu', 'dropout.cu'),
    'softmax': ('device.cu', 'numbers.cu', 'softmax.cu'),
}

POOLINGS = tuple(GATES)  # that have kernels

#: Activations by the numbers that the sources give them.
NAMES = ('tanh', 'sigmoid', 'identity')

#: What is compiled at once: a family of kernels, the bits of its dtype, and of
#: poolings which one, the activations of its gates, in their order, whether f
#: is its expectation under zoneout, and whether the output is the gated state.
Module = collections.namedtuple(
    'Module', 'family bits pooling activations expectation gated',
    defaults=(None, None, False, True))


def pooling_module(dtype, pooling, activations=None, expectation=False,
                   gated=True):
    """Return a pooling's module; see :func:`~qrnn.gates.check_pooling`."""
    activations = check_pooling(pooling, activations)
    return Module('pooling', plans.bits_of(dtype), pooling, tuple(
        activations[name] for name in GATES[pooling]), expectation, gated)


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
    return _compiled(module).get_function(name)


@functools.lru_cache(maxsize=None)
def _compiled(module):
    # Compiled at the first launch on a device, for its architecture; CuPy
    # keeps the binary on disk.
    return cupy.RawModule(
        code=source(module.family), options=options(module))


def source(family):
    """Return the CUDA C++ text of a family, one of :data:`SOURCES`."""
    folder = importlib.resources.files('qrnn.kernels.cuda')
    return ''.join(
        f'#line 1 "{name}"\n'
        + folder.joinpath(name).read_text(encoding='utf-8')
        for name in SOURCES[family])


def options(module):
    """Return the options for a module's dtype, gates and activations."""
    defined = plans.definitions(module.bits)
    defined[f'QRNN_{module.family.upper()}'] = 1
    if module.pooling:
        gates = dict(zip(GATES[module.pooling], module.activations))
        defined.update(QRNN_HAS_O=int('o' in gates),
                       QRNN_HAS_I=int('i' in gates),
                       QRNN_EXPECTATION=int(module.expectation),
                       QRNN_GATED=int(module.gated))
        for name in 'zoi':
            defined['QRNN_' + name.upper()] = NAMES.index(
                gates.get(name, ACTIVATIONS[name]))
    return ('-std=c++17',) + tuple(f'-D{n}={v}' for n, v in defined.items())


def modules():
    """Yield every module that there is with the usual activations."""
    for dtype in 'efd':
        for family in SOURCES:
            if family == 'pooling':
                yield from (pooling_module(dtype, p) for p in GATES)
            elif family != 'softmax' or dtype != 'e':  # float32 at least
                yield Module(family, plans.bits_of(dtype))


device = CudaDevice()
