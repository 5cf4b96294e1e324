import chainer
import numpy
import pytest

from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import Translator
from experiments.iwslt.score import convert


PAIRS = [('abba', 'xy'), ('b', 'yyyxy'), ('babbababb', 'x')]


def batch(examples):
    return convert(examples, chainer.get_device('@numpy'))


layers = pytest.mark.parametrize('layer', ['qrnn', 'lstm'])


def example(characters, german, english):
    target = characters.target(english)
    return (characters.source(german), target, len(german),
            int((target >= 0).sum()))


def examples(characters):
    return [example(characters, *pair) for pair in PAIRS]


def loss_and_grads(model, arrays):
    model.cleargrads()
    loss = model(*arrays)
    loss.backward()
    return float(loss.array), {
        name: param.grad.copy() for name, param in model.namedparams()}


def steps(model, source, target):
    """Return the log-probability of each target character, from step()."""
    values = []
    with chainer.using_config('train', False):
        model.encode(source[None], [len(source)])
        for previous, following in zip([0, *target[:-1]], target):
            log_p = model.step(numpy.array([previous], 'i')).array[0]
            assert numpy.exp(log_p).sum() == pytest.approx(1, rel=1e-5)
            values.append(log_p[following])
    return numpy.array(values)


@layers
def test_padding_changes_nothing(random_model, layer):
    """Loss and gradients of a batch are means over its target characters."""
    model, characters = random_model('abxy', layer)
    pairs = examples(characters)
    loss, grads = loss_and_grads(model, batch(pairs))
    sizes = [n_target for _, _, _, n_target in pairs]
    single = [loss_and_grads(model, batch([pair])) for pair in pairs]
    assert loss == pytest.approx(
        numpy.average([each for each, _ in single], weights=sizes), rel=1e-6)
    for name, grad in grads.items():
        expected = sum(
            n * each[name] for n, (_, each) in zip(sizes, single)) / sum(sizes)
        numpy.testing.assert_allclose(
            grad, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@layers
@pytest.mark.parametrize('english', ['xy', 'x%y'])
def test_loss_agrees_with_steps(random_model, layer, english):
    """The loss excludes unknown characters of the target."""
    model, characters = random_model('abxy', layer)
    source, target, n_source, n_target = example(characters, 'ab', english)
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', model)
    with chainer.using_config('train', False), reporter.scope(observation):
        loss = model(*batch([(source, target, n_source, n_target)]))
    # The loss is the mean over 3 known characters.
    assert observation['main/loss'] == (loss.array, 3)
    assert float(loss.array) == pytest.approx(
        -steps(model, source, target)[target >= 0].mean(), rel=1e-5)


@layers
def test_initial_cells_of_the_decoder(random_model, layer):
    """Unlike LSTM decoders, QRNN decoders start from cells that are zero."""
    model, characters = random_model('abxy', layer)
    source = characters.source('abba')[None]
    model.encode(source, [4])
    model.encoder(model.embed(source))
    for each, state in zip(model.decoder, model.encoder.state):
        if layer == 'lstm':
            assert (each.encoder.last_c.array == state.c.array).all()
            assert (each.encoder.last_h.array == state.h.array).all()
        else:
            assert each.encoder.last_c is None


@layers
def test_unknown_characters_embed_as_zeros(random_model, layer):
    model, characters = random_model('abxy', layer)
    with chainer.using_config('train', False):
        def loss(german):
            return float(model(*batch(
                [example(characters, german, 'x')])).array)

        assert loss('%b%') != loss('aba')
        model.embed.W.array[characters.source('a')[0]] = 0
        assert loss('%b%') == loss('aba')


def test_only_the_encoder_looks_ahead(random_model):
    model, _ = random_model('abxy', kernel_sizes=(6, 2, 2))
    assert [layer.lookahead for layer in model.encoder] == [3, 1, 1]
    assert [layer.lookahead for layer in model.decoder] == [0, 0, 0]


def test_dropout(random_model):
    model, characters = random_model('abxy', dropout=.5)
    arrays = batch(examples(characters))
    assert model(*arrays).array != model(*arrays).array


def test_size_of_the_papers_model():
    model = Translator(CONFIGS['qrnn'], 188)
    # Terms: embedding; weights of both stacks, where k = 6 in the encoder's
    # first layer and 2 otherwise; biases; V; attention; softmax
    assert model.count_params() == (
        188 * 320 + (6 + 3 * 2 + 4 * 2) * 320 * 960 + 8 * 960
        + 4 * 320 * 960 + 640 * 320 + 320 + 321 * 188)
