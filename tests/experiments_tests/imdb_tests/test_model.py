import dataclasses
import os

import chainer
import numpy
import pytest

from experiments.imdb.data import pad
from experiments.imdb.model import build
from experiments.imdb.model import Config
from experiments.imdb.model import CONFIGS
from experiments.imdb.model import load
from experiments.imdb.model import PRETRAINED
from experiments.imdb.model import TINY
from experiments.imdb.train import setup_optimizer


CPU = chainer.get_device('@numpy')
WORDS = ['<unk>'] + [f'word{i}' for i in range(1, 20)]
PQRNN = dict(layer='pqrnn', n_features=16, kernel_size=3, embed_size=5)
REVIEWS = [(numpy.random.RandomState(n).randint(0, 19, n).astype('i'), n % 2)
           for n in (1, 2, 3, 9, 16, 23)]
KINDS = [dict(layer='qrnn'), dict(layer='lstm'),
         dict(layer='qrnn', kernel_size=4), PQRNN]


def make(**settings):
    numpy.random.seed(0)
    model = build(dataclasses.replace(TINY, **settings), WORDS)
    for param in model.params():  # zero biases would hide errors
        param.array += .2 * numpy.random.randn(*param.shape)
    if settings.get('layer') == 'pqrnn':
        # A call in training mode updates the batch normalization statistics.
        with chainer.using_config('train', True):
            model(*pad(REVIEWS, CPU))
    return model


@pytest.fixture(params=KINDS)
def model(request):
    return make(**request.param)


@pytest.fixture(params=KINDS[:3])
def sequential(request):
    return make(**request.param)


def logits(model, words, lengths):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return model.logits(words, lengths).array


class TestBatch:

    def test_other_reviews_do_not_matter(self, model):
        together = logits(model, *pad(REVIEWS, CPU)[:2])
        assert abs(together).max() > .01
        # The rounding of matrix products may depend on the number of rows.
        for i, review in enumerate(REVIEWS):
            for others in [], REVIEWS[:1], REVIEWS[-2:], [([], 1)]:
                logit = logits(model, *pad([review] + others, CPU)[:2])[0]
                assert abs(logit - together[i]) < 1e-6

    def test_values_of_the_padding_do_not_matter(self, sequential):
        words, lengths, _ = pad(REVIEWS, CPU)
        expected = logits(sequential, words, lengths)
        sequential.embed.W.array[19] = numpy.nan
        words[words < 0] = 19
        assert (logits(sequential, words, lengths) == expected).all()

    def test_order_matters(self, model):
        words, lengths, _ = pad(REVIEWS[-1:], CPU)
        assert logits(model, words, lengths) != logits(
            model, words[:, ::-1], lengths)

    def test_empty_review(self, sequential):
        """The logit of an empty review equals the bias."""
        for others in [], REVIEWS:
            words, lengths, _ = pad([([], 1)] + others, CPU)
            assert logits(sequential, words, lengths)[0] == (
                sequential.output.b.array[0])

    @pytest.mark.parametrize('kind', KINDS[:3])
    def test_gradient_is_the_mean_of_the_reviews(self, kind):
        model = make(dropout=0., **kind)
        model.cleargrads()
        model(*pad(REVIEWS, CPU)).backward()
        together = {name: param.grad for name, param in model.namedparams()}
        model.cleargrads()
        for review in REVIEWS:
            (model(*pad([review], CPU)) / len(REVIEWS)).backward()
        for name, param in model.namedparams():
            numpy.testing.assert_allclose(
                param.grad, together[name], atol=1e-6)


def test_reported(model):
    words, lengths, labels = pad(REVIEWS[:5], CPU)
    reporter = chainer.Reporter()
    reporter.add_observer('model', model)
    with reporter, chainer.using_config('train', False):
        loss = model(words, lengths, labels)
    s = logits(model, words, lengths).astype('d')
    p = 1 / (1 + numpy.exp(-s))
    expected = -numpy.log(numpy.where(labels == 1, p, 1 - p)).mean()
    numpy.testing.assert_allclose(loss.array, expected, rtol=1e-5)
    for name, value in (('loss', expected),
                        ('accuracy', ((s >= 0) == labels).mean())):
        mean, n = reporter.observation['model/' + name]
        assert n == 5
        numpy.testing.assert_allclose(mean, value, rtol=1e-5)


