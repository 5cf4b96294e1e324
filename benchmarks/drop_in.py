"""Models with Chainer's LSTMs, compared with the same models with QRNNs."""
import functools

import chainer
import chainer.functions as F
import chainer.links as L
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from experiments.ptb import grammar
from experiments.ptb.data import Corpus
from experiments.ptb.stream import StreamIterator
import qrnn


@benchmark('drop-in')
def drop_in(device, size=256, n_checked=900):
    """Training of four models, with Chainer's LSTMs and with QRNNs.

    The check trains smaller models for ``n_checked`` iterations.
    """
    for task in TASKS:
        trainers = {name: Training(task, name, device, size)
                    for name in (task.qrnn, task.lstm)}
        yield Comparison(
            {'model': task.__name__, 'units': size},
            {name: trainer.iterate for name, trainer in trainers.items()},
            lambda: _check(task, device, n_checked))


class Training:
    """Model of a task, with its data and its optimizer.

    Args:
        task (type): Class of the task, a subclass of :class:`Task`.
        name (str): Name of the recurrent link.
        device (chainer.backend.Device): Device to train on.
        size (int): Number of units.
        batch_size (int): Number of sequences.

    """

    def __init__(self, task, name, device, size=32, batch_size=32):
        numpy.random.seed(0)
        rnn = getattr(qrnn if name == task.qrnn else L, name)
        self.model = task(rnn, size)
        self.model.to_device(device)
        self._device = device
        self._batches = task.batches(batch_size)
        self._optimizer = chainer.optimizers.Adam(.005).setup(self.model)
        self._optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(5))

    def iterate(self):
        """Run an iteration, and return the loss before the update."""
        batch = [self._device.send(part) for part in next(self._batches)]
        self._optimizer.update(self._loss, *batch)
        self.loss.unchain_backward()
        return float(self.loss.array)

    def _loss(self, *batch):
        self.loss = self.model(*batch)
        return self.loss


class Task(chainer.Chain):
    """Base class of models that are trained with an LSTM and with a QRNN."""

    n_symbols = 10


class Classifier(Task):
    """Classifier that predicts which of the symbols 0 and 1 occurred last."""

    lstm, qrnn = 'NStepLSTM', 'NStepQRNN'

    def __init__(self, rnn, size):
        super().__init__()
        with self.init_scope():
            self.embed = L.EmbedID(self.n_symbols, size)
            self.rnn = rnn(2, size, size, 0.)
            self.output = L.Linear(size, 2)

    def forward(self, xs, ts):
        hy, _, _ = self.rnn(None, None, [self.embed(x) for x in xs])
        return F.softmax_cross_entropy(self.output(hy[-1]), ts)

    @classmethod
    def batches(cls, batch_size):
        random = numpy.random.RandomState(0)
        while True:
            xs = [random.randint(0, cls.n_symbols, n).astype('i')
                  for n in random.randint(5, 30, batch_size)]
            for x in xs:
                x[random.randint(len(x))] = random.randint(2)
            last = [x[x < 2][-1] for x in xs]
            yield xs, numpy.array(last, 'i')


class Tagger(Task):
    """Tagger that predicts the distances to the previous and the next 0.

    Distances are in symbols, and at most 3. Without such a 0, the distance is
    3. If the symbol itself is 0, both distances are 0.
    """

    lstm, qrnn = 'NStepBiLSTM', 'NStepBiQRNN'
    n_tags = 4

    def __init__(self, rnn, size):
        super().__init__()
        with self.init_scope():
            self.embed = L.EmbedID(self.n_symbols, size)
            self.rnn = rnn(1, size, size, 0.)
            self.output = L.Linear(2 * size, self.n_tags ** 2)

    def forward(self, xs, ts):
        _, _, ys = self.rnn(None, None, [self.embed(x) for x in xs])
        return F.softmax_cross_entropy(
            self.output(F.concat(ys, axis=0)), F.concat(ts, axis=0))

    @classmethod
    def batches(cls, batch_size):
        random = numpy.random.RandomState(0)
        while True:
            xs = [random.randint(0, cls.n_symbols, n).astype('i')
                  for n in random.randint(5, 30, batch_size)]
            yield xs, [cls._distance(x) * cls.n_tags
                       + cls._distance(x[::-1])[::-1] for x in xs]

    @classmethod
    def _distance(cls, x):
        distance, n = [], cls.n_tags - 1
        for symbol in x:
            n = 0 if symbol == 0 else min(n + 1, cls.n_tags - 1)
            distance.append(n)
        return numpy.array(distance, 'i')


class EncoderDecoder(Task):
    """Encoder-decoder that reverses its source.

    The symbol 0 is the first input of the decoder. It also ends each target.
    """

    lstm, qrnn = 'NStepLSTM', 'NStepQRNN'

    def __init__(self, rnn, size):
        super().__init__()
        with self.init_scope():
            self.embed = L.EmbedID(self.n_symbols, size)
            self.encoder = rnn(2, size, size, 0.)
            self.decoder = rnn(2, size, size, 0.)
            self.output = L.Linear(size, self.n_symbols)

    def forward(self, xs, ts):
        hx, cx, _ = self.encoder(None, None, [self.embed(x) for x in xs])
        begin = self.xp.zeros(1, 'i')
        _, _, ys = self.decoder(hx, cx, [
            self.embed(F.concat((begin, t[:-1]), axis=0)) for t in ts])
        return F.softmax_cross_entropy(
            self.output(F.concat(ys, axis=0)), F.concat(ts, axis=0))

    @classmethod
    def batches(cls, batch_size):
        random = numpy.random.RandomState(0)
        while True:
            xs = [random.randint(1, cls.n_symbols, n).astype('i')
                  for n in random.randint(1, 4, batch_size)]
            yield xs, [numpy.append(x[::-1], 0).astype('i') for x in xs]


class LanguageModel(Task):
    """Language model, trained with truncated backpropagation."""

    lstm, qrnn = 'LSTM', 'QRNN'
    n_steps = 20

    def __init__(self, rnn, size):
        super().__init__()
        n_words = len(_text().vocabulary)
        with self.init_scope():
            self.embed = L.EmbedID(n_words, size)
            self.rnn = rnn(size, size)
            self.output = L.Linear(size, n_words)

    def forward(self, x, t):
        loss = 0
        for step in range(x.shape[1]):
            h = self.rnn(self.embed(x[:, step]))
            loss += F.softmax_cross_entropy(self.output(h), t[:, step])
        return loss / x.shape[1]

    @classmethod
    def batches(cls, batch_size):
        return StreamIterator(
            _text().train, batch_size, cls.n_steps, _text().eos)


@functools.lru_cache(maxsize=None)
def _text():
    return Corpus('sample', grammar.sample(1000, 1, 1))


TASKS = Classifier, Tagger, EncoderDecoder, LanguageModel


def final_loss(task, name, device, n_iterations):
    """Train a small model, and return the mean loss of the last iterations.

    The mean is over the last tenth of the iterations.
    """
    trainer = Training(task, name, device)
    losses = [trainer.iterate() for _ in range(n_iterations)]
    return float(numpy.mean(losses[-(n_iterations // 10):]))


def _check(task, device, n_iterations):
    """Check that the QRNN learns the task as well as the LSTM."""
    qrnn_loss, lstm_loss = (
        final_loss(task, name, device, n_iterations)
        for name in (task.qrnn, task.lstm))
    assert qrnn_loss < 1.1 * lstm_loss + .02, (qrnn_loss, lstm_loss)
