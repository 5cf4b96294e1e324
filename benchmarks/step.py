"""Time a training iteration, its parts and its matrix products."""
import collections

import chainer

from benchmarks.registry import Comparison
from benchmarks.timing import Clock


def matrix_products(shapes, xp, training=True):
    """Return a function that computes the matrix products of linear maps.

    For every map y = x W, the function computes y and, in training, the
    gradients of x and W. All arrays are preallocated.

    Args:
        shapes (list of tuple): ``(..., rows, n_in, n_out)`` for every map.
        xp (module): NumPy or CuPy.
        training (bool): If True, also compute the gradients.

    """
    operands = []
    for *batch, rows, n_in, n_out in shapes:
        x, W, y = (xp.full((*batch, *shape), .1, 'f') for shape in (
            (rows, n_in), (n_in, n_out), (rows, n_out)))
        gradients = (xp.empty_like(x), xp.empty_like(W)) if training else ()
        operands.append((x, W, y, *gradients))

    def products():
        for x, W, y, *gradients in operands:
            xp.matmul(x, W, out=y)
            if gradients:
                gx, gW = gradients
                xp.matmul(y, W.swapaxes(-1, -2), out=gx)
                xp.matmul(x.swapaxes(-1, -2), y, out=gW)

    return products


def step(case, optimizer, loss, shapes, check, device, label=None,
         after=lambda: None):
    """Return a :class:`Comparison` of an iteration and its matrix products.

    Args:
        case (dict): As in :class:`Comparison`.
        optimizer (~chainer.Optimizer): Optimizer, set up with the model.
        loss: Function without arguments that returns the loss of a batch.
        shapes (list of tuple): As in :func:`matrix_products`.
        check: Called as ``check(iteration)``, where ``iteration()`` runs an
            iteration. Raises :class:`AssertionError` if results are wrong.
        device (chainer.backend.Device): Device that does the work.
        label: As in :func:`where_time_goes`.
        after: Function to call after the update.

    """
    def gradients():
        y = loss()
        optimizer.target.cleargrads()
        y.backward()

    def iteration():
        gradients()
        optimizer.update()
        after()

    return Comparison(
        case, {'iteration': iteration,
               'matrix products': matrix_products(shapes, device.xp)},
        lambda: check(iteration),
        lambda: where_time_goes(gradients, optimizer, after, device, label))


def check_learning(loss, iteration, chance, n_iterations=3):
    """Check that the loss starts at chance level and decreases."""
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        before = loss()
    for _ in range(n_iterations):
        iteration()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        after = loss()
    assert abs(before - chance) < .1 * chance, (before, chance)
    assert after < before, (before, after)


def where_time_goes(gradients, optimizer, after, device, label=None,
                    n_iterations=5):
    """Return a dict of the milliseconds of every part of an iteration.

    The parts are

    - ``forward`` and ``backward`` of every type of function node. If a node
      applies another node, the time of the inner node is counted only as part
      of the outer node (Chainer's TimerHook counts it twice).
    - ``between nodes``: time outside any function node.
    - ``optimizer's hooks``.
    - ``update``: the optimizer without its hooks.

    On a GPU, times of the device are measured. The device starts after all
    work has been launched, so the device does not wait for the host.

    Args:
        gradients: Function that runs the forward and the backward pass.
        optimizer (~chainer.Optimizer): Optimizer of the parameters.
        after: Function to call after the update.
        device (chainer.backend.Device): Device that does the work.
        label: Function that receives a node and its inputs, and returns a
            name, which follows ``forward`` or ``backward`` in the name of the
            part. By default, the name is ``node.label``.
        n_iterations (int): Number of iterations to average over.

    """
    clock = Clock(device)
    total = collections.Counter()
    hooked = []
    optimizer.add_hook(lambda _: hooked.append(clock.now()), 'clock')
    for _ in range(n_iterations):
        nodes = _Nodes(clock, label or (lambda node, _: node.label))
        clock.wait()
        clock.hold(200)
        start = clock.now()
        with nodes:
            gradients()
        end = clock.now()
        clock.wait()
        inside = nodes.milliseconds()
        total.update(inside)
        total['between nodes'] += (
            clock.between(start, end) - sum(inside.values()))
        clock.hold(50)
        start = clock.now()
        optimizer.update()
        end = clock.now()
        clock.wait()
        total["optimizer's hooks"] += clock.between(start, hooked[-1])
        total['update'] += clock.between(hooked[-1], end)
        after()
    optimizer.remove_hook('clock')
    return {name: total[name] / n_iterations
            for name in sorted(total, key=total.get, reverse=True)}


class _Nodes(chainer.FunctionHook):
    """Hook that times function nodes, except nodes applied by other nodes."""

    name = 'Nodes'

    def __init__(self, clock, label):
        self._clock = clock
        self._label = label
        self._depth = 0
        self._spans = []

    def milliseconds(self):
        total = collections.Counter()
        for name, start, end in self._spans:
            total[name] += self._clock.between(start, end)
        return total

    def _begin(self, direction, node, in_data):
        if not self._depth:
            name = f'{direction} {self._label(node, in_data)}'
            self._spans.append([name, self._clock.now(), None])
        self._depth += 1

    def _end(self):
        self._depth -= 1
        if not self._depth:
            self._spans[-1][-1] = self._clock.now()

    def forward_preprocess(self, function, in_data):
        self._begin('forward', function, in_data)

    def forward_postprocess(self, function, in_data):
        self._end()

    def backward_preprocess(self, function, in_data, out_grad):
        self._begin('backward', function, in_data)

    def backward_postprocess(self, function, in_data, out_grad):
        self._end()
