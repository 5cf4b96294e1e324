"""Checks that end a training before it keeps a broken model."""
import math

import chainer
from chainer import training

from experiments.common import snapshots
from experiments.common.errors import Problem


@training.make_extension(priority=training.PRIORITY_WRITER + 100)
def check_update(trainer):
    """Trainer extension that stops when loss or parameters are not finite.

    A gradient that is not finite gets into the parameters at once. This comes
    first in every iteration, so no such model is evaluated or gets into a
    snapshot.
    """
    loss = trainer.observation.get('main/loss')
    loss = float(chainer.as_array(
        loss[0] if isinstance(loss, tuple) else loss))
    if not math.isfinite(loss):
        raise _problem('the loss became {}'.format(loss), trainer)
    model = trainer.updater.get_optimizer('main').target
    for name, param in sorted(model.namedparams()):
        if not _is_finite(param.array):
            raise _problem('{} became infinite or NaN'.format(name), trainer)


@training.make_extension(
    trigger=(1, 'epoch'), priority=training.PRIORITY_EDITOR)
def check_evaluation(trainer):
    """Trainer extension that stops when the evaluation's loss is broken."""
    loss = trainer.observation.get('validation/main/loss')
    if loss is not None and not math.isfinite(float(loss)):
        raise _problem("the evaluation's loss became {}".format(
            float(loss)), trainer)


def _is_finite(array):
    """Whether there is neither infinity nor NaN, which minima hand on."""
    if array is None or not array.size:
        return True
    xp = chainer.backend.get_array_module(array)
    return bool(xp.isfinite(array.min()) & xp.isfinite(array.max()))


def _problem(what, trainer):
    updater = trainer.updater
    iterator = updater.get_iterator('main')
    return Problem(
        '{} in iteration {} (epoch {}), after the batch of {}; {}, and a '
        'smaller learning rate may help'.format(
            what, updater.iteration, math.ceil(updater.epoch_detail),
            iterator.batch_description, snapshots.outlook(trainer.out)))
