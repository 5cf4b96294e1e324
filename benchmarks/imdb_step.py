"""Training of the sentiment model, compared with its matrix products."""
import functools

import chainer
from chainer.optimizers.rmsprop import RMSpropRule
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from benchmarks.step import check_learning
from benchmarks.step import step
from experiments.imdb.model import CONFIGS
from experiments.imdb.model import SentimentClassifier
from experiments.imdb.rmsprop import RowwiseRMSpropRule
from experiments.imdb.train import setup_optimizer


@benchmark('imdb-step')
def imdb_step(device, config=CONFIGS['qrnn'], n_words=58175, length=268):
    """Training iteration (24 reviews of 268 words) and its matrix products.

    ``n_words`` is the size of the vocabulary of IMDb, and ``length`` is the
    mean length of a review.
    """
    model, optimizer, batch = _training(config, device, n_words, length)

    def loss():
        return model(*batch)

    rows = config.batch_size * length
    sizes = [config.embed_size + i * config.n_units
             for i in range(config.n_layers)]
    yield step(
        {'what': 'iteration', 'config': 'qrnn', 'B': config.batch_size,
         'T': length}, optimizer, loss,
        [(rows, config.kernel_size * n, 3 * config.n_units) for n in sizes],
        lambda iteration: check_learning(
            lambda: float(loss().array), iteration, numpy.log(2)), device)

    rules = {'rows with a gradient': RowwiseRMSpropRule(),
             'all rows': RMSpropRule()}
    params = [_embedding((n_words, config.embed_size), batch[0], device)
              for _ in rules]
    yield Comparison(
        {'what': 'update of the embedding', 'words': n_words,
         'size': config.embed_size},
        {name: functools.partial(rule.update, param)
         for (name, rule), param in zip(rules.items(), params)},
        lambda: _check_updates(rules.values(), params))


def _training(config, device, n_words, length):
    """Return the model, the optimizer and a batch."""
    numpy.random.seed(0)
    model = SentimentClassifier(config, list(map(str, range(n_words))))
    model.to_device(device)
    optimizer = setup_optimizer(model, config)
    # Zipf's law: a word's frequency is inversely proportional to its rank.
    frequencies = 1 / numpy.arange(1, n_words + 1)
    words = numpy.random.choice(
        n_words, (config.batch_size, length),
        p=frequencies / frequencies.sum())
    lengths = numpy.full(config.batch_size, length, 'i')
    labels = numpy.random.randint(0, 2, config.batch_size).astype('i')
    return model, optimizer, (
        device.send(words.astype('i')), lengths, device.send(labels))


def _embedding(shape, words, device):
    """Return an embedding whose gradient is nonzero for the given words."""
    param = chainer.Parameter(numpy.zeros(shape, 'f'))
    param.to_device(device)
    param.grad = device.xp.zeros(shape, 'f')
    param.grad[words.ravel()] = 1e-3
    return param


def _check_updates(rules, params):
    """Check that RowwiseRMSpropRule and RMSpropRule give equal results."""
    for _ in range(3):
        for rule, param in zip(rules, params):
            rule.update(param)
    rowwise, full = (chainer.backends.cuda.to_cpu(p.array) for p in params)
    numpy.testing.assert_allclose(rowwise, full, rtol=1e-5)
