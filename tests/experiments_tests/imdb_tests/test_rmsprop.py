import io

import chainer
import numpy
import pytest

from experiments.imdb.rmsprop import RowwiseRMSpropRule


def setup(rowwise, dtype, **options):
    W = numpy.random.RandomState(0).randn(9, 4)
    with chainer.using_config('dtype', numpy.dtype(dtype)):
        model = chainer.links.EmbedID(9, 4, W)
    options = {'lr': .01, 'alpha': .9, 'eps': 1e-8, **options}
    optimizer = chainer.optimizers.RMSprop(**options).setup(model)
    if rowwise:
        model.W.update_rule = RowwiseRMSpropRule(optimizer.hyperparam)
    return model, optimizer


def gradients(dtype, n=60):
    """Yield gradients. Most rows are 0, and some gradients are None."""
    random = numpy.random.RandomState(1)
    for i in range(n):
        rows = random.rand(9, 1) < (0, .1, .4)[i % 3]
        rows[8] = i == n - 1  # row 8 has one gradient, in the last step
        g = (random.randn(9, 4) * rows * 10 ** random.uniform(-6, 2)).astype(
            dtype)
        g[:, 2] *= random.rand() < .5
        yield None if i % 7 == 5 else g


def step(model, g):
    model.W.grad = None if g is None else model.device.send(g.copy())
    model.W.update()  # an optimizer would replace a missing gradient with 0


@pytest.mark.parametrize('dtype, rtol', [('f', 2e-5), ('d', 1e-11)])
@pytest.mark.parametrize('options', [
    {}, {'eps_inside_sqrt': True, 'eps': 1e-3}, {'alpha': .99, 'lr': .1},
    {'eps': .1}])
def test_same_as_chainers(dtype, rtol, options):
    models, optimizers = zip(*(
        setup(rowwise, dtype, **options) for rowwise in (True, False)))
    ours, theirs = models
    for i, g in enumerate(gradients(dtype)):
        previous = ours.W.array.copy()
        for model, optimizer in zip(models, optimizers):
            if i > 40:  # later changes of lr must take effect
                optimizer.lr = .1 / i
            step(model, g)
        assert ours.W.dtype == ours.W.update_rule.state['ms'].dtype == dtype
        numpy.testing.assert_allclose(
            ours.W.array, theirs.W.array, rtol=rtol, atol=rtol)
        if g is not None:  # rows with gradient 0 do not change
            assert (ours.W.array == previous)[~g.any(axis=1)].all()
    # After a step in which all rows have gradients, both optimizers have the
    # same mean squares.
    for model in models:
        step(model, numpy.ones((9, 4), dtype))
    numpy.testing.assert_allclose(
        *(model.W.update_rule.state['ms'] for model in models), rtol=rtol)


@pytest.mark.parametrize('n', [1, 30])
def test_resumes_from_a_snapshot(n):
    """Resumed and uninterrupted training give the same bits."""
    whole, _ = setup(True, 'f')
    first, optimizer = setup(True, 'f')
    for i, g in enumerate(gradients('f')):
        step(whole, g)
        step(first, g)
        if i == n:
            file = io.BytesIO()
            chainer.serializers.save_npz(file, optimizer)
            file.seek(0)
            first, optimizer = setup(True, 'f')
            first.W.array[...] = whole.W.array
            chainer.serializers.load_npz(file, optimizer)
    assert (first.W.array == whole.W.array).all()
    for name in 'ms', 'last':
        assert (first.W.update_rule.state[name]
                == whole.W.update_rule.state[name]).all()


@pytest.mark.gpu
def test_on_gpu():
    models = [setup(rowwise, 'f')[0] for rowwise in (True, False)]
    models[0].to_device('@cupy:0')
    for g in gradients('f'):
        if g is not None:
            for model in models:
                step(model, g)
    numpy.testing.assert_allclose(
        models[0].W.array.get(), models[1].W.array, rtol=1e-4, atol=1e-5)
