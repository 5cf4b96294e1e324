"""The precision of a training run: dtypes, TF32, mixed16, clipping."""
import contextlib
import os

import chainer
import chainer.functions as F
import numpy

from qrnn import functions


#: Maps values of ``--dtype`` to dtypes. With tf32, matrix products of float32
#: arrays round their factors to TF32. With mixed16, links compute in float16,
#: and the optimizer updates float32 parameters.
DTYPES = {'float32': numpy.dtype('f'), 'tf32': numpy.dtype('f'),
          'mixed16': chainer.mixed16, 'float64': numpy.dtype('d')}


@contextlib.contextmanager
def using(name):
    """Context in which links are created and trained in a given precision."""
    if name == 'tf32':
        os.environ['CUPY_TF32'] = '1'  # CuPy reads it at its first matmul
    # Ignore overflow in float16, because the optimizer detects it.
    ignored = {'over': 'ignore', 'invalid': 'ignore'}
    with chainer.using_config('dtype', DTYPES[name]), numpy.errstate(
            **(ignored if name == 'mixed16' else {})):
        yield


def linear(link, x):
    """Apply a linear link to the last axis, in at least float32."""
    dtype = numpy.result_type(numpy.float32, x.dtype, link.W.dtype)
    return functions.linear(
        _cast(x, dtype), _cast(link.W, dtype), _cast(link.b, dtype))


# F.cast adds a node to the graph even if the dtype is the same.
def _cast(x, dtype):
    return x if x is None or x.dtype == dtype else F.cast(x, dtype)


class GradientClipping(chainer.optimizer_hooks.GradientClipping):
    """Gradient clipping that supports scaled gradients in float16.

    Chainer's hook sums squares in float16, where they overflow, and ignores
    the loss scale. For float32 gradients, both hooks do the same.
    """

    def __call__(self, optimizer):
        grads = [param.grad for param in optimizer.target.params(False)]
        device = optimizer.target.device
        with chainer.using_device(device):
            norm = device.xp.sqrt(sum(g.dot(g) for g in map(_flat, grads)))
            rate = self.threshold * (optimizer._loss_scale or 1) / norm
            if device.xp is not numpy:
                rate = rate.clip(None, 1)  # ``if`` would wait for the GPU
            elif not 0 < rate < 1:
                return
            for grad in grads:
                grad *= rate


def _flat(grad):
    dtype = numpy.promote_types(grad.dtype, 'f')
    return grad.ravel().astype(dtype, copy=False)
