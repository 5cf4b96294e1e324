"""Check a machine with a GPU: ``python -m qrnn.kernels``.

It prints what there is, compiles each kernel, runs it once against its
reference, and says what is missing. It ends with status 1 where something is.
"""
import itertools
import platform
import sys
import time

import chainer
from chainer.backends import cuda
import numpy

import qrnn
from qrnn.functions.linear_softmax_cross_entropy import (
    linear_softmax_cross_entropy)
from qrnn.functions.lstm import lstm
from qrnn.functions.masked_convolution import masked_convolution
from qrnn.functions.pooling import qrnn_pooling
from qrnn.functions.strnn import strnn
from qrnn.gates import GATES
from qrnn.kernels import cpu
from qrnn.kernels import cuda as kernels
from qrnn.kernels.cuda import plans


INSTALL = ("install CuPy with CUDA's libraries: pip install "
           "'cupy-cuda13x[ctk]', or for a GPU before compute capability 7.5, "
           "as a V100, 'cupy-cuda12x[ctk]>=14'")

#: Relative to the largest value.
TOLERANCE = {'e': 4e-3, 'f': 4e-6, 'd': 1e-12}


def main():
    print(f'qrnn {qrnn.__version__}, Chainer {chainer.__version__}, '
          f'NumPy {numpy.__version__}, Python {platform.python_version()}')
    if not cuda.available:
        sys.exit(f'CuPy is not installed; {INSTALL}')
    try:
        n_devices = cuda.cupy.cuda.runtime.getDeviceCount()
    except cuda.cupy.cuda.runtime.CUDARuntimeError as error:
        sys.exit(f'There is no GPU that CuPy {cuda.cupy.__version__} can '
                 f"use: {error}; nvidia-smi shows what the driver sees")
    _print_devices(n_devices)
    checks = [('NVRTC, which compiles', _check_compiler),
              ('cuBLAS, for products', _check_products),
              ('cuRAND, for zoneout alone', _check_random)]
    for letter in TOLERANCE:
        dtype = numpy.dtype(letter)
        checks.append((f'{dtype} recurrence', lambda d=dtype: _check_strnn(d)))
        checks.append((f'{dtype} dropout', lambda d=dtype: _check_dropout(d)))
        checks.append((f'{dtype} loss', lambda d=dtype: _check_loss(d)))
        checks.append((f'{dtype} convolution', lambda d=dtype: _check_function(
            d, lambda *inputs: [masked_convolution(*inputs, [40, 33])],
            (2, 40, 9), (3, 9, 8), (2, 2, 9))))
        checks.append((f'{dtype} LSTM', lambda d=dtype: _check_function(
            d, lambda *inputs: lstm(*inputs, [40, 33]),
            (2, 40, 20), (20, 5), (2, 5), (2, 5))))
        checks += [(f'{dtype} {p}-pooling',
                    lambda d=dtype, p=p: _check_pooling(d, p)) for p in GATES]
    if not all([_run(name, check) for name, check in checks]):
        sys.exit(1)
    print('The kernels work on this machine.')


def _print_devices(n_devices):
    runtime = cuda.cupy.cuda.runtime
    print(f'CuPy {cuda.cupy.__version__}, CUDA runtime '
          f'{runtime.runtimeGetVersion()}, driver for CUDA '
          f'{runtime.driverGetVersion()}')
    for i in range(n_devices):
        properties = runtime.getDeviceProperties(i)
        print(f'GPU {i}: {properties["name"].decode()}, compute capability '
              f'{properties["major"]}.{properties["minor"]}, '
              f'{properties["totalGlobalMem"] / 2 ** 30:.0f} GiB')


def _run(name, check):
    start = time.perf_counter()
    try:
        check()
    except Exception as error:
        lines = str(error).strip().splitlines() or ['']
        print(f'{name}: {type(error).__name__}: {lines[0]}', flush=True)
        if not isinstance(error, AssertionError):
            print(f'  To mend it, {INSTALL}.')
        return False
    print(f'{name}: works ({time.perf_counter() - start:.1f} s)', flush=True)
    return True


def _check_compiler():
    from cupy.cuda import nvrtc
    nvrtc.getVersion()
    a = cuda.cupy.arange(5, dtype='e')  # with the headers for float16
    assert float((a * a).sum()) == 30