def test_dropout_in_training_only():
    # With a single layer, dropout is applied only to the embeddings.
    model = make(n_layers=1, dropout=.5)
    words, lengths, _ = pad(REVIEWS, CPU)
    assert (logits(model, words, lengths)
            == logits(model, words, lengths)).all()
    with chainer.using_config('train', True):
        assert (model.logits(words, lengths).array
                != model.logits(words, lengths).array).any()
    # With several layers, dropout is also applied between layers.
    assert make(dropout=.5).rnn.dropout == .5


class TestConfigs:

    def test_paper(self):
        """The settings equal the settings in Section 4.1 and Table 1."""
        config = CONFIGS['qrnn']
        assert (config.n_layers, config.n_units, config.embed_size) == (
            4, 256, 300)
        assert (config.dropout, config.l2, config.batch_size) == (
            .3, 4e-6, 24)
        assert (config.lr, config.alpha, config.eps) == (.001, .9, 1e-8)
        assert dataclasses.replace(config, kernel_size=4) == (
            CONFIGS['qrnn-k4'])
        assert dataclasses.replace(config, layer='lstm') == CONFIGS['lstm']

    def test_pqrnn(self):
        """The model has 1.2 million parameters and no embedding."""
        model = build(CONFIGS['pqrnn'], WORDS)
        assert model.count_params() == 512 * 128 + 2 * 128 + sum(
            2 * (3 * size * 3 * 112 + 3 * 112) for size in (128, 224, 224)
        ) + 224 + 224 + 1
        for i, layer in enumerate(model.rnn):
            for direction in layer.children():
                assert direction.zoneout == pytest.approx(.01 ** (i + 1))


def test_pqrnn_excludes_padding_from_the_norm():
    model = make(**PQRNN)
    words = [1, 2, 3], [4] * 50
    averages = []
    with chainer.using_config('train', True):
        for examples in [(review, 1) for review in words], [
                (sum(words, []), 1)]:
            model.norm.avg_mean[...] = 0
            model(*pad(examples, CPU))
            averages.append(model.norm.avg_mean.copy())
    numpy.testing.assert_allclose(*averages, rtol=1e-5)


@pytest.mark.parametrize('kind', KINDS)
def test_learns(kind):
    config = dataclasses.replace(TINY, dropout=0., lr=.01, **kind)
    numpy.random.seed(0)
    model = build(config, WORDS)
    optimizer = setup_optimizer(model, config)
    batch = pad(REVIEWS[:4], CPU)
    losses = []
    for _ in range(20):
        optimizer.update(model, *batch)
        losses.append(float(model(*batch).array))
    assert losses[-1] < .2 * losses[0]


@pytest.mark.parametrize('l2_embedding', [False, True])
def test_optimizer(l2_embedding):
    """RMSprop uses all options; embeddings decay only with l2_embedding."""
    config = dataclasses.replace(
        TINY, lr=.02, alpha=.8, eps=1e-3, l2=.1, l2_embedding=l2_embedding)
    model = build(config, WORDS)
    optimizer = setup_optimizer(model, config)
    initial = {
        name: param.array.copy() for name, param in model.namedparams()}
    for param in model.params():
        param.grad = numpy.zeros_like(param.array)
    optimizer.update()
    for name, param in model.namedparams():
        decays = l2_embedding or name != '/embed/W'
        g = .1 * initial[name] * decays
        expected = initial[name] - .02 * g / (
            numpy.sqrt(.2 * numpy.square(g)) + 1e-3)
        numpy.testing.assert_allclose(
            param.array, expected, rtol=1e-5, atol=1e-7)


def test_trained_model_of_the_project():
    """Weights are stored in float16 in less than 3 MB, and load as float32."""
    path = os.path.join(PRETRAINED, 'model.npz')
    assert os.path.getsize(path) < 3e6
    with numpy.load(path) as arrays:
        assert {array.dtype for array in arrays.values()} == {numpy.dtype('e')}
    model, description = load(PRETRAINED)
    assert {param.dtype for param in model.params()} == {numpy.dtype('f')}
    assert Config(**description['settings']) == CONFIGS['compact']
