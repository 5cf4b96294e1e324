"""Compilation of the CUDA sources, and launches of their kernels."""
import collections
import functools
import importlib.resources

from chainer.backends.cuda import cupy
import numpy

from qrnn.gates import ACTIVATIONS
from qrnn.gates import check_pooling
from qrnn.gates import GATES
from qrnn.kernels.cuda import plans


#: Source files of each family of kernels, in the order of concatenation. Only
#: ``device.cu`` requires NVIDIA's compiler.
SOURCES = {
    'strnn': ('device.cu', 'numbers.cu', 'scan.cu', 'strnn.cu'),
    'pooling': ('device.cu', 'numbers.cu', 'scan.cu', 'philox.cu', 'gates.cu',
                'pooling_forward.cu', 'pooling_backward.cu'),
    'windows': ('device.cu', 'numbers.cu', 'windows.cu'),
    'lstm': ('device.cu', 'numbers.cu', 'lstm.cu'),
    'dropout': ('device.cu', 'numbers.cu', 'philox.cu', 'dropout.cu'),
    'softmax': ('device.cu', 'numbers.cu', 'softmax.cu'),
}

POOLINGS = tuple(GATES)  # poolings that have kernels

#: Names of the activations; ``activate`` in ``numbers.cu`` uses their indexes.
NAMES = ('tanh', 'sigmoid', 'identity')

#: A unit of compilation: a family of kernels and the number of bits of the
#: dtype. The other fields are only for a pooling: its name, the activations
#: of its gates in the order of ``GATES``, and the arguments ``expectation``
#: and ``gated`` of :func:`pooling_module`.
Module = collections.namedtuple(
    'Module', 'family bits pooling activations expectation gated',
    defaults=(None, None, False, True))


def pooling_module(dtype, pooling, activations=None, expectation=False,
                   gated=True):
    """Return the module of a pooling.

    Args:
        dtype (numpy.dtype): Dtype of the arrays.
        pooling (str): One of :data:`qrnn.gates.GATES`.
        activations (dict): See :func:`~qrnn.gates.check_pooling`.
        expectation (bool): If True, f is replaced by its expectation under
            zoneout.
        gated (bool): If True, outputs are states times output gates.
            Otherwise, outputs are the output gates alone.

    """
    activations = check_pooling(pooling, activations)
    return Module('pooling', plans.bits_of(dtype), pooling, tuple(
        activations[name] for name in GATES[pooling]), expectation, gated)


class CudaDevice:
    """CuPy's current device and stream, which run the kernels.

    Launches and allocations do not synchronise. Memory comes from CuPy's pool,
    which reuses a freed block only for later work on the same stream.
    """

    def __init__(self):
        self.xp = cupy

    def empty(self, shape, dtype):
        return cupy.empty(shape, dtype)

    def launch(self, module, launches):
        device_id = cupy.cuda.runtime.getDevice()
        for launch in launches:
            kernel = _kernel(module, launch.kernel, device_id)
            kernel(launch.grid, launch.block,
                   tuple(map(_argument, launch.args)),
                   shared_mem=launch.shared)


def _argument(value):
    if value is None:
        return numpy.uint64(0)  # a null pointer
    return numpy.int64(value) if isinstance(value, int) else value


@functools.lru_cache(maxsize=None)
def _kernel(module, name, device_id):
    # Cached for each device, because a function belongs to one device.
    return _compiled(module).get_function(name)


@functools.lru_cache(maxsize=None)
def _compiled(module):
    # At the first launch on a device, CuPy compiles the code for the
    # architecture of the device, and caches the binary on disk.
    return cupy.RawModule(
        code=source(module.family), options=options(module))


def source(family):
    """Return the CUDA C++ source of a family of kernels in :data:`SOURCES`."""
    folder = importlib.resources.files('qrnn.kernels.cuda')
    return ''.join(
        f'#line 1 "{name}"\n'
        + folder.joinpath(name).read_text(encoding='utf-8')
        for name in SOURCES[family])


def options(module):
    """Return the compiler options of a module."""
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
    """Yield all modules with the default activations."""
    for dtype in 'efd':
        for family in SOURCES:
            if family == 'pooling':
                yield from (pooling_module(dtype, p) for p in GATES)
            elif family != 'softmax' or dtype != 'e':  # no float16 softmax
                yield Module(family, plans.bits_of(dtype))


device = CudaDevice()
