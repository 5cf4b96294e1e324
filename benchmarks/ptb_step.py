"""A training iteration of the PTB model beside its matrix products."""
import collections
import time

import chainer
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.train import setup_optimizer


_N_WORDS = 10000  # the vocabulary of the Penn Treebank
_N_PARAMETERS = 17729040


@benchmark('ptb-step')
def ptb_step(device):
    """One iteration of qrnn-zoneout, 20 x 105, over its matrix products."""
    config = CONFIGS['qrnn-zoneout']
    numpy.random.seed(0)
    model = LanguageModel(config, _N_WORDS)
    model.to_device(device)
    optimizer = setup_optimizer(model, config)
    shape = 2, config.batch_size, config.n_steps
    x, t = device.send(
        numpy.random.randint(0, _N_WORDS, shape).astype('i'))

    def iteration():
        optimizer.update(model, x, t)
        model.unchain_state()

    yield Comparison(
        {'config': 'qrnn-zoneout', 'B': config.batch_size,
         'T': config.n_steps},
        {'iteration': iteration,
         'matrix products': _matrix_products(config, device.xp)},
        lambda: _check(model, iteration, x, t),
        lambda: _breakdown(iteration))


def _matrix_products(config, xp):
    """The products of forward and backward pass, on bare arrays.

    Of every linear map y = x W: y, the gradient of x and that of W. They are
    written into arrays at hand: no allocation is counted.
    """
    n_rows = config.batch_size * config.n_steps
    n = config.n_units
    maps = config.n_layers * [(config.kernel_size * n, 3 * n)]
    maps.append((n, _N_WORDS))
    operands = []
    for n_in, n_out in maps:
        x, W, y = (xp.random.rand(*shape).astype('f') for shape in (
            (n_rows, n_in), (n_in, n_out), (n_rows, n_out)))
        operands.append((x, W, y, xp.empty_like(x), xp.empty_like(W),
                         xp.empty_like(y)))

    def products():
        for x, W, gy, gx, gW, y in operands:
            xp.matmul(x, W, out=y)
            xp.matmul(gy, W.T, out=gx)
            xp.matmul(x.T, gy, out=gW)

    return products


def _check(model, iteration, x, t):
    """The model is the paper's in size, starts at chance, and learns."""
    assert model.count_params() == _N_PARAMETERS
    before = _loss(model, x, t)
    iteration()
    after = _loss(model, x, t)
    assert abs(before - numpy.log(_N_WORDS)) < .1, before
    assert after < before, (before, after)


def _loss(model, x, t):
    model.reset_state()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        loss = float(model(x, t).array) / len(x)
    model.reset_state()
    return loss


def _breakdown(iteration, n_iterations=5):
    """Milliseconds of an iteration by function node; the rest is the rest."""
    own_time = _OwnTime()
    start = time.perf_counter()
    with own_time:
        for _ in range(n_iterations):
            iteration()
    total = time.perf_counter() - start
    seconds = own_time.seconds
    seconds['the rest: optimiser, gradient sums, Python'] = (
        total - sum(seconds.values()))
    return {name: 1e3 * s / n_iterations
            for name, s in seconds.most_common()}


class _OwnTime(chainer.FunctionHook):

    """Time spent in each function node, without the nodes that it calls.

    Chainer's TimerHook counts a node that is applied in the backward pass of
    another one twice.
    """

    name = 'OwnTime'

    def __init__(self):
        self.seconds = collections.Counter()
        self._starts = []

    def forward_preprocess(self, function, in_data):
        self._starts.append(time.perf_counter())

    def forward_postprocess(self, function, in_data):
        elapsed = time.perf_counter() - self._starts.pop()
        self.seconds[function.label] += elapsed
        # All that is going on around it started that much later.
        self._starts = [start + elapsed for start in self._starts]

    def backward_preprocess(self, function, in_data, out_grad):
        self.forward_preprocess(function, in_data)

    def backward_postprocess(self, function, in_data, out_grad):
        self.forward_postprocess(function, in_data)
