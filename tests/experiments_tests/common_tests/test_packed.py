import chainer
import chainer.functions as F
import chainer.links as L
import numpy
import pytest

from experiments.common.packed import Packed
from experiments.common.precision import GradientClipping


class TestPacked:

    def train(self, make_optimizer, packed, n_steps=5):
        numpy.random.seed(0)
        model = chainer.ChainList(
            L.Linear(3, 4), L.EmbedID(2, 3), L.Linear(4, 2))
        optimizer = make_optimizer().setup(model)
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(.1))
        optimizer.add_hook(GradientClipping(.5))
        if packed:
            optimizer.target = Packed(model)
        x = numpy.random.randn(6, 3).astype('f')

        def loss():
            h = F.tanh(model[0](x))
            return F.sum(model[2](h) ** 2)  # the embedding has no gradient

        for _ in range(n_steps):
            optimizer.update(loss)
        return model, optimizer

    @pytest.mark.parametrize('make_optimizer', [
        chainer.optimizers.SGD, chainer.optimizers.Adam,
        chainer.optimizers.RMSprop])
    def test_same_update(self, make_optimizer):
        models = [self.train(make_optimizer, packed)[0]
                  for packed in (False, True)]
        for (name, a), (_, b) in zip(*(
                sorted(model.namedparams()) for model in models)):
            numpy.testing.assert_allclose(
                a.array, b.array, 1e-5, 1e-6, err_msg=name)

    def test_one_parameter_to_update(self):
        model, optimizer = self.train(chainer.optimizers.SGD, True)
        assert len(list(optimizer.target.params())) == 1
        assert optimizer.target.model is model

    def test_snapshots_are_of_the_model(self, tmp_path):
        model, optimizer = self.train(chainer.optimizers.SGD, True)
        path = str(tmp_path / 'model.npz')
        chainer.serializers.save_npz(path, optimizer.target)
        other, packed = self.train(chainer.optimizers.SGD, True, n_steps=1)
        chainer.serializers.load_npz(path, packed.target)
        for a, b in zip(model.params(), other.params()):
            numpy.testing.assert_array_equal(a.array, b.array)
            assert b.array.base is not None

    def test_trainer_observes_the_links_of_the_model(self):
        model, optimizer = self.train(chainer.optimizers.SGD, True, 1)
        iterator = chainer.iterators.SerialIterator([], 1)
        trainer = chainer.training.Trainer(
            chainer.training.updaters.StandardUpdater(iterator, optimizer))
        with trainer.reporter:
            chainer.report({'loss': 1.}, model)
            chainer.report({'loss': 2.}, model[0])
        assert trainer.reporter.observation == {
            'main/loss': 1., 'main/0/loss': 2.}
