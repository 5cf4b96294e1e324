import numpy
import pytest

from experiments.iwslt import model as model_module
from experiments.iwslt import visualize


GERMAN, ENGLISH = 'Der Hund.', 'The dog.'


def test_attention(trained):
    model, characters, _ = model_module.load(trained[0])
    weights = visualize.attention(model, characters, GERMAN, ENGLISH)
    assert weights.shape == (len(ENGLISH) + 1, len(GERMAN))
    numpy.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)

    # The first column is that of the first character: the source was read
    # from its end.
    model.read(characters.source(GERMAN)[None], [len(GERMAN)])
    read = model.attention(characters.target(ENGLISH)[None]).array[0]
    numpy.testing.assert_allclose(weights[:, 0], read[:, -1], atol=1e-6)


def test_picture(trained, tmp_path, capsys):
    image = pytest.importorskip('matplotlib.image')
    path = tmp_path / 'attention.png'
    for arguments in [], ['--english', ENGLISH]:
        visualize.main(['-m', trained[0], GERMAN, '--out', str(path)]
                       + arguments)
        out = capsys.readouterr().out
        assert GERMAN in out and str(path) in out
        pixels = image.imread(str(path))
        assert .01 < numpy.mean(pixels[..., :3].min(-1) < .9) < .5
        path.unlink()
    assert ENGLISH in out


def test_weights_and_characters_are_drawn(tmp_path, monkeypatch):
    figure = pytest.importorskip('matplotlib.figure').Figure
    drawn = []
    monkeypatch.setattr(
        figure, 'savefig', lambda self, *args, **kwargs: drawn.append(self))
    weights = numpy.random.RandomState(0).uniform(0, 1, (4, 3))
    visualize.draw(str(tmp_path / 'x.png'), weights, 'a c', 'xyz')
    axes = drawn[0].axes[0]
    assert (axes.images[0].get_array() == weights).all()
    assert [each.get_text() for each in axes.get_xticklabels()] == 2 * [
        'a', '␣', 'c']  # below and above
    assert [each.get_text() for each in axes.get_yticklabels()] == [
        'x', 'y', 'z', '¶']


def test_nothing(trained, complaint, tmp_path):
    assert 'nothing to translate' in complaint(
        visualize.main, '-m', trained[0], ' ')
    assert 'No such file' in complaint(
        visualize.main, '-m', trained[0], GERMAN,
        '-o', tmp_path / 'nowhere' / 'x.png')


def test_without_matplotlib(trained, complaint, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'matplotlib.figure', None)
    assert 'matplotlib is not installed' in complaint(
        visualize.main, '-m', trained[0], GERMAN)
