"""Check that qrnn works on this machine: ``python -m qrnn.check``.

The command prints one line per check. On the CPU, float64 outputs are compared
with the NumPy references. For other dtypes and on GPU 0, outputs and gradients
are compared with the CPU's float64 results. The GPU is checked if CuPy is
installed. The exit status is 1 if a check fails.
"""
import functools
import itertools
import platform
import sys
import time
import typing

import chainer
from chainer import backend
from chainer import gradient_check
from chainer.backends import cuda
import numpy

import qrnn
from qrnn import kernels
from qrnn.functions.linear_softmax_cross_entropy import (
    linear_softmax_cross_entropy, linear_softmax_cross_entropy_ref)
from qrnn.functions.lstm import lstm, lstm_ref
from qrnn.functions.masked_convolution import (
    masked_convolution, masked_convolution_ref)
from qrnn.functions.pooling import qrnn_pooling, qrnn_pooling_ref
from qrnn.functions.qrnn_step import qrnn_step, qrnn_step_ref
from qrnn.functions.strnn import strnn, strnn_ref
from qrnn.gates import GATES
from qrnn.kernels import philox


INSTALL = ("install CuPy with CUDA's libraries: pip install "
           "'cupy-cuda13x[ctk]', or for a GPU before compute capability 7.5, "
           "such as a V100, 'cupy-cuda12x[ctk]>=14'")

#: Upper limit of the error for each dtype. Errors are relative to the largest
#: absolute expected value, or absolute if that value is below 1.
TOLERANCE = {'float64': 1e-12, 'float32': 4e-6, 'float16': 4e-3}

#: Sequence lengths of the inputs. On a GPU, each length selects a different
#: scan kernel. On a CPU, the last length is long enough for several threads.
STEPS = 8, 40, 4096

_SEED = 2 ** 63 + 12345
_RATIO = .3


def main():
    print(f'qrnn {qrnn.__version__}, Chainer {chainer.__version__}, '
          f'NumPy {numpy.__version__}, Python {platform.python_version()}')
    passed = _check_device('CPU', chainer.get_device('@numpy'))
    if not cuda.available:
        print('GPUs are not checked, because CuPy is not installed; '
              f'{INSTALL}')
    else:
        passed &= _check_gpu()
    if not passed:
        sys.exit(1)
    print('All checks passed.')


def _check_gpu():
    version, runtime = cuda.cupy.__version__, cuda.cupy.cuda.runtime
    try:
        n_devices = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        print(f'CuPy {version} finds no usable GPU: {error}; check the driver '
              'with nvidia-smi')
        return False
    print(f'CuPy {version}, CUDA runtime {runtime.runtimeGetVersion()}, '
          f'driver for CUDA {runtime.driverGetVersion()}')
    for i in range(n_devices):
        device = runtime.getDeviceProperties(i)
        print(f'GPU {i}: {device["name"].decode()}, compute capability '
              f'{device["major"]}.{device["minor"]}, '
              f'{device["totalGlobalMem"] / 2 ** 30:.0f} GiB')
    passed = all([_passes('NVRTC, the compiler', _check_compiler),
                  _passes('cuBLAS, for matrix products', _check_products),
                  _passes('cuRAND, for random numbers', _check_random),
                  _check_device('GPU', chainer.get_device('@cupy:0'))])
    if not passed:
        print(f'If a library is missing, {INSTALL}')
    return passed


def _check_device(name, device):
    """Run all checks of a device, and return True if all of them pass."""
    passed = True
    for dtype in TOLERANCE:
        for operations in zip(*map(_operations, STEPS)):
            check = (_check_with_reference
                     if device.xp is numpy and dtype == 'float64'
                     else _check_with_float64)
            passed &= _passes(f'{name}, {dtype}, {operations[0].name}',
                              check, operations, device, dtype)
        for draws in 'zoneout', 'dropout':
            passed &= _passes(f'{name}, {dtype}, {draws}', _DRAWS[draws],
                              device, dtype)
    return passed


def _passes(name, check, *args):
    start = time.perf_counter()
    try:
        check(*args)
    except Exception as error:
        lines = str(error).strip().splitlines() or ['']
        print(f'{name}: {type(error).__name__}: {lines[0]}', flush=True)
        return False
    seconds = time.perf_counter() - start
    print(f'{name}: passed ({seconds:.1f} s)', flush=True)
    return True


def _check_compiler():
    from cupy.cuda import nvrtc
    nvrtc.getVersion()
    a = cuda.cupy.arange(5, dtype='e')  # float16 requires CUDA's headers
    assert float((a * a).sum()) == 30


def _check_products():
    a = cuda.cupy.ones((3, 2), 'f')
    assert float(a.dot(a.T).sum()) == 18


def _check_random():
    assert 0 <= float(cuda.cupy.random.rand(1)[0]) <= 1


class _Operation(typing.NamedTuple):
    name: str
    function: typing.Callable
    reference: typing.Callable
    shapes: list  # shapes of the inputs


