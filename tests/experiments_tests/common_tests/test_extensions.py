import sys
import types

import numpy
import pytest

from experiments.common import extensions


@pytest.mark.parametrize('is_terminal, ends', [(False, '\n'), (True, '\r')])
def test_progress(capsys, monkeypatch, is_terminal, ends):
    progress = extensions.Progress()
    trainer = types.SimpleNamespace(
        updater=types.SimpleNamespace(iteration=0, epoch_detail=0.))
    now = [0.]
    monkeypatch.setattr(extensions.time, 'time', lambda: now[0])
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: is_terminal)
    progress.initialize(trainer)
    for now[0] in .5, 60.:
        trainer.updater.iteration += 15
        progress(trainer)
    err = capsys.readouterr().err
    assert err.startswith('epoch 0.00, iteration 30, 2 s per iteration')
    assert err.endswith(ends) and err.count('epoch') == 1


def test_curves(tmp_path, monkeypatch, no_curves):
    image = pytest.importorskip('matplotlib.image')
    log = [{'epoch': i, 'loss': 100. / i} for i in (1, 2, 3)]
    log[0]['other'] = 50.
    trainer = types.SimpleNamespace(
        out=str(tmp_path),
        get_extension=lambda name: types.SimpleNamespace(log=log))
    curves = extensions.Curves(['loss', 'other'])

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, 'matplotlib.figure', None)
        no_curves(curves, trainer)
    assert not list(tmp_path.iterdir())
    no_curves(curves, trainer)
    pixels = image.imread(tmp_path / 'curves.png')
    assert pixels.shape[:2] == (720, 960)
    assert 0 < numpy.mean(pixels[..., :3].min(-1) < .9) < .5


@pytest.mark.parametrize('patience, ends', [(None, 9), (2, 4), (3, 8)])
def test_early_stopping(patience, ends):
    """Training ends after ``patience`` epochs without an improvement."""
    best = types.SimpleNamespace(epoch=0)
    stop = extensions.EarlyStopping(9, best, patience)
    for epoch in range(1, 10):
        if epoch in (1, 2, 5):
            best.epoch = epoch
        for is_new_epoch in False, True:
            if stop(types.SimpleNamespace(updater=types.SimpleNamespace(
                    iteration=2 * epoch + is_new_epoch, epoch=epoch,
                    epoch_detail=epoch - .5 * (not is_new_epoch),
                    is_new_epoch=is_new_epoch))):
                assert is_new_epoch and epoch == ends
                return
    assert False


def test_perplexities():
    entry = {'main/loss': 1e6, 'validation/main/loss': 0.}
    extensions.add_perplexities(entry)
    assert entry == {'main/loss': 1e6, 'validation/main/loss': 0.,
                     'validation/perplexity': 1.}
