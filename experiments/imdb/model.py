"""The sentiment classifiers and their configurations, the rows of Table 1."""
import dataclasses

import chainer
import chainer.functions as F
import chainer.links as L
import numpy

from experiments.common import best_model
from experiments.common.precision import linear
from experiments.imdb.data import number_of
from experiments.imdb.data import PAD
from experiments.imdb.projection import Projection
from qrnn import attention_sum
from qrnn import BiQRNNLayer
from qrnn import LSTMStack
from qrnn import QRNNStack
from qrnn.functions import dropout
from qrnn.functions.halves import cast


@dataclasses.dataclass(frozen=True)
class Config:

    """Settings of a classifier and of its training.

    The defaults are the paper's, where it gives them.
    """

    layer: str = 'qrnn'  # kind of layer, 'qrnn', 'lstm' or 'pqrnn'
    n_layers: int = 4  # densely connected recurrent layers
    n_units: int = 256  # size of each layer (pqrnn: and direction)
    kernel_size: int = 2  # filter width of the convolution (qrnn)
    zoneout: float = 0.0  # probability that a channel keeps its state (qrnn)
    dropout: float = 0.3  # after the embedding and between layers
    embed_size: int = 300  # of the word vectors; --glove has its own
    min_count: int = 2  # rarer words are read as <unk>; not in the paper
    n_features: int = 0  # ternary features of a word's hash (pqrnn)
    distortion: float = 0.0  # probability of a misspelling (pqrnn)

    batch_size: int = 24  # reviews
    n_epochs: int = 5  # unless --epoch says otherwise; not in the paper
    lr: float = 0.001  # of RMSprop
    alpha: float = 0.9  # its decay rate
    eps: float = 1e-8  # added to its root
    l2: float = 4e-6  # weight decay
    # Whether the word vectors decay, too, as in the paper; see train.py.
    l2_embedding: bool = False


CONFIGS = {
    # Table 1: densely connected QRNN
    'qrnn': Config(),
    # Table 1: densely connected QRNN, k = 4
    'qrnn-k4': Config(kernel_size=4),
    # Table 1: densely connected LSTM
    'lstm': Config(layer='lstm'),
    # Not in the paper: hashes in place of word vectors, 1.2M parameters. The
    # bottleneck has embed_size; zoneout falls with depth.
    'pqrnn': Config(
        layer='pqrnn', n_layers=3, n_units=112, kernel_size=3, zoneout=0.01,
        dropout=0.0, embed_size=128, min_count=0, n_features=512,
        distortion=0.25, l2=1e-5),
    # For the embedded sample: a minute on a laptop
    'small': Config(n_layers=2, n_units=64, dropout=0.1, embed_size=32,
                    min_count=1, n_epochs=6, lr=0.003),
}

# What --test trains: nothing worth keeping, within seconds
TINY = Config(n_layers=2, n_units=8, embed_size=8, min_count=1, batch_size=4,
              n_epochs=2)


def load(folder):
    """Load the best model of a training run.

    Args:
        folder (str): Output folder of ``experiments.imdb.train``.

    Returns:
        tuple: A :class:`Classifier` on the CPU, and the content of
        ``model.json``, a dict, with the vocabulary as ``'words'``.

    Raises:
        Problem: If there is none, or its files are damaged.

    """
    return best_model.load(folder, 'imdb', lambda description: build(
        Config(**description['settings']), description['words']))


def build(config, words, vectors=None):
    """Return a new model.

    Args:
        config (Config): Its configuration.
        words (list of str): The vocabulary.
        vectors (numpy.ndarray): Initial word vectors, or ``None``.

    Returns:
        Classifier: A :class:`SentimentClassifier` or a :class:`PQRNN`.

    """
    if config.layer == 'pqrnn':
        return PQRNN(config, words)
    return SentimentClassifier(config, words, vectors)


class Classifier(chainer.Chain):

    """Base class: tells whether a review is positive.

    A subclass defines ``logits(words, lengths)``, ``(B,)``, above 0 if a
    review is, and ``number(word)``, the number of a word.
    """

    def forward(self, words, lengths, labels):
        """Return the mean loss of a batch; report ``loss`` and ``accuracy``.

        Args:
            words (:ref:`ndarray`): int32 words of shape ``(B, T)``, padded
                with -1.
            lengths (:ref:`ndarray`): Words of each review, ``(B,)``.
            labels (:ref:`ndarray`): int32 labels, 0 or 1, ``(B,)``.

        Returns:
            ~chainer.Variable: The mean cross entropy.

        """
        logits = self.logits(words, lengths)
        loss = F.sigmoid_cross_entropy(logits, labels)
        hits = (logits.array >= 0) == (labels == 1)
        chainer.report({
            'loss': (loss.array, len(labels)),
            'accuracy': (hits.mean(), len(labels))}, self)
        return loss


class SentimentClassifier(Classifier):

    """Classifier of densely connected layers over word vectors.

    It decides by the last layer's output at the last word.

    Args:
        config (Config): Sizes and regularisation.
        words (list of str): The vocabulary, ``V`` words, the first of which
            stands for all others.
        vectors (numpy.ndarray): Initial word vectors, float32 of
            ``(V, embed_size)``. By default they are drawn.

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
        h = self.rnn(x, lengths)
        last = self.xp.asarray(lengths) - 1
        # Without a word it is the padding's output, 0.
        h = h[self.xp.arange(len(h)), last]
        return linear(self.output, h)[:, 0]


class PQRNN(Classifier):

    """Classifier without an embedding table: pQRNN.

    Ternary features of the words go through a bottleneck with batch
    normalisation, bidirectional layers whose zoneout falls with depth, and
    attention over all words.

    Args:
        config (Config): Sizes and regularisation.
        words (list of str): Words by number. There are no unknown ones: asked
            for their number, others are added.

    """

    def __init__(self, config, words):
        super().__init__()
        size = config.n_units
        self._dropout = config.dropout
        with self.init_scope():
            self.project = Projection(
                words, config.n_features, config.distortion)
            self.bottleneck = L.Linear(
                config.n_features, config.embed_size, nobias=True)
            self.norm = L.BatchNormalization(config.embed_size)
            self.rnn = chainer.ChainList(*(
                BiQRNNLayer(2 * size if i else config.embed_size, size,
                            config.kernel_size,
                            zoneout=config.zoneout ** (i + 1))
                for i in range(config.n_layers)))
            self.query = chainer.Parameter(
                chainer.initializers.LeCunNormal(), (1, 2 * size))
            self.output = L.Linear(2 * size, 1)

    def number(self, word):
        """Return the number of a word."""
        return self.project.number(word)

    def logits(self, words, lengths):
        """Return a logit for each review, ``(B,)``."""
        words = chainer.backends.cuda.to_cpu(words)
        B, T = words.shape
        # Batch normalisation must not see the padding.
        x = linear(self.bottleneck, self.project(words[words >= 0]))
        x = cast(F.relu(self.norm(x)), self.bottleneck.W.dtype)
        ends = numpy.cumsum(lengths)[:-1]
        h = F.pad_sequence(F.split_axis(x, ends, axis=0), length=T)
        for layer in self.rnn:
            h = layer(dropout(h, self._dropout), lengths)
        query = F.broadcast_to(self.query, (B, 1, h.shape[2]))
        context = attention_sum(h, query, lengths)[:, 0]
        return linear(self.output, context)[:, 0]