def _operations(T):
    """Yield every operation to check, with the input shapes for T steps."""
    B, C, n, m = 2, 33, 9, 5
    lengths = [T, T - 7]
    for name, reverse in ('recurrence', False), ('reversed recurrence', True):
        yield _Operation(
            name, functools.partial(strnn, reverse=reverse),
            functools.partial(strnn_ref, reverse=reverse),
            [(B, T, C), (B, T, C), (B, C)])
    for pooling, gates in GATES.items():
        options = {'lengths': lengths, 'pooling': pooling}
        G = len(gates)
        yield _Operation(
            f'{pooling}-pooling', functools.partial(qrnn_pooling, **options),
            functools.partial(qrnn_pooling_ref, **options),
            [(B, T, G * C), (G * C,), (B, C)])
    yield _Operation(
        'convolution', functools.partial(masked_convolution, lengths=lengths),
        functools.partial(masked_convolution_ref, lengths=lengths),
        [(B, T, n), (3, n, m), (B, 2, n)])
    yield _Operation(
        'single step', qrnn_step, qrnn_step_ref,
        [(B, n), (3, n, 3 * m), (3 * m,), (B, m), (B, 2, n)])
    yield _Operation(
        'LSTM', functools.partial(lstm, lengths=lengths),
        functools.partial(lstm_ref, lengths=lengths),
        [(B, T, 4 * m), (4 * m, m), (B, m), (B, m)])
    yield _Operation(
        'loss', _loss, _loss_ref, [(min(T, 40), n), (999, n), (999,)])


def _loss(x, W, b):
    xp = backend.get_array_module(x)
    labels = xp.arange(len(x)) - 1  # the first label, -1, is ignored
    return linear_softmax_cross_entropy(x, labels, W, b)


def _loss_ref(x, W, b):
    labels = numpy.arange(len(x)) - 1
    return linear_softmax_cross_entropy_ref(x, labels, W, b)


def _check_with_reference(operations, device, dtype):
    """Compare outputs with the reference, and check gradients numerically."""
    for operation in operations[:2]:  # the references are slow for many steps
        inputs = _uniform(operation.shapes, dtype)
        outputs = _tuple(operation.function(*inputs))
        expected = _tuple(operation.reference(*inputs))
        for y, y_ref in zip(outputs, expected, strict=True):
            _compare(y.array, y_ref, dtype)
        gradient_check.check_backward(
            operation.function, tuple(inputs),
            tuple(_uniform([y.shape for y in outputs], dtype)),
            eps=1e-5, atol=1e-6, rtol=1e-6)


def _check_with_float64(operations, device, dtype):
    """Compare outputs and gradients with CPU results in float64."""
    host = chainer.get_device('@numpy')
    for operation in operations:
        inputs = _uniform(operation.shapes, dtype)
        actual = _gradients(operation, inputs, device, dtype)
        expected = _gradients(operation, inputs, host, 'float64')
        for a, b in zip(actual, expected, strict=True):
            _compare(host.send(a.array), b.array, dtype)


def _gradients(operation, inputs, device, dtype):
    """Return the outputs of an operation and the gradients of its inputs."""
    inputs = [chainer.Variable(device.send(x.astype(dtype))) for x in inputs]
    outputs = _tuple(operation.function(*inputs))
    # Output gradients are rounded to float16 to be equal for all dtypes.
    grads = _uniform([y.shape for y in outputs], 'float16')
    return *outputs, *chainer.grad(outputs, inputs, [
        chainer.Variable(device.send(g.astype(y.dtype)))
        for g, y in zip(grads, outputs)])


def _check_zoneout(device, dtype):
    for T, pooling in itertools.product(STEPS, GATES):
        shape = 2, T, 33
        u, = _uniform([(2, T, 33 * len(GATES[pooling]))], dtype)
        u = device.send(u)
        mask = device.send(philox.zoneout_mask(_SEED, _RATIO, shape))
        drawn = kernels.pooling_forward(
            u, pooling=pooling, zoneout=_RATIO, seed=_SEED)
        given = kernels.pooling_forward(u, pooling=pooling, mask=mask)
        for a, b in zip(drawn, given):
            assert (a == b).all(), 'the mask differs'


def _check_dropout(device, dtype):
    x = numpy.ones(5000, dtype)
    y = chainer.get_device('@numpy').send(
        kernels.dropout(device.send(x), _RATIO, _SEED))
    quarter = philox.CHUNK // 4
    counters = numpy.arange(2 * quarter).reshape(2, quarter)
    words = numpy.stack(philox.philox(counters, _SEED), axis=1).reshape(-1)
    assert ((y > 0) == (words[:x.size] > philox.limit_of(_RATIO))).all(), (
        'the mask differs')


_DRAWS = {'zoneout': _check_zoneout, 'dropout': _check_dropout}


def _uniform(shapes, dtype):
    random = numpy.random.RandomState(0)
    return [random.uniform(-1, 1, shape).astype(dtype) for shape in shapes]


def _tuple(value):
    return value if isinstance(value, tuple) else (value,)


def _compare(actual, expected, dtype):
    error = numpy.abs(actual - expected).max() / max(
        1, numpy.abs(expected).max())
    assert error < TOLERANCE[dtype], (
        f'the error is {error:.1e} of the largest value, but the limit is '
        f'{TOLERANCE[dtype]:.0e}')


if __name__ == '__main__':
    main()
