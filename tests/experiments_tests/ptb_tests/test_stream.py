import dataclasses

import chainer
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.ptb import stream
from experiments.ptb.model import LanguageModel
from experiments.ptb.model import TINY


def chunks(iterator, n):
    return [[a.tolist() for a in iterator.next()] for _ in range(n)]


def test_rows_side_by_side():
    iterator = stream.StreamIterator(numpy.arange(1, 12, dtype='i'), 2, 3)
    assert chunks(iterator, 2) == [
        [[[0, 1, 2], [5, 6, 7]], [[1, 2, 3], [6, 7, 8]]],
        [[[3, 4], [8, 9]], [[4, 5], [9, 10]]],
    ]


@pytest.mark.parametrize('n_steps', [1, 3, 11, 100])
def test_every_word_once(n_steps):
    words = numpy.arange(1, 12, dtype='i')
    inputs, targets = zip(*stream.StreamIterator(
        words, 1, n_steps, repeat=False))
    assert numpy.concatenate(targets, 1)[0].tolist() == words.tolist()
    assert numpy.concatenate(inputs, 1)[0].tolist() == list(range(11))


def test_epochs():
    iterator = stream.StreamIterator(numpy.arange(11, dtype='i'), 2, 3)
    seen = []
    for _ in range(4):
        at_start = iterator.current_position == 0
        iterator.next()
        seen.append((at_start, iterator.epoch, iterator.is_new_epoch,
                     iterator.previous_epoch_detail, iterator.epoch_detail))
    assert seen == [
        (True, 0, False, 0., .5), (False, 1, True, .5, 1.),
        (True, 1, False, 1., 1.5), (False, 2, True, 1.5, 2.)]


@pytest.mark.parametrize('n_chunks', range(5))
def test_serialize(tmp_path, n_chunks):
    words = numpy.arange(11, dtype='i')
    saved, loaded = [stream.StreamIterator(words, 2, 3) for _ in range(2)]
    chunks(saved, n_chunks)
    path = str(tmp_path / 'iterator.npz')
    chainer.serializers.save_npz(path, saved)
    chainer.serializers.load_npz(path, loaded)
    for name in 'epoch', 'is_new_epoch', 'epoch_detail', 'current_position':
        assert getattr(saved, name) == getattr(loaded, name)
    assert chunks(saved, 3) == chunks(loaded, 3)


def test_too_short():
    with pytest.raises(UserError, match='too short for 20 rows'):
        stream.StreamIterator(numpy.arange(11, dtype='i'), 20, 3)


# Settings with neither dropout nor zoneout
EXACT = dataclasses.replace(TINY, dropout=0., zoneout=0.)


@pytest.mark.parametrize('layer', ['qrnn', 'lstm'])
class TestStreamEvaluator:

    @pytest.fixture
    def model(self, layer):
        return LanguageModel(
            dataclasses.replace(EXACT, layer=layer, init_scale=.5), 20)

    def words(self, n):
        return numpy.random.RandomState(0).randint(0, 20, n).astype('i')

    def test_chunks_do_not_matter(self, model):
        losses = [stream.StreamEvaluator(
            self.words(50), model, n_steps=n_steps)()['main/loss']
            for n_steps in (1, 7, 50)]
        numpy.testing.assert_allclose(losses, losses[0], rtol=1e-6)

    def test_training_state_is_restored(self, model):
        x, t = self.words(12).reshape(2, 2, 3)
        model(x, t)
        before = [part.array.copy() for s in model.rnn.state for part in s]
        stream.StreamEvaluator(self.words(50), model)()
        after = [part.array for s in model.rnn.state for part in s]
        assert all(map(numpy.array_equal, before, after))

    def test_evaluates_without_dropout(self, model):
        model._dropout = .5
        evaluator = stream.StreamEvaluator(self.words(50), model)
        assert evaluator()['main/loss'] == evaluator()['main/loss']


@pytest.mark.parametrize('layer', ['qrnn', 'lstm'])
def test_backpropagation_is_truncated_exactly(layer):
    """Gradients of a chunk depend only on the chunk and its initial state."""
    config = dataclasses.replace(EXACT, layer=layer)
    words = numpy.random.RandomState(0).randint(0, 20, 49).astype('i')
    model = LanguageModel(config, 20)
    optimizer = chainer.optimizers.SGD(0.).setup(model)
    updater = stream.StreamUpdater(
        stream.StreamIterator(words, 4, 5), optimizer, '@numpy')
    updater.update()
    state = model.rnn.state
    updater.update()
    grads = {name: p.grad.copy() for name, p in model.namedparams()}

    chunks = stream.StreamIterator(words, 4, 5)
    chunks.next()
    x, t = chunks.next()
    model.rnn.state = [
        type(s)(*(part.array.copy() for part in s)) for s in state]
    model.cleargrads()
    model(x, t).backward()
    for name, param in model.namedparams():
        numpy.testing.assert_allclose(
            param.grad, grads[name], rtol=1e-4, atol=1e-6)


def test_state_is_reset_at_every_epoch():
    words = numpy.arange(20, dtype='i')
    model = LanguageModel(EXACT, 20)
    optimizer = chainer.optimizers.SGD(0.).setup(model)
    updater = stream.StreamUpdater(
        stream.StreamIterator(words, 4, 3), optimizer, '@numpy')
    ends = []
    for _ in range(2):
        for _ in range(2):
            updater.update()
        ends.append([p.array for s in model.rnn.state for p in s])
    assert all(map(numpy.array_equal, *ends))


@pytest.mark.parametrize('options', [
    {}, {'kernel_size': 1}, {'kernel_size': 3}, {'layer': 'lstm'}])
def test_updater_resumes_from_a_snapshot(tmp_path, options):
    words = numpy.random.RandomState(0).randint(0, 20, 49).astype('i')
    updaters = []
    for _ in range(2):
        model = LanguageModel(dataclasses.replace(EXACT, **options), 20)
        updaters.append(stream.StreamUpdater(
            stream.StreamIterator(words, 4, 5),
            chainer.optimizers.SGD(1.).setup(model), '@numpy'))
    saved, loaded = updaters
    path = str(tmp_path / 'snapshot')
    saved.update()
    chainer.serializers.save_npz(path, saved)
    chainer.serializers.load_npz(path, loaded)
    for updater in updaters:
        updater.update()
    a, b = (dict(updater.get_optimizer('main').target.namedparams())
            for updater in updaters)
    for name in a:
        numpy.testing.assert_array_equal(a[name].array, b[name].array)
