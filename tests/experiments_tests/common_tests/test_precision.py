import importlib
import json
import os

import chainer
import chainer.functions as F
import numpy
import pytest

from experiments.common import precision
from experiments.common.cli import UserError
from experiments.common.mixed16 import MixedPrecision
from experiments.imdb.model import build
from experiments.imdb.model import Config


def train(experiment, out, *arguments):
    """Train a tiny model and return its curve."""
    module = importlib.import_module(f'experiments.{experiment}.train')
    module.main(['--test', '--out', str(out), *arguments])
    return json.loads((out / 'result.json').read_text())['curve']


@pytest.fixture(scope='module', params=['ptb', 'imdb', 'iwslt'])
def run(request, tmp_path_factory):
    """Return the experiment, the folder and the curve of a run in mixed16."""
    out = tmp_path_factory.mktemp('run')
    return request.param, out, train(request.param, out, '--dtype', 'mixed16')


def test_mixed16(run, tmp_path):
    experiment, mixed, (first, _) = run
    expected, = train(experiment, tmp_path, '--epoch', '1')
    for name in 'main/loss', 'validation/main/loss':
        assert abs(first[name] - expected[name]) < 3e-3 * expected[name]
    assert first['loss_scale'] > 1
    with numpy.load(str(mixed / 'model.npz')) as arrays:
        assert {arrays[name].dtype.char for name in arrays.files} == {'e'}
    module = importlib.import_module(f'experiments.{experiment}.model')
    loaded = module.load(str(mixed))[0]
    assert {param.dtype.char for param in loaded.params()} == {'e'}


def test_resumed(run, assert_same_run, tmp_path):
    """Snapshots include the loss scale and the float32 parameters."""
    experiment, whole, _ = run
    for epoch in '1', '2':
        train(experiment, tmp_path, '--dtype', 'mixed16', '--epoch', epoch,
              '--resume')
    last = max(path.name for path in whole.glob('snapshot_iter_*'))
    assert_same_run(whole, tmp_path, last)
    with numpy.load(str(whole / last)) as arrays:
        copies = [name for name in arrays.files if '/float32/' in name]
        assert copies
        for name in copies:
            assert arrays[name].dtype == numpy.float32
        assert arrays['extensions/MixedPrecision/loss_scale'] > 1


def test_pqrnn():
    """Batch normalisation stays in float32."""
    with precision.using('mixed16'):
        model = build(Config(
            layer='pqrnn', n_layers=2, n_units=3, embed_size=4,
            n_features=8), ['good', 'bad'])
        loss = model(numpy.array([[0, 1, 0], [1, -1, -1]], 'i'), [3, 1],
                     numpy.array([1, 0], 'i'))
        assert loss.dtype == numpy.float32
        model.cleargrads()
        loss.backward()
    for name, param in model.namedparams():
        kept = name.startswith('/norm')
        assert param.dtype == param.grad.dtype == (
            numpy.float32 if kept else numpy.float16)
        assert numpy.isfinite(param.grad).all()


def linear(dtype, scale=None):
    """Return a link with a gradient, and its optimizer."""
    with precision.using(dtype):
        link = chainer.links.Linear(40, 30)
    optimizer = chainer.optimizers.SGD(.1).setup(link)
    optimizer.mixed = None
    if dtype == 'mixed16':
        optimizer.mixed = MixedPrecision(optimizer)
        optimizer._loss_scale = scale
    numpy.random.seed(0)
    for param in link.params():
        g = numpy.random.uniform(-1, 1, param.shape)
        param.grad = (g * (scale or 1)).astype(param.dtype)
    return link, optimizer


@pytest.mark.parametrize('threshold', [.01, 5., 100.])
def test_clipping_in_float32_is_the_same_as_chainers(threshold):
    grads = []
    for make in (precision.GradientClipping,
                 chainer.optimizer_hooks.GradientClipping):
        link, optimizer = linear('float32')
        make(threshold)(optimizer)
        grads.append([param.grad for param in link.params()])
    for ours, theirs in zip(*grads):
        numpy.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize('threshold', [.5, 5., 100.])
def test_clipping_of_scaled_gradients(threshold):
    """Clipping is correct although squared gradients overflow in float16."""
    link, optimizer = linear('mixed16', 2. ** 13)
    expected, single = linear('float32')
    for each in optimizer, single:
        precision.GradientClipping(threshold)(each)
    for ours, theirs in zip(link.params(), expected.params()):
        assert ours.dtype == numpy.float16
        numpy.testing.assert_allclose(
            ours.grad.astype('d') / 2 ** 13, theirs.grad, rtol=2e-3,
            atol=1e-6)


def test_overflow_changes_only_the_scale():
    link, optimizer = linear('mixed16', 1024.)
    extension = optimizer.mixed
    previous = link.W.array.copy()
    link.W.grad[0, 0] = numpy.inf
    trainer = type('Trainer', (), {
        'observation': {}, 'updater': type('Updater', (), {'iteration': 7})})
    with pytest.warns(UserWarning, match='Non finite'):
        optimizer.update()
    numpy.testing.assert_array_equal(link.W.array, previous)
    extension(trainer)
    assert trainer.observation == {'loss_scale': 512.}
    with pytest.raises(UserError, match='50 iterations, up to iteration 7'):
        for _ in range(49):
            extension(trainer)


def test_small_gradients_and_updates_are_not_lost():
    """Gradients of 1e-8 and updates of 1e-4 are not rounded to 0."""
    with precision.using('mixed16'):
        link = chainer.links.Linear(1, 1, initialW=1, nobias=True)
    optimizer = chainer.optimizers.SGD(1e4).setup(link)
    optimizer.use_fp32_update()
    optimizer.loss_scaling(scale=1024)
    x = numpy.ones((1, 1), 'e')
    for _ in range(20):
        optimizer.update(lambda: F.sum(precision.linear(link, x)) * -1e-8)
    assert abs(link.W.array - 1.002).max() < 1e-3


def test_linear_is_at_least_float32():
    for dtype, expected in [('e', 'f'), ('f', 'f'), ('d', 'd')]:
        x = chainer.Variable(numpy.ones((2, 3, 4), dtype))
        with chainer.using_config('dtype', dtype):
            y = precision.linear(chainer.links.Linear(4, 5), x)
        assert (y.dtype, y.shape) == (expected, (2, 3, 5))


def test_tf32(monkeypatch):
    """The precision tf32 sets the environment variable that CuPy reads."""
    # setenv makes monkeypatch restore the variable after the test.
    monkeypatch.setenv('CUPY_TF32', '')
    del os.environ['CUPY_TF32']
    with precision.using('float32'):
        assert 'CUPY_TF32' not in os.environ
    with precision.using('tf32'):
        assert os.environ['CUPY_TF32'] == '1'
        assert chainer.get_dtype() == numpy.float32
