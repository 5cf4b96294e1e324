import dataclasses

import chainer
import numpy
import pytest

from experiments.imdb.batches import pad
from experiments.imdb.model import CONFIGS
from experiments.imdb.model import SentimentClassifier
from experiments.imdb.model import TINY
from experiments.imdb.train import setup_optimizer


CPU = chainer.get_device('@numpy')
LENGTHS = 1, 2, 3, 9, 16, 23
WORDS = ['<unk>'] + ['word{}'.format(i) for i in range(1, 20)]
KINDS = [{'layer': 'qrnn'}, {'layer': 'lstm'},
         {'layer': 'qrnn', 'kernel_size': 4}]


@pytest.fixture(params=KINDS)
def model(request):
    numpy.random.seed(0)
    model = SentimentClassifier(
        dataclasses.replace(TINY, **request.param), WORDS)
    for param in model.params():  # biases start at 0, which hides much
        param.array += .2 * numpy.random.randn(*param.shape)
    return model


@pytest.fixture
def reviews():
    random = numpy.random.RandomState(0)
    return [(random.randint(0, 19, n).astype('i'), n % 2) for n in LENGTHS]


def score(model, words, lengths):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return model.score(words, lengths).array


class TestBatch(object):

    def test_company_does_not_matter(self, model, reviews):
        words, lengths, _ = pad(reviews, CPU)
        together = score(model, words, lengths)
        assert abs(together).max() > .01
        # A product of matrices may round otherwise when they have more rows.
        for i, review in enumerate(reviews):
            for others in [], reviews[:1], reviews[-2:]:
                each = score(model, *pad([review] + others, CPU)[:2])[0]
                assert abs(each - together[i]) < 1e-6
        numpy.testing.assert_allclose(
            score(model, words[::-1], lengths[::-1])[::-1], together,
            atol=1e-6)

    def test_length_of_the_padding_does_not_matter(self, model, reviews):
        words, lengths, _ = pad(reviews, CPU)
        longer = numpy.pad(words, ((0, 0), (0, 50)), constant_values=-1)
        numpy.testing.assert_allclose(
            score(model, longer, lengths), score(model, words, lengths),
            atol=1e-6)

    def test_values_of_the_padding_do_not_matter(self, model, reviews):
        words, lengths, _ = pad(reviews, CPU)
        before = score(model, words, lengths)
        model.embed.W.array[19] = numpy.nan
        words[words < 0] = 19
        assert (score(model, words, lengths) == before).all()

    def test_order_matters(self, model, reviews):
        words, lengths, _ = pad(reviews[-1:], CPU)
        assert score(model, words, lengths) != score(
            model, words[:, ::-1], lengths)

    def test_empty_review(self, model, reviews):
        empty = numpy.array([], 'i'), 1
        for others in [], reviews:
            words, lengths, _ = pad([empty] + others, CPU)
            assert score(model, words, lengths)[0] == model.output.b.array[0]

    @pytest.mark.parametrize('kind', KINDS)
    def test_gradient_is_that_of_the_reviews_alone(self, kind, reviews):
        model = SentimentClassifier(
            dataclasses.replace(TINY, dropout=0., **kind), WORDS)
        model.cleargrads()
        model(*pad(reviews, CPU)).backward()
        together = {name: param.grad for name, param in model.namedparams()}
        model.cleargrads()
        for review in reviews:
            (model(*pad([review], CPU)) / len(reviews)).backward()
        for name, param in model.namedparams():
            numpy.testing.assert_allclose(
                param.grad, together[name], atol=1e-6)


def test_reported(model, reviews):
    reviews = reviews[:5]  # an odd number: half of them cannot be right
    words, lengths, labels = pad(reviews, CPU)
    reporter = chainer.Reporter()
    reporter.add_observer('model', model)
    with reporter, chainer.using_config('train', False):
        loss = model(words, lengths, labels)
    s = score(model, words, lengths).astype('d')
    p = 1 / (1 + numpy.exp(-s))
    expected = -numpy.log(numpy.where(labels == 1, p, 1 - p)).mean()
    numpy.testing.assert_allclose(loss.array, expected, rtol=1e-5)
    for name, value in (('loss', expected),
                        ('accuracy', ((s >= 0) == labels).mean())):
        mean, n = reporter.observation['model/' + name]
        assert n == len(reviews)
        numpy.testing.assert_allclose(mean, value, rtol=1e-5)


