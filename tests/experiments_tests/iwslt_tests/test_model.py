import json
import os
import shutil

import chainer
import numpy
import pytest

from experiments.common.errors import Problem
from experiments.iwslt import model as model_module
from experiments.iwslt import score
from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import Translator


PAIRS = [('abba', 'xy'), ('b', 'yyyxy'), ('babbababb', 'x')]


layers = pytest.mark.parametrize('layer', ['qrnn', 'lstm'])


def examples(characters, pairs):
    return [(characters.source(german), characters.target(english),
             len(german), len(english) + 1) for german, english in pairs]


def loss_and_grads(model, batch):
    model.cleargrads()
    loss = model(*batch)
    loss.backward()
    return float(loss.array), {
        name: param.grad.copy() for name, param in model.namedparams()}


@layers
def test_padding_changes_nothing(random_model, layer):
    """Loss and gradients of a batch are those of its sentences."""
    model, characters = random_model('abxy', layer)
    pairs = examples(characters, PAIRS)
    batch = score.batch(pairs)
    loss, grads = loss_and_grads(model, batch)
    sizes = [n_target for _, _, _, n_target in pairs]
    alone = [loss_and_grads(model, score.batch([pair])) for pair in pairs]
    assert loss == pytest.approx(
        numpy.average([each for each, _ in alone], weights=sizes), rel=1e-6)
    for name, grad in grads.items():
        expected = sum(
            n * each[name] for n, (_, each) in zip(sizes, alone)) / sum(sizes)
        numpy.testing.assert_allclose(
            grad, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@layers
def test_padding_may_hold_anything(random_model, layer):
    """To the last bit."""
    model, characters = random_model('abxy', layer)
    source, target, n_source, n_target = score.batch(
        examples(characters, PAIRS))
    loss, grads = loss_and_grads(model, (source, target, n_source, n_target))
    past = numpy.arange(source.shape[1]) >= n_source[:, None]
    source[past] = 2
    other, other_grads = loss_and_grads(
        model, (source, target, n_source, n_target))
    assert loss == other
    for name in set(grads) - {'/embed/W'}:
        assert (grads[name] == other_grads[name]).all(), name
    numpy.testing.assert_allclose(
        grads['/embed/W'], other_grads['/embed/W'], rtol=1e-5, atol=1e-7)


@layers
def test_steps_are_what_the_loss_scores(random_model, layer):
    model, characters = random_model('abxy', layer)
    (source, target, n_source, _), = examples(characters, PAIRS[:1])
    with chainer.using_config('train', False):
        model.read(source[None], [n_source])
        before, log_p = characters.eos, 0
        for character in target:
            step = model.step(numpy.array([before], 'i')).array
            assert numpy.exp(step).sum() == pytest.approx(1, rel=1e-5)
            log_p += step[0, character]
            before = character
        loss = model(*score.batch(examples(characters, PAIRS[:1])))
    assert -log_p / len(target) == pytest.approx(float(loss.array), rel=1e-5)


@layers
def test_where_the_decoder_starts(random_model, layer):
    """An LSTM goes on with the encoder's cells, a QRNN from zero."""
    model, characters = random_model('abxy', layer)
    source = characters.source('abba')[None]
    model.read(source, [4])
    model.encoder(model.embed(source))
    for layer, state in zip(model.decoder, model.encoder.state):
        if model._is_lstm:
            assert (layer.encoder.last_c.array == state.c.array).all()
            assert (layer.encoder.last_h.array == state.h.array).all()
        else:
            assert layer.encoder.last_c is None


@layers
def test_only_the_encoder_sees_both_sides(random_model, layer):
    model, characters = random_model('abxy', layer, kernel_sizes=(6, 2, 2))
    if not model._is_lstm:
        assert [each.lookahead for each in model.encoder] == [3, 1, 1]
        assert [each.lookahead for each in model.decoder] == [0, 0, 0]
        assert [each.kernel_size for each in model.decoder] == [2, 2, 2]

    # A character of the target changes nothing before it is written.
    losses = []
    for english in 'xyxyx', 'xyxxx':
        model.read(characters.source('abba')[None], [4])
        y = model._shifted(characters.target(english)[None])
        losses.append(model._write(y).array[0])
    same = (losses[0] == losses[1]).all(axis=1)
    assert same.tolist() == [True] * 4 + [False] * 2


@layers
def test_unknown_characters_are_read_as_nothing(random_model, layer):
    model, characters = random_model('abxy', layer)
    model.embed.W.array[...] += 1
    unknown, known = ([(characters.source(text), characters.target('x'),
                        len(text), 2)] for text in ('a%b', 'aab'))
    with chainer.using_config('train', False):
        assert float(model(*score.batch(unknown)).array) != float(
            model(*score.batch(known)).array)
        model.embed.W.array[characters.source('a')[0]] = 0
        unknown, known = ([(characters.source(text), characters.target('x'),
                            len(text), 2)] for text in ('%b%', 'aba'))
        assert float(model(*score.batch(unknown)).array) == float(
            model(*score.batch(known)).array)


@layers
def test_unknown_targets_are_left_out_of_the_loss(random_model, layer):
    model, characters = random_model('abxy', layer)
    example = (characters.source('ab'), characters.target('x%y'), 2, 3)
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', model)
    with chainer.using_config('train', False), reporter.scope(observation):
        loss = model(*score.batch([example]))
    assert observation['main/loss'] == (loss.array, 3)  # value and weight
    model.read(example[0][None], [2])
    log_p = chainer.functions.log_softmax(
        model._write(model._shifted(example[1][None]))[0]).array
    kept = [0, 2, 3]
    assert float(loss.array) == pytest.approx(
        -log_p[kept, example[1][kept]].mean(), rel=1e-5)


@layers
def test_attention_weights(random_model, layer):
    """They give the context that the decoder itself computes."""
    model, characters = random_model('abxy', layer)
    source, target = characters.source('abbab'), characters.target('xyx')
    with chainer.using_config('train', False):
        model.read(source[None], [5])
        weights = model.attention(target[None]).array
        encoding = model.decoder[-1].encoder.h.array
        assert weights.shape == (1, 4, 5)
        numpy.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)
        model.read(source[None], [5])
        contexts = []
        name = 'qrnn.links.encoder.attention_sum'
        with pytest.MonkeyPatch.context() as patch:
            from qrnn import attention_sum

            def recorded(*args):
                contexts.append(attention_sum(*args))
                return contexts[-1]
            patch.setattr(name, recorded)
            model._write(model._shifted(target[None]))
    numpy.testing.assert_allclose(
        weights @ encoding, contexts[0].array, rtol=1e-4, atol=1e-6)


