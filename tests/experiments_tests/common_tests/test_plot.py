import types

import numpy
import pytest

from experiments.common import plot


@pytest.fixture
def trainer(tmp_path):
    log = [{'epoch': i, 'loss': 100. / i} for i in (1, 2, 3)]
    log[0]['other'] = 50.
    return types.SimpleNamespace(
        out=str(tmp_path),
        get_extension=lambda name: types.SimpleNamespace(log=log))


@pytest.fixture
def curve():
    return plot.CurvePlot('curve.png', {'loss': 'ours', 'other': 'theirs'},
                          'perplexity', ('chance', 120.))


def test_plot(trainer, curve, tmp_path):
    image = pytest.importorskip('matplotlib.image')
    curve(trainer)
    pixels = image.imread(str(tmp_path / 'curve.png'))
    assert pixels.shape[:2] == (600, 900)
    assert 0 < numpy.mean(pixels[..., :3].min(-1) < .9) < .5


def test_without_matplotlib(trainer, curve, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plot, '_figure', lambda: None)
    curve.initialize(trainer)
    assert 'no plot will be drawn' in capsys.readouterr().out
    curve(trainer)
    assert not (tmp_path / 'curve.png').exists()
