import dataclasses

import chainer
import numpy
import pytest

from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.model import TINY


def test_number_of_parameters():
    """With 10,000 words, models are about as large as in Table 2: 18M, 20M."""
    for config, n_params in ('qrnn-zoneout', 17729040), ('lstm', 19368720):
        model = LanguageModel(CONFIGS[config], 100)
        n_per_word = 2 * CONFIGS[config].n_units + 1
        assert model.count_params() + 9900 * n_per_word == n_params


def test_seed_gives_the_same_model():
    models = []
    for _ in range(2):
        numpy.random.seed(0)
        models.append(LanguageModel(TINY, 20))
    for p, q in zip(*(model.params() for model in models)):
        assert numpy.array_equal(p.array, q.array)


def test_uniform_initialization():
    model = LanguageModel(dataclasses.replace(TINY, init_scale=.05), 20)
    for param in model.params():
        assert abs(param.array).max() <= .05
        assert param.array.std() > .02


@pytest.mark.parametrize('sum_over, n', [('rows', 5), ('steps', 4)])
def test_loss(sum_over, n):
    """The reported loss is a mean; the returned loss is a sum of means."""
    config = dataclasses.replace(
        TINY, dropout=0., batch_size=5, sum_over=sum_over)
    model = LanguageModel(config, 20)
    x, t = numpy.random.RandomState(0).randint(0, 20, (2, 5, 4)).astype('i')
    reporter = chainer.Reporter()
    reporter.add_observer('model', model)
    with reporter:
        loss = model(x, t)
    mean, n_words = reporter.observation['model/loss']
    assert n_words == 20
    numpy.testing.assert_allclose(loss.array, n * mean, rtol=1e-6)


def test_settings_of_the_lstm():
    config = CONFIGS['lstm']
    assert (config.sum_over, config.n_steps, config.max_norm) == (
        'steps', 35, 5)
    assert (config.n_epochs, config.n_full_lr_epochs, config.lr_decay) == (
        39, 6, 1 / 1.2)
    assert CONFIGS['qrnn'].sum_over == 'steps'


@pytest.mark.parametrize('layer', ['qrnn', 'lstm'])
def test_step_agrees_with_sequence(layer):
    config = dataclasses.replace(TINY, layer=layer)
    model = LanguageModel(config, 20)
    x = numpy.random.RandomState(0).randint(0, 20, (2, 5)).astype('i')
    with chainer.using_config('train', False):
        whole = model.output(model._read(x), n_batch_axes=2).array
        model.reset_state()
        steps = [model.step(x[:, i]).array for i in range(5)]
    numpy.testing.assert_allclose(
        numpy.stack(steps, 1), whole, rtol=1e-4, atol=1e-6)
