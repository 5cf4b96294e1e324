"""Training in another precision than float32: ``--dtype``."""
import contextlib
import warnings

import chainer
import chainer.functions as F
from chainer.training import extension
import numpy

from experiments.common.errors import Problem
from qrnn.functions.halves import cast


#: What ``--dtype`` takes. With mixed16 links compute in float16, and the
#: optimizer keeps parameters in float32.
DTYPES = {'float32': numpy.dtype('f'), 'mixed16': chainer.mixed16,
          'float64': numpy.dtype('d')}

_PATIENCE = 50  # iterations in a row that may fail for their gradients


@contextlib.contextmanager
def using(name):
    """Context in which links are made, and trained, in a precision."""
    # Gradients that are too large for float16 are noticed, and do no harm.
    ignored = {'over': 'ignore', 'invalid': 'ignore'}
    with chainer.using_config('dtype', DTYPES[name]), numpy.errstate(
            **(ignored if name == 'mixed16' else {})):
        yield


def in_use():
    """Name of the precision in use."""
    return next(name for name, dtype in DTYPES.items()
                if dtype == chainer.get_dtype())


def in_float32(x):
    """A Variable in float32 at least, as losses and scores should be."""
    return cast(x, numpy.promote_types(x.dtype, numpy.float32))


def linear(link, x):
    """Applies a linear link to the last axis, in float32 at least."""
    dtype = numpy.result_type(numpy.float32, x.dtype, link.W.dtype)
    W, b = (None if each is None else cast(each, dtype)
            for each in (link.W, link.b))
    return F.linear(cast(x, dtype), W, b, n_batch_axes=x.ndim - 1)


def extend(trainer):
    """Makes a trainer's optimizer fit for the precision in use."""
    if in_use() == 'mixed16':
        optimizer = trainer.updater.get_optimizer('main')
        optimizer.use_fp32_update()
        optimizer.loss_scaling()
        trainer.extend(MixedPrecision(optimizer))


class MixedPrecision(extension.Extension):

    """Trainer extension for an optimizer that scales the loss.

    It keeps in snapshots what Chainer leaves out of them, the scale and the
    parameters in float32; reports the scale as ``loss_scale``; and stops the
    training if no scale helps. Iterations whose gradients are too large for
    float16 change nothing but the scale, which is halved.

    Args:
        optimizer (~chainer.Optimizer): The optimizer.

    """

    trigger = 1, 'iteration'
    priority = extension.PRIORITY_WRITER
    default_name = 'mixed_precision'

    def __init__(self, optimizer):
        self._optimizer = optimizer
        self._n_failed = 0
        warnings.filterwarnings('ignore', 'Non finite number found in param')

    def __call__(self, trainer):
        trainer.observation['loss_scale'] = self._optimizer._loss_scale
        self._n_failed += 1
        if self._optimizer.is_safe_to_update():
            self._n_failed = 0
        if self._n_failed >= _PATIENCE:
            raise Problem(
                'the gradients have not been finite for {} iterations, up to '
                'iteration {}; a smaller learning rate or --dtype float32 may '
                'help'.format(self._n_failed, trainer.updater.iteration))

    def serialize(self, serializer):
        optimizer = self._optimizer
        optimizer._loss_scale = float(
            serializer('loss_scale', optimizer._loss_scale))
        optimizer._loss_scaling_isnan_ever = bool(serializer(
            'overflowed', int(optimizer._loss_scaling_isnan_ever)))
        self._n_failed = int(serializer('n_failed', self._n_failed))
        parameters = serializer['float32']
        for name, param in optimizer.target.namedparams():
            if param.dtype == numpy.float16:
                rule = param.update_rule
                if rule._fp32_param is None:  # as in its first update
                    rule._fp32_param = chainer.Parameter(
                        param.array.astype('f'), name=param.name)
                copy = rule._fp32_param
                copy.array = parameters(name.lstrip('/'), copy.array)


class GradientClipping(chainer.optimizer_hooks.GradientClipping):

    """Chainer's hook, fit for gradients that are scaled and in float16.

    Chainer's own adds up their squares in float16, where they overflow, and
    compares the norm of scaled gradients with the threshold. In float32 the
    two do the same, to the last bit.
    """

    def __call__(self, optimizer):
        grads = [param.grad for param in optimizer.target.params(False)]
        device = optimizer.target.device
        with chainer.using_device(device):
            norm = device.xp.sqrt(sum(map(_sum_of_squares, grads)))
            rate = self.threshold * (optimizer._loss_scale or 1) / norm
            if device.xp is not numpy:
                rate = rate.clip(None, 1)  # a look would make the host wait
            elif not 0 < rate < 1:
                return
            for grad in grads:
                grad *= rate


def _sum_of_squares(grad):
    grad = grad.ravel().astype(
        numpy.promote_types(grad.dtype, numpy.float32), copy=False)
    return grad.dot(grad)
