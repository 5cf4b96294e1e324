"""A training iteration of the PTB model beside its matrix products."""
import numpy

from benchmarks.registry import benchmark
from benchmarks.step import check_learning
from benchmarks.step import step
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
    return '\n'.join(
        f"  ms of {row['config']}, the paper's (K40) in brackets: "
        + ', '.join(f'{part} {ms:.1f} ({PAPER[part]})'
                    for part, ms in _parts(row).items())
        for row in rows)


def _draw(rows, figure):
    axes = figure.add_subplot()
    bars = {"the paper's LSTM (cuDNN, K40)": _LSTM,
            "the paper's QRNN (K40)": PAPER}
    bars.update({row['config']: _parts(row) for row in rows})
    left = numpy.zeros(len(bars))
    for part in PAPER:
        widths = [bar[part] for bar in bars.values()]
        axes.barh(list(bars), widths, left=left, label=part)
        left += widths
    axes.set_xlabel('milliseconds of a training batch, 20 x 105')
    axes.legend()


def _parts(row):
    """Return milliseconds of Figure 4's three parts of an iteration.

    The softmax is the last layer with its loss; the optimisation is decay,
    clipping and descent; the RNN is all the rest.
    """
    spent = row['breakdown']
    softmax = spent['forward softmax'] + spent['backward softmax']
    optimisation = spent["optimizer's hooks"] + spent['update']
    return {'RNN': sum(spent.values()) - softmax - optimisation,
            'softmax': softmax, 'optimisation': optimisation}


@benchmark('ptb-step', _summary, _draw)
def ptb_step(device):
    """One iteration of qrnn-zoneout, 20 x 105, over its matrix products."""
    config = CONFIGS['qrnn-zoneout']
    numpy.random.seed(0)
    model = LanguageModel(config, _N_WORDS)
    assert model.count_params() == _N_PARAMETERS
    model.to_device(device)
    optimizer = setup_optimizer(model, config)
    shape = 2, config.batch_size, config.n_steps
    x, t = device.send(
        numpy.random.randint(0, _N_WORDS, shape).astype('i'))

    def check(iteration):
        def loss():
            model.reset_state()
            value = float(model(x, t).array)
            model.reset_state()
            return value

        check_learning(loss, iteration,
                       config.batch_size * numpy.log(_N_WORDS), 1)

    def label(node, in_data):
        is_last = any(a is model.output.W.array for a in in_data)
        return 'softmax' if is_last or node.label in _SOFTMAX else node.label

    rows, n = config.batch_size * config.n_steps, config.n_units
    yield step(
        {'config': 'qrnn-zoneout', 'B': config.batch_size,
         'T': config.n_steps}, optimizer, lambda: model(x, t),
        config.n_layers * [(rows, config.kernel_size * n, 3 * n)] + [
            (rows, n, _N_WORDS)],
        check, device, label, model.unchain_state)