def _check_products():
    a = cuda.cupy.ones((3, 2), 'f')
    assert float(a.dot(a.T).sum()) == 18


def _check_random():
    assert 0 <= float(cuda.cupy.random.rand(1)[0]) <= 1


def _check_strnn(dtype):
    shapes = (2, 40, 33), (2, 40, 33), (2, 33)
    arrays = [_uniform(shape, dtype) for shape in shapes]
    gh = _uniform(shapes[0], dtype)
    for reverse, regime in itertools.product((False, True), plans.REGIMES):
        f, x, h0, g = map(cuda.to_gpu, (*arrays, gh))
        h = kernels.strnn_forward(f, x, h0, reverse, regime=regime)
        gf, gx, gh0 = kernels.strnn_backward(
            f, h, h0, g, reverse, regime=regime)
        _compare(dtype, (h, gf, gx, gh0), *_expected(
            lambda *inputs: (strnn(*inputs, reverse),), arrays, (gh,)))


def _check_pooling(dtype, pooling):
    B, T, C = 2, 40, 33
    gates, lengths = len(GATES[pooling]), [T, T - 7]
    u, b, c0 = arrays = [_uniform(shape, dtype) for shape in (
        (B, T, gates * C), (gates * C,), (B, C))]
    grads = [_uniform(shape, dtype) for shape in (
        (B, T, C), (B, T, C), (B, C))]
    for regime in plans.REGIMES:
        u, b, c0 = map(cuda.to_gpu, arrays)
        same = (u, b, c0, cuda.cupy.array(lengths, 'i'), pooling, .3, 7, None)
        h, c, c_last = kernels.pooling_forward(*same, regime=regime)
        gradients = kernels.pooling_backward(
            *same, c, *map(cuda.to_gpu, grads), regime=regime)
        mask = cpu.zoneout_mask(7, .3, (B, T, C))
        _compare(dtype, (h, c, c_last, *gradients), *_expected(
            lambda *inputs: qrnn_pooling(
                *inputs, lengths, pooling, mask=mask), arrays, grads))


def _check_dropout(dtype):
    x = _uniform((5, 999), dtype)
    y = kernels.dropout(cuda.to_gpu(x), .3, 7).get()
    assert (y == cpu.dropout(x, .3, 7)).all(), 'it draws other elements'


def _check_loss(dtype):
    N, n, V = 7, 5, 999
    t = numpy.arange(N) - 1  # the first one is to be ignored
    inputs = [_uniform(shape, dtype) for shape in ((N, n), (V, n), (V,))]
    x, W, b = map(chainer.Variable, map(cuda.to_gpu, inputs))
    loss = linear_softmax_cross_entropy(x, cuda.to_gpu(t), W, b)
    actual = [loss, *chainer.grad([loss], [x, W, b])]
    _compare(dtype, [v.array for v in actual], *_expected(
        lambda x, *others: [linear_softmax_cross_entropy(x, t, *others)],
        inputs, [numpy.ones((), 'd')]))


def _check_function(dtype, function, *shapes):
    arrays = [_uniform(shape, dtype) for shape in shapes]
    inputs = [chainer.Variable(cuda.to_gpu(a)) for a in arrays]
    outputs = function(*inputs)
    grads = [_uniform(y.shape, dtype) for y in outputs]
    gradients = chainer.grad(
        outputs, inputs, [chainer.Variable(cuda.to_gpu(g)) for g in grads])
    _compare(dtype, [v.array for v in (*outputs, *gradients)],
             *_expected(function, arrays, grads))


def _uniform(shape, dtype):
    return numpy.random.RandomState(0).uniform(-1, 1, shape).astype(dtype)


def _expected(function, arrays, grads):
    """Return outputs and gradients on the CPU, in float64."""
    inputs = [chainer.Variable(a.astype('d')) for a in arrays]
    outputs = function(*inputs)
    gradients = chainer.grad(
        outputs, inputs, [chainer.Variable(g.astype('d')) for g in grads])
    return [v.array for v in (*outputs, *gradients)]


def _compare(dtype, actual, *expected):
    for a, e in zip(actual, expected, strict=True):
        error = abs(a.get() - e).max() / max(1, abs(e).max())
        assert error < TOLERANCE[dtype.char], (
            f'off by {error:.1e} of the largest value')


if __name__ == '__main__':
    main()
