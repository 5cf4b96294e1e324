"""The language model and its configurations, including those of Table 2."""
import dataclasses
from typing import Literal

import chainer
import chainer.links as L

from experiments.common.precision import linear
from qrnn import LSTMStack
from qrnn import QRNNStack
from qrnn.functions import dropout
from qrnn.functions import linear_softmax_cross_entropy


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a language model and of its training.

    The settings that the paper gives are the defaults. The paper does not give
    the dropout ratio, so the default is from the "medium" setup of Zaremba et
    al. (2014), which the paper follows.
    """

    layer: Literal['qrnn', 'lstm'] = 'qrnn'  # kind of layer
    n_layers: int = 2  # number of recurrent layers
    n_units: int = 640  # size of the embedding and of each layer
    kernel_size: int = 2  # filter width of the convolution (qrnn)
    zoneout: float = 0.0  # probability that a channel keeps its state (qrnn)
    # If True, evaluation uses the expectation of the forget gate f under
    # zoneout. Otherwise, it uses f itself.
    zoneout_expectation: bool = False
    dropout: float = 0.5  # dropout ratio after the embedding and each layer
    # The paper does not give init_scale and sum_over; see README.md.
    # Bound of uniform initial parameters. If None, Chainer's defaults apply.
    init_scale: float | None = None
    # The loss is summed over this axis and averaged over the other axis.
    sum_over: Literal['rows', 'steps'] = 'rows'

    batch_size: int = 20  # the text is divided into this number of rows
    n_steps: int = 105  # number of steps of truncated backpropagation
    n_epochs: int = 72  # overridden by --epoch
    lr: float = 1.0  # learning rate of SGD; see LanguageModel.forward
    n_full_lr_epochs: int = 6  # epochs before the learning rate decays
    lr_decay: float = 0.95  # multiplies lr in each later epoch
    l2: float = 2e-4  # weight decay
    max_norm: float = 10.0  # gradients are rescaled to at most this norm


CONFIGS = {
    # Table 2: QRNN + zoneout, 18M
    'qrnn-zoneout': Config(zoneout=0.1, zoneout_expectation=True,
                           init_scale=0.173, sum_over='steps'),
    # Table 2: QRNN, 18M; it overfits after the best epoch
    'qrnn': Config(init_scale=0.173, sum_over='steps'),
    # Table 2: LSTM, 20M. The paper gives no settings for it, so n_steps,
    # initialisation, loss, learning rates and clipping are from Zaremba et al.
    'lstm': Config(layer='lstm', n_steps=35, n_epochs=39, lr_decay=1 / 1.2,
                   init_scale=0.05, sum_over='steps', max_norm=5.0),
    # For ``--data sample``; trains in a minute on a laptop
    'small': Config(n_units=96, zoneout=0.1, dropout=0.2, init_scale=0.1,
                    batch_size=10, n_steps=20, n_epochs=8, lr=2.0,
                    n_full_lr_epochs=4, lr_decay=0.5, l2=0.0, max_norm=2.5),
}

# Configuration of --test, which trains within seconds
TINY = Config(n_units=8, batch_size=4, n_steps=10, n_epochs=2)


def load(folder):
    """Return the best model of a run, and the contents of ``model.json``."""
    from experiments.common.commands import load_model

    def build(description):
        return LanguageModel(
            Config(**description['settings']), len(description['words']))

    return load_model(folder, 'ptb', build)


class LanguageModel(chainer.Chain):
    """Language model that predicts each word from all previous words.

    The recurrent state is carried from one call to the next.
    """

    def __init__(self, config, n_words):
        super().__init__()
        size = config.n_layers, config.n_units, config.n_units
        self._dropout = config.dropout
        self._batch_size = config.batch_size
        self._sum_over = config.sum_over
        with self.init_scope():
            self.embed = L.EmbedID(n_words, config.n_units)
            if config.layer == 'qrnn':
                self.rnn = QRNNStack(
                    *size, kernel_size=config.kernel_size,
                    dropout=config.dropout, zoneout=config.zoneout,
                    zoneout_expectation=config.zoneout_expectation,
                    save_state=True)
            else:
                self.rnn = LSTMStack(
                    *size, dropout=config.dropout, save_state=True)
            self.output = L.Linear(config.n_units, n_words)
        if config.init_scale is not None:
            initializer = chainer.initializers.Uniform(config.init_scale)
            for _, param in sorted(self.namedparams()):
                initializer(param.array)

    def forward(self, x, t):
        """Return the loss of a chunk; report its mean per word as ``loss``.

        ``x`` and ``t`` are int32, ``(B, T)``. The returned loss is the mean
        per word, multiplied by the number of rows or the number of steps, as
        set by ``config.sum_over``. The learning rate, the clipping threshold
        and L2 must match this factor.
        """
        h = self._read(x)
        loss = linear_softmax_cross_entropy(
            h.reshape(-1, h.shape[-1]), t.ravel(), self.output.W,
            self.output.b)
        chainer.report({'loss': (loss.array.astype('d'), t.size)}, self)
        if self._sum_over == 'steps':
            return loss * t.shape[1]
        # Do not use len(t): ``t`` may be one process's share of the rows.
        # ChainerMN averages the gradients of all shares.
        return loss * self._batch_size

    def step(self, x):
        """Return the logits of the words after ``x``: (B,) -> (B, V)."""
        return linear(self.output, self._read(x))

    def _read(self, x):
        h = dropout(self.embed(x), self._dropout)
        return dropout(self.rnn(h), self._dropout)

    def reset_state(self):
        """Reset the recurrent state."""
        self.rnn.reset_state()

    def unchain_state(self):
        """Detach the recurrent state from the graph, and keep its values."""
        self.rnn.unchain_state()
