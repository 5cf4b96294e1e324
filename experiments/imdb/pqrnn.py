"""A classifier without an embedding table: pQRNN."""
import chainer
import chainer.functions as F
import chainer.links as L
import numpy

from experiments.common.precision import linear
from experiments.imdb.classifier import Classifier
from experiments.imdb.projection import Projection
from qrnn import attention_sum
from qrnn import BiQRNNLayer
from qrnn.functions import dropout


class PQRNN(Classifier):

    """Tells from hashes of its words whether a review is positive.

    Ternary features of the words go through a bottleneck with batch
    normalisation, layers in both directions whose zoneout falls with depth,
    and attention over all words to a single vector.

    Args:
        config (Config): Sizes and regularisation.
        words (list of str): Words by number. There are no unknown ones: asked
            for their number, others are added.

    """

    def __init__(self, config, words):
        super(PQRNN, self).__init__()
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
        """Number of a word."""
        return self.project.number(word)

    def score(self, words, lengths):
        """Logarithm of the odds that a review is positive, ``(B,)``.

        Args:
            words (:ref:`ndarray`): int32 words of shape ``(B, T)``, padded
                with -1.
            lengths (:ref:`ndarray`): Words of each review, ``(B,)``.

        """
        words = chainer.backends.cuda.to_cpu(words)
        B, T = words.shape
        # Batch normalisation must not see the padding.
        x = linear(self.bottleneck, self.project(words[words >= 0]))
        x = F.cast(F.relu(self.norm(x)), self.bottleneck.W.dtype)
        ends = numpy.cumsum(lengths)[:-1]
        h = F.pad_sequence(F.split_axis(x, ends, axis=0), length=T)
        for layer in self.rnn:
            h = layer(dropout(h, self._dropout), lengths)
        query = F.broadcast_to(self.query, (B, 1, h.shape[2]))
        last = attention_sum(h, query, lengths)[:, 0]
        return linear(self.output, last)[:, 0]
