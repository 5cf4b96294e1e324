"""Sentiment classifiers and configurations, including those of Table 1."""
import dataclasses
import os
from typing import Literal

import chainer.links as L

from experiments.common.cli import UserError
from experiments.common.precision import linear
from experiments.imdb.classifier import Classifier
from experiments.imdb.data import number_of
from experiments.imdb.data import PAD
from qrnn import LSTMStack
from qrnn import QRNNStack
from qrnn.functions import dropout
from qrnn.functions import last_valid_step


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a classifier and of its training.

    The settings that the paper gives are the defaults, except for
    ``l2_embedding``.
    """

    layer: Literal['qrnn', 'lstm', 'pqrnn'] = 'qrnn'  # kind of layer
    n_layers: int = 4  # number of densely connected layers
    n_units: int = 256  # size of each layer (pqrnn: of each direction)
    kernel_size: int = 2  # filter width of the convolution (qrnn)
    zoneout: float = 0.0  # probability that a channel keeps its state (qrnn)
    dropout: float = 0.3  # dropout ratio after embedding and between layers
    embed_size: int = 300  # size of word vectors; --glove overrides it
    min_count: int = 2  # rarer words become <unk>; not in the paper
    n_features: int = 0  # number of ternary features of a word (pqrnn)
    distortion: float = 0.0  # probability of a misspelling (pqrnn)

    batch_size: int = 24  # reviews in a batch
    n_epochs: int = 5  # overridden by --epoch; not in the paper
    lr: float = 0.001  # learning rate of RMSprop
    n_full_lr_epochs: int = 5  # epochs before the learning rate decays
    lr_decay: float = 1.0  # multiplies lr every later epoch; not in the paper
    alpha: float = 0.9  # decay rate of the mean square
    eps: float = 1e-8  # added to the root of the mean square
    l2: float = 4e-6  # weight decay
    # If True, word vectors have weight decay, as in the paper. The reason for
    # the default is given in setup_optimizer.
    l2_embedding: bool = False


CONFIGS = {
    # Table 1: densely connected QRNN
    'qrnn': Config(),
    # Table 1: densely connected QRNN, k = 4
    'qrnn-k4': Config(kernel_size=4),
    # Table 1: densely connected LSTM
    'lstm': Config(layer='lstm'),
    # Not in the paper: with 1.4M parameters and 100-dimensional GloVe vectors,
    # the trained model is small enough for the repository.
    'compact': Config(n_layers=2, n_units=128, dropout=0.4, embed_size=100,
                      min_count=25, n_epochs=8),
    # Not in the paper: 1.2M parameters, with hashes instead of word vectors.
    # embed_size is the size of the bottleneck; zoneout decreases with depth.
    'pqrnn': Config(
        layer='pqrnn', n_layers=3, n_units=112, kernel_size=3, zoneout=0.01,
        dropout=0.2, embed_size=128, min_count=0, n_features=512,
        distortion=0.25, l2=1e-5, n_epochs=8, n_full_lr_epochs=4,
        lr_decay=0.6),
    # For ``--data sample``; trains in a minute on a laptop
    'small': Config(n_layers=2, n_units=64, dropout=0.1, embed_size=32,
                    min_count=1, n_epochs=6, lr=0.003),
}

#: Folder of a trained model with the configuration ``'compact'``. It was
#: converted to float16 with ``python -m experiments.compress``.
PRETRAINED = os.path.join(os.path.dirname(__file__), 'compact')

# Configuration of --test, which trains within seconds
TINY = Config(n_layers=2, n_units=8, embed_size=8, min_count=1, batch_size=4,
              n_epochs=2)


def load(folder):
    """Return the best model of a run, and the contents of ``model.json``."""
    from experiments.common.commands import load_model

    def rebuild(description):
        return build(Config(**description['settings']), description['words'])

    return load_model(folder, 'imdb', rebuild)


def build(config, words, vectors=None):
    """Return the :class:`Classifier` of a configuration."""
    if config.layer == 'pqrnn':
        if vectors is not None:
            raise UserError('pqrnn has no word vectors; remove --glove')
        from experiments.imdb.pqrnn import PQRNN
        return PQRNN(config, words)
    return SentimentClassifier(config, words, vectors)


class SentimentClassifier(Classifier):
    """Classifier with densely connected recurrent layers over word vectors.

    The logit is computed from the last layer's output at the last word.

    Args:
        config (Config): Sizes and regularisation.
        words (list of str): Vocabulary of ``V`` words; the first is
            ``'<unk>'``.
        vectors (numpy.ndarray): Initial word vectors, float32,
            ``(V, embed_size)``. By default they are drawn at random.

    """

    def __init__(self, config, words, vectors=None):
        super().__init__()
        self.number = number_of(words)
        size = config.n_layers, config.embed_size, config.n_units
        options = {'dropout': config.dropout, 'dense': True}
        self._dropout = config.dropout
        with self.init_scope():
            self.embed = L.EmbedID(
                len(words), config.embed_size, vectors, ignore_label=PAD)
            if config.layer == 'qrnn':
                self.rnn = QRNNStack(
                    *size, kernel_size=config.kernel_size,
                    zoneout=config.zoneout, **options)
            else:
                self.rnn = LSTMStack(*size, **options)
            self.output = L.Linear(config.n_units, 1)

    def logits(self, words, lengths):
        """Return a logit for each review, ``(B,)``."""
        x = dropout(self.embed(words), self._dropout)
        h = last_valid_step(self.rnn(x, lengths), lengths)
        return linear(self.output, h)[:, 0]
