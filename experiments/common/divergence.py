"""Checks that end a training before it keeps a broken model."""
import math

import chainer
from chainer import training
import numpy

from experiments.common import snapshots
from experiments.common.errors import Problem


@training.make_extension(priority=training.PRIORITY_WRITER + 100)
def check_update(trainer):
    """Trainer extension that stops when loss or parameters are not finite.

    A gradient that is not finite gets into the parameters at once. This comes
    first in every iteration, so no such model is evaluated or gets into a
    snapshot. It looks at a GPU once, at all that there is to see, for each
    look waits for what was sent before; what was observed are Python's floats
    from here on.
    """
    model = trainer.updater.get_optimizer('main').target
    arrays = {name: param.array for name, param in sorted(model.namedparams())
              if param.array is not None and param.array.size}
    values = _observed(trainer.observation)
    seen = _look([*values.values(), *(
        extreme(array) for array in arrays.values()
        for extreme in (model.xp.min, model.xp.max))], model.xp)
    for name, value in zip(values, seen):
        weight = trainer.observation[name][1:] if isinstance(
            trainer.observation[name], tuple) else ()
        trainer.observation[name] = (value, *weight) if weight else value
    loss = dict(zip(values, seen)).get('main/loss', 0.)
    if not math.isfinite(loss):
        raise _problem('the loss became {}'.format(loss), trainer)
    extremes = seen[len(values):]
    for name, low, high in zip(arrays, extremes[::2], extremes[1::2]):
        if not (math.isfinite(low) and math.isfinite(high)):
            raise _problem('{} became infinite or NaN'.format(name), trainer)


def _observed(observation):
    """The scalars among what was observed, without their weights."""
    values = {}
    for name, value in observation.items():
        value = chainer.as_array(
            value[0] if isinstance(value, tuple) else value)
        if getattr(value, 'ndim', None) == 0:
            values[name] = value
    return values


def _look(scalars, xp):
    """Scalars on a device as floats, with one look at it."""
    with numpy.errstate(over='ignore', invalid='ignore'):
        return [float(value) for value in chainer.backends.cuda.to_cpu(
            xp.stack([xp.asarray(each, 'f8') for each in scalars]))]


@training.make_extension(
    trigger=(1, 'epoch'), priority=training.PRIORITY_EDITOR)
def check_evaluation(trainer):
    """Trainer extension that stops when the evaluation's loss is broken."""
    loss = trainer.observation.get('validation/main/loss')
    if loss is not None and not math.isfinite(float(loss)):
        raise _problem("the evaluation's loss became {}".format(
            float(loss)), trainer)


def _problem(what, trainer):
    updater = trainer.updater
    iterator = updater.get_iterator('main')
    return Problem(
        '{} in iteration {} (epoch {}), after the batch of {}; {}, and a '
        'smaller learning rate may help'.format(
            what, updater.iteration, math.ceil(updater.epoch_detail),
            iterator.batch_description, snapshots.outlook(trainer.out)))
