"""Training in mixed16, Chainer's mix of float16 and float32."""
import warnings

import chainer
from chainer import training
import numpy

from experiments.common.cli import UserError


class MixedPrecision(training.Extension):
    """Trainer extension for training in mixed16.

    The optimizer updates float32 parameters and scales the loss. If gradients
    overflow, the scale is halved and the update is skipped. The extension ends
    the run after 50 successive overflows. It reports the scale as
    ``loss_scale``, and adds the scale and the float32 parameters to snapshots,
    because Chainer omits them.

    Args:
        optimizer (chainer.Optimizer): Optimizer of a model in float16.

    """

    priority = training.PRIORITY_EDITOR

    def __init__(self, optimizer):
        optimizer.use_fp32_update()
        optimizer.loss_scaling()
        self._optimizer = optimizer
        self._n_failed = 0
        warnings.filterwarnings('ignore', 'Non finite number found in param')

    def __call__(self, trainer):
        trainer.observation['loss_scale'] = self._optimizer._loss_scale
        self._n_failed = (
            0 if self._optimizer.is_safe_to_update() else self._n_failed + 1)
        if self._n_failed == 50:
            raise UserError(
                'the gradients have not been finite for 50 iterations, up to '
                f'iteration {trainer.updater.iteration}; try a smaller '
                'learning rate or --dtype float32')

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
                # Before the first update, there is no float32 copy yet.
                if rule._fp32_param is None:
                    rule._fp32_param = chainer.Parameter(
                        param.array.astype('f'), name=param.name)
                copy = rule._fp32_param
                copy.array = parameters(name.lstrip('/'), copy.array)
