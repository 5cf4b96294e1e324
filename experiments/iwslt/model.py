"""The encoder-decoder and its configurations, including those of Table 3."""
import dataclasses
from typing import Literal

import chainer
import chainer.functions as F
import chainer.links as L

from experiments.common.precision import linear
from experiments.iwslt.data import Characters
from experiments.iwslt.data import IGNORE_LABEL
from qrnn import LSTMStack
from qrnn import QRNNStack
from qrnn.functions import dropout
from qrnn.functions import linear_softmax_cross_entropy


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of an encoder-decoder and of its training.

    The settings that the paper gives are the defaults.
    """

    layer: Literal['qrnn', 'lstm'] = 'qrnn'  # kind of layer
    n_units: int = 320  # size of each layer
    n_embedding: int = 320  # size of the embedding; not in the paper
    # Filter width of each encoder layer. The decoder has the same depth.
    kernel_sizes: tuple[int, ...] = (6, 2, 2, 2)
    decoder_kernel_size: int = 2  # filter width in the decoder (qrnn)
    dropout: float = 0.0  # dropout ratio after embeddings and each layer

    max_length: int = 300  # longer training pairs are left out
    batch_size: int = 16  # pairs in a batch
    n_epochs: int = 10  # overridden by --epoch
    alpha: float = 0.001  # learning rate of Adam
    beta1: float = 0.9  # decay rate of the mean of gradients
    beta2: float = 0.999  # decay rate of the mean of squared gradients
    eps: float = 1e-8  # added to the root of the mean square
    max_norm: float = 5.0  # gradients are rescaled to at most this norm


CONFIGS = {
    # Table 3: character-level 4-layer QRNN, with k = 6 in the first layer
    'qrnn': Config(),
    # Table 3: character-level 4-layer LSTM
    'lstm': Config(layer='lstm', dropout=0.2),
    # For ``--data sample``; trains in two minutes on a laptop
    'small': Config(n_units=128, n_embedding=64, kernel_sizes=(6, 2),
                    n_epochs=4, alpha=0.004),
}

# Configuration of --test, which trains within seconds
TINY = Config(n_units=8, n_embedding=8, kernel_sizes=(3, 2), batch_size=4,
              n_epochs=2)


def load(folder):
    """Return the best :class:`Translator` of a run, on the CPU.

    Also return the model's :class:`~experiments.iwslt.data.Characters` and the
    contents of ``model.json``.
    """
    from experiments.common.commands import load_model

    def build(description):
        characters = Characters(description['characters'])
        return Translator(Config(**description['settings']), len(characters))

    model, description = load_model(folder, 'iwslt', build)
    return model, Characters(description['characters']), description


class Translator(chainer.Chain):
    """Encoder-decoder with attention, over ``V`` characters.

    Each layer of the decoder depends on the last output of the same layer of
    the encoder. The last layer attends to all outputs of the encoder.
    """

    def __init__(self, config, n_characters):
        super().__init__()
        kernel_sizes = tuple(config.kernel_sizes)
        size = len(kernel_sizes), config.n_embedding, config.n_units
        self._dropout = config.dropout
        self._is_lstm = config.layer == 'lstm'
        with self.init_scope():
            self.embed = L.EmbedID(
                n_characters, config.n_embedding, ignore_label=IGNORE_LABEL)
            if self._is_lstm:
                self.encoder = LSTMStack(*size, dropout=config.dropout)
                self.decoder = LSTMStack(
                    *size, dropout=config.dropout, attention=True)
            else:
                self.encoder = QRNNStack(
                    *size, kernel_sizes, dropout=config.dropout,
                    lookahead=[k // 2 for k in kernel_sizes])
                self.decoder = QRNNStack(
                    *size, config.decoder_kernel_size,
                    dropout=config.dropout, attention=True)
            self.output = L.Linear(config.n_units, n_characters)

    def forward(self, source, target, source_lengths, n_targets):
        """Return the mean loss per character, and report it as ``loss``.

        Args:
            source (:ref:`ndarray`): int32, ``(B, S)``, each row reversed.
            target (:ref:`ndarray`): int32, ``(B, T)``; -1 is ignored.
            source_lengths (:ref:`ndarray`): Length of each source, ``(B,)``.
            n_targets (:ref:`ndarray`): Number of characters of each target
                that are not -1, ``(B,)``.

        """
        self.encode(source, source_lengths)
        # The first input is the end-of-sentence character, whose index is 0.
        first = self.xp.zeros((len(target), 1), target.dtype)
        h = self._decode(self.xp.concatenate((first, target[:, :-1]), axis=1))
        loss = linear_softmax_cross_entropy(
            h.reshape(-1, h.shape[2]), target.ravel(), self.output.W,
            self.output.b, IGNORE_LABEL)
        # The loss is reported in float64, because it is averaged over batches.
        chainer.report(
            {'loss': (loss.array.astype('d'), int(n_targets.sum()))}, self)
        return loss

    def encode(self, source, lengths):
        """Encode sources, and set the initial states of the decoder.

        The arguments are ``source`` and ``source_lengths`` of :meth:`forward`.
        """
        h = self.encoder.encode(self._embed(source), lengths)
        # An LSTM decoder starts from the cell states of the encoder. The cell
        # states of a QRNN decoder start at zero.
        c = ([state.c for state in self.encoder.state]
             if self._is_lstm else None)
        self.decoder.init(c, h, lengths)
        self.encoder.reset_state()

    def step(self, y):
        """Return log-probabilities of the next characters: (N,) -> (N, V).

        ``y`` contains the indices of the previous characters, which are 0 in
        the first step. The hypotheses of a source are adjacent rows.
        """
        return F.log_softmax(linear(self.output, self._decode(y)))

    def _embed(self, x):
        return dropout(self.embed(x), self._dropout)

    def _decode(self, y):
        return dropout(self.decoder(self._embed(y)), self._dropout)