def test_dropout_in_training_only(reviews):
    # Of the embedding, where there is no other layer to drop between
    model = SentimentClassifier(
        dataclasses.replace(TINY, n_layers=1, dropout=.5), WORDS)
    words, lengths, _ = pad(reviews, CPU)
    assert (score(model, words, lengths) == score(
        model, words, lengths)).all()
    with chainer.using_config('train', True):
        assert (model.score(words, lengths).array
                != model.score(words, lengths).array).any()
    # And between layers
    model = SentimentClassifier(dataclasses.replace(TINY, dropout=.5), WORDS)
    assert model.rnn.dropout == .5


def test_paper_settings():
    """Section 4.1 and Table 1."""
    config = CONFIGS['qrnn']
    assert (config.n_layers, config.n_units, config.embed_size) == (
        4, 256, 300)
    assert (config.dropout, config.l2, config.batch_size) == (.3, 4e-6, 24)
    assert (config.lr, config.alpha, config.eps) == (.001, .9, 1e-8)
    assert dataclasses.replace(config, kernel_size=4) == CONFIGS['qrnn-k4']
    assert dataclasses.replace(config, layer='lstm') == CONFIGS['lstm']


@pytest.mark.parametrize('name', sorted(set(CONFIGS) - {'pqrnn'}))
def test_number_of_parameters(name):
    """Each layer reads the words and all layers below it."""
    config = CONFIGS[name]
    model = SentimentClassifier(config, WORDS[:3])
    m = config.n_units
    sizes = [config.embed_size + i * m for i in range(config.n_layers)]
    if config.layer == 'qrnn':
        layers = sum(config.kernel_size * n * 3 * m + 3 * m for n in sizes)
    else:
        layers = sum((n + m) * 4 * m + 4 * m for n in sizes)
    assert model.count_params() == 3 * config.embed_size + layers + m + 1


def test_vectors():
    vectors = numpy.random.randn(20, 8).astype('f')
    model = SentimentClassifier(TINY, WORDS, vectors)
    assert (model.embed.W.array == vectors).all()


@pytest.mark.parametrize('kind', KINDS)
def test_learns(kind, reviews):
    numpy.random.seed(0)
    config = dataclasses.replace(TINY, dropout=0., lr=.01, **kind)
    model = SentimentClassifier(config, WORDS)
    optimizer = setup_optimizer(model, config)
    batch = pad(reviews[:4], CPU)
    losses = []
    for _ in range(20):
        optimizer.update(model, *batch)
        losses.append(float(model(*batch).array))
    assert losses[-1] < .1 * losses[0]


@pytest.mark.parametrize('l2_embedding', [False, True])
def test_optimizer(l2_embedding):
    """RMSprop with the settings; the decay spares the embedding, or not."""
    config = dataclasses.replace(
        TINY, lr=.02, alpha=.8, eps=1e-3, l2=.1, l2_embedding=l2_embedding)
    model = SentimentClassifier(config, WORDS)
    optimizer = setup_optimizer(model, config)
    assert isinstance(optimizer, chainer.optimizers.RMSprop)
    assert (optimizer.lr, optimizer.alpha, optimizer.eps) == (.02, .8, 1e-3)
    before = {name: param.array.copy() for name, param in model.namedparams()}
    for param in model.params():
        param.grad = numpy.zeros_like(param.array)
    optimizer.update()
    for name, param in model.namedparams():
        decays = l2_embedding or name != '/embed/W'
        g = .1 * before[name] * decays
        expected = before[name] - .02 * g / (
            numpy.sqrt(.2 * numpy.square(g)) + 1e-3)
        numpy.testing.assert_allclose(
            param.array, expected, rtol=1e-5, atol=1e-7)
