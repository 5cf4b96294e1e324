"""Training of the PTB model, compared with its matrix products."""
import numpy

from benchmarks.registry import benchmark
from benchmarks.step import check_learning
from benchmarks.step import step
from experiments.paper import BATCH_MILLISECONDS
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.train import setup_optimizer


_SOFTMAX = {'_LinearSoftmaxCrossEntropy', 'SoftmaxCrossEntropy'}


def _summary(rows):
    """Format the measured times next to those in Figure 4 of the paper."""
    paper = BATCH_MILLISECONDS['QRNN']
    return '\n'.join(
        f"  ms of {row['config']}, the paper's times (K40) in parentheses: "
        + ', '.join(f'{part} {ms:.1f} ({paper[part]})'
                    for part, ms in _parts(row).items())
        for row in rows)


def _draw(rows, figure):
    axes = figure.add_subplot()
    bars = {f"the paper's {name} (K40)": parts
            for name, parts in BATCH_MILLISECONDS.items()}
    bars.update({row['config']: _parts(row) for row in rows})
    left = numpy.zeros(len(bars))
    for part in BATCH_MILLISECONDS['QRNN']:
        widths = [bar[part] for bar in bars.values()]
        axes.barh(list(bars), widths, left=left, label=part)
        left += widths
    axes.set_xlabel('milliseconds of a training batch, 20 x 105')
    axes.legend()


def _parts(row):
    """Return the milliseconds of the three parts in Figure 4 of the paper.

    The softmax includes the last layer and the loss; the optimisation consists
    of weight decay, gradient clipping and the update; the RNN includes
    everything else.
    """
    spent = row['breakdown']
    softmax = spent['forward softmax'] + spent['backward softmax']
    optimisation = spent["optimizer's hooks"] + spent['update']
    return {'RNN': sum(spent.values()) - softmax - optimisation,
            'softmax': softmax, 'optimisation': optimisation}


@benchmark('ptb-step', _summary, _draw)
def ptb_step(device, config=CONFIGS['qrnn-zoneout'], n_words=10000):
    """Training iteration (20 x 105 words) and its matrix products.

    The vocabulary is as large as that of the Penn Treebank.
    """
    numpy.random.seed(0)
    model = LanguageModel(config, n_words)
    model.to_device(device)
    optimizer = setup_optimizer(model, config)
    shape = 2, config.batch_size, config.n_steps
    x, t = device.send(
        numpy.random.randint(0, n_words, shape).astype('i'))

    def check(iteration):
        def loss():
            model.reset_state()
            value = float(model(x, t).array)
            model.reset_state()
            return value

        scale = (config.n_steps if config.sum_over == 'steps'
                 else config.batch_size)
        check_learning(loss, iteration, scale * numpy.log(n_words), 1)

    def label(node, in_data):
        is_last = any(a is model.output.W.array for a in in_data)
        return 'softmax' if is_last or node.label in _SOFTMAX else node.label

    rows, n = config.batch_size * config.n_steps, config.n_units
    yield step(
        {'config': 'qrnn-zoneout', 'B': config.batch_size,
         'T': config.n_steps}, optimizer, lambda: model(x, t),
        config.n_layers * [(rows, config.kernel_size * n, 3 * n)] + [
            (rows, n, n_words)],
        check, device, label, model.unchain_state)
