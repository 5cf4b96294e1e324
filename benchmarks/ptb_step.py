"""A training iteration of the PTB model beside its matrix products."""
import collections

import chainer
import numpy

from benchmarks.chainer_steps import matrix_products
from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from benchmarks.timing import Clock
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.train import setup_optimizer


_N_WORDS = 10000  # the vocabulary of the Penn Treebank
_N_PARAMETERS = 17729040

#: Milliseconds of a batch on a K40 (the left half of Figure 4), for a QRNN
#: and for cuDNN's LSTM.
PAPER = {'RNN': 43, 'softmax': 75, 'optimisation': 35}
_LSTM = {'RNN': 172, 'softmax': 75, 'optimisation': 44}
_SOFTMAX = {'_LinearSoftmaxCrossEntropy', 'SoftmaxCrossEntropy'}


def _summary(rows):
    """Figure 4's bars beside ours."""
    lines = []
    for row in rows:
        lines.append('  ms of {}, the paper\'s (K40) in brackets: '.format(
            row['config']) + ', '.join('{} {:.1f} ({})'.format(
                part, row['breakdown'][part], ms)
                for part, ms in PAPER.items()))
    return '\n'.join(lines)


def _draw(rows, figure):
    axes = figure.add_subplot()
    bars = {"the paper's LSTM (cuDNN, K40)": _LSTM,
            "the paper's QRNN (K40)": PAPER}
    bars.update({row['config']: row['breakdown'] for row in rows})
    left = numpy.zeros(len(bars))
    for part in PAPER:
        widths = [bar[part] for bar in bars.values()]
        axes.barh(list(bars), widths, left=left, label=part)
        left += widths
    axes.set_xlabel('milliseconds of a training batch, 20 x 105')
    axes.legend()


@benchmark('ptb-step', _summary, _draw)
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

    def gradients():
        loss = model(x, t)
        model.cleargrads()
        loss.backward()

    def iteration():
        gradients()
        optimizer.update()
        model.unchain_state()

    yield Comparison(
        {'config': 'qrnn-zoneout', 'B': config.batch_size,
         'T': config.n_steps},
        {'iteration': iteration,
         'matrix products': matrix_products(
             config.batch_size * config.n_steps, _maps(config), device.xp)},
        lambda: _check(model, iteration, x, t),
        lambda: _breakdown(model, gradients, optimizer.update, device))


def _maps(config):
    n = config.n_units
    return config.n_layers * [(config.kernel_size * n, 3 * n)] + [
        (n, _N_WORDS)]


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


def _breakdown(model, gradients, update, device, n_iterations=5):
    """Milliseconds of Figure 4's three parts, then of every function node.

    The softmax is the last layer with its loss; the optimisation is decay,
    clipping and descent; the RNN is all the rest. On a GPU the times are the
    device's, which has the whole queue before it starts.
    """
    clock = Clock(device)
    milliseconds = collections.Counter()
    for _ in range(n_iterations):
        clock.wait()
        clock.hold(200)
        nodes = _OwnTime(clock, model.output.W.array)
        start = clock.now()
        with nodes:
            gradients()
        middle = clock.now()
        clock.wait()
        clock.hold(50)
        begin = clock.now()
        update()
        end = clock.now()
        clock.wait()
        model.unchain_state()
        own = nodes.milliseconds()
        milliseconds['RNN'] += clock.between(start, middle) - own['softmax']
        milliseconds['softmax'] += own.pop('softmax')
        milliseconds['optimisation'] += clock.between(begin, end)
        milliseconds.update({'node ' + n: ms for n, ms in own.items()})
    return {name: ms / n_iterations for name, ms in milliseconds.items()}


class _OwnTime(chainer.FunctionHook):

    """Time spent in each function node, without the nodes that it calls.

    Chainer's TimerHook counts a node that is applied in the backward pass of
    another one twice.

    Args:
        clock (Clock): What to read.
        last (:ref:`ndarray`): Weight of the last layer, which counts among
            the softmax.

    """

    name = 'OwnTime'

    def __init__(self, clock, last):
        self._clock = clock
        self._last = last
        self._spans = []  # of all nodes: label, start, end, the one around it
        self._open = []

    def forward_preprocess(self, function, in_data):
        around = self._open[-1] if self._open else None
        label = self._label(function, in_data, around)
        self._open.append(len(self._spans))
        self._spans.append([label, self._clock.now(), None, around])

    def forward_postprocess(self, function, in_data):
        self._spans[self._open.pop()][2] = self._clock.now()

    def backward_preprocess(self, function, in_data, out_grad):
        self.forward_preprocess(function, in_data)

    def backward_postprocess(self, function, in_data, out_grad):
        self.forward_postprocess(function, in_data)

    def milliseconds(self):
        """Own time by label, and ``'softmax'`` for all that belongs to it."""
        own = collections.Counter({'softmax': 0})
        for label, start, end, around in self._spans:
            elapsed = self._clock.between(start, end)
            own[label] += elapsed
            if around is not None:
                own[self._spans[around][0]] -= elapsed
        return own

    def _label(self, function, in_data, around):
        if function.label in _SOFTMAX or any(
                a is self._last for a in in_data):
            return 'softmax'
        if around is not None and self._spans[around][0] == 'softmax':
            return 'softmax'  # applied by its backward pass
        return function.label
