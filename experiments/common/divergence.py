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
    snapshot. It looks at a GPU once, not at every parameter: each look waits
    for all that was sent before.
    """
    loss = trainer.observation.get('main/loss')
    loss = chainer.as_array(loss[0] if isinstance(loss, tuple) else loss)
    model = trainer.updater.get_optimizer('main').target
    arrays = {name: param.array for name, param in sorted(model.namedparams())
              if param.array is not None and param.array.size}
    if _are_finite([loss, *arrays.values()], model.xp):
        return
    if not math.isfinite(float(loss)):
        raise _problem('the loss became {}'.format(float(loss)), trainer)
    for name, array in arrays.items():
        if not _are_finite([array], model.xp):
            raise _problem('{} became infinite or NaN'.format(name), trainer)


@training.make_extension(
    trigger=(1, 'epoch'), priority=training.PRIORITY_EDITOR)
def check_evaluation(trainer):
    """Trainer extension that stops when the evaluation's loss is broken."""
    loss = trainer.observation.get('validation/main/loss')
    if loss is not None and not math.isfinite(float(loss)):
        raise _problem("the evaluation's loss became {}".format(
            float(loss)), trainer)


def _are_finite(arrays, xp):
    """Whether there is neither infinity nor NaN, which minima hand on."""
    extremes = [xp.asarray(extreme) for array in arrays
                for extreme in (xp.min(array), xp.max(array))]
    return bool(xp.isfinite(xp.stack(extremes)).all())


def _problem(what, trainer):
    updater = trainer.updater
    iterator = updater.get_iterator('main')
    return Problem(
        '{} in iteration {} (epoch {}), after the batch of {}; {}, and a '
        'smaller learning rate may help'.format(
            what, updater.iteration, math.ceil(updater.epoch_detail),
            iterator.batch_description, snapshots.outlook(trainer.out)))
