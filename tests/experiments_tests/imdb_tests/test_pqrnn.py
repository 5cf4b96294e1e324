import dataclasses

import chainer
import numpy
import pytest

from experiments.imdb import evaluate
from experiments.imdb import predict
from experiments.imdb import train
from experiments.imdb import visualize
from experiments.imdb.batches import pad
from experiments.imdb.model import build
from experiments.imdb.model import CONFIGS


CPU = chainer.get_device('@numpy')
SMALL = dataclasses.replace(
    CONFIGS['pqrnn'], n_layers=2, n_units=6, embed_size=5, n_features=16,
    n_epochs=1)
WORDS = ['<unk>'] + ['word{}'.format(i) for i in range(19)]


@pytest.fixture
def model():
    numpy.random.seed(0)
    model = build(SMALL, WORDS)
    with chainer.using_config('train', True):  # statistics to normalise by
        model(*pad(reviews(30), CPU))
    return model


def reviews(n=6):
    random = numpy.random.RandomState(0)
    return [(random.randint(0, 20, length).astype('i'), i % 2)
            for i, length in enumerate(random.randint(1, 20, n))]


def score(model, examples):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return model.score(*pad(examples, CPU)[:2]).array


def test_parameters():
    """About 1.2 million, none of them for words."""
    n = build(CONFIGS['pqrnn'], WORDS).count_params()
    assert n == build(CONFIGS['pqrnn'], WORDS[:1]).count_params()
    assert n == 512 * 128 + 2 * 128 + sum(
        2 * (3 * size * 3 * 112 + 3 * 112) for size in (128, 224, 224)
    ) + 224 + 224 + 1
    assert n < 1.3e6


def test_zoneout_falls_with_depth():
    layers = build(CONFIGS['pqrnn'], WORDS).rnn
    for i, layer in enumerate(layers):
        for direction in layer.children():
            assert direction.zoneout == pytest.approx(.01 ** (i + 1))


def test_alone_or_with_others(model):
    together = score(model, reviews())
    for i, review in enumerate(reviews()):
        numpy.testing.assert_allclose(
            score(model, [review]), together[i:i + 1], atol=1e-6)


def test_normalises_words_and_not_the_padding(model):
    """One long review beside it changes no statistics by its padding."""
    with chainer.using_config('train', True):
        short = [(numpy.array([1, 2, 3], 'i'), 1)]
        long = [(numpy.array([4] * 50, 'i'), 1)]
        averages = []
        for examples in (short + long, [(numpy.concatenate(
                [short[0][0], long[0][0]]), 1)]):
            model.norm.avg_mean[...] = 0
            model.project.distortion = 0
            model(*pad(examples, CPU))
            averages.append(model.norm.avg_mean.copy())
    numpy.testing.assert_allclose(*averages, rtol=1e-5)


def test_empty_review_beside_others(model):
    empty = [(numpy.array([], 'i'), 0)]
    expected = score(model, reviews(2))
    numpy.testing.assert_allclose(
        score(model, empty + reviews(2))[1:], expected, atol=1e-6)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder of a short training."""
    out = str(tmp_path_factory.mktemp('pqrnn'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, 'pqrnn', SMALL)
        patch.setattr(train.data.sample, 'sample', _few)
        result = train.train(train.parse(
            ['--config', 'pqrnn', '--out', out]))
    return out, result


def _few(*sizes, sample=train.data.sample.sample):
    return sample(200, 40)


def test_commands(folder, capsys, monkeypatch, complaint):
    out, result = folder
    monkeypatch.setattr(train.data.sample, 'sample', _few)
    evaluate.main(['--model', out])
    assert 'Test accuracy: {:.2f} %'.format(
        result['test_accuracy']) in capsys.readouterr().out
    predict.main(['--model', out, 'Dull zxyq.', 'Brilliant'])
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert 'in both directions' in complaint(
        visualize.main, '--model', out, 'Dull')
    assert 'leave out --glove' in complaint(
        train.main, '--config', 'pqrnn', '--glove', 'file', '--out',
        out + '2')