@layers
def test_dropout(random_model, layer):
    model, characters = random_model('abxy', layer, dropout=.5)
    batch = score.batch(examples(characters, PAIRS))
    assert model(*batch).array != model(*batch).array
    with chainer.using_config('train', False):
        assert model(*batch).array == model(*batch).array


def test_configurations_of_the_paper():
    config = CONFIGS['qrnn']
    assert (config.n_units, config.kernel_sizes, config.decoder_kernel_size,
            config.dropout, config.batch_size, config.max_norm) == (
                320, (6, 2, 2, 2), 2, 0, 16, 5)
    assert (CONFIGS['lstm'].layer, CONFIGS['lstm'].dropout) == ('lstm', .2)
    model = Translator(CONFIGS['qrnn'], 188)
    # Embedding; two stacks, the first with k = 6; V; attention; softmax
    assert model.count_params() == (
        188 * 320 + (6 + 3 * 2 + 4 * 2) * 320 * 960 + 8 * 960
        + 4 * 320 * 960 + 640 * 320 + 320 + 321 * 188)


@pytest.mark.parametrize('name, contents, says', [
    ('model.json', '{"experiment": "ptb"}', 'does not describe a model of'),
    ('model.json', '{"experiment": "iwslt"}', 'model.json is damaged'),
    ('model.npz', 'PK', 'model.npz is damaged'),
])
def test_damaged_model(trained, tmp_path, name, contents, says):
    for each in 'model.json', 'model.npz':
        shutil.copy(os.path.join(trained[0], each), str(tmp_path))
    model_module.load(str(tmp_path))
    (tmp_path / name).write_text(contents)
    with pytest.raises(Problem, match=says):
        model_module.load(str(tmp_path))


def test_other_settings_than_parameters(trained, tmp_path):
    with open(os.path.join(trained[0], 'model.json')) as f:
        description = json.load(f)
    description['characters'].append('!')
    (tmp_path / 'model.json').write_text(json.dumps(description))
    shutil.copy(os.path.join(trained[0], 'model.npz'), str(tmp_path))
    with pytest.raises(Problem, match='do not fit'):
        model_module.load(str(tmp_path))
