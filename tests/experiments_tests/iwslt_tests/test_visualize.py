import chainer
import numpy
import pytest

from experiments.iwslt import visualize
from qrnn.links.encoder import Encoder


GERMAN, ENGLISH = 'Der Hund.', 'The dog.'


@pytest.mark.parametrize('layer', ['qrnn', 'lstm'])
def test_attention(random_model, monkeypatch, layer):
    """The attention weights reproduce the context vectors of the decoder."""
    model, characters = random_model('abxy', layer)
    contexts, attend = [], Encoder.attend
    monkeypatch.setattr(Encoder, 'attend', lambda self, query: (
        contexts.append(attend(self, query)), contexts[-1])[1])
    weights = visualize.attention(model, characters, 'abbab', 'xyx')
    assert weights.shape == (4, 5)
    numpy.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    # Columns are in the order of the text, but encoder states are reversed.
    with chainer.using_config('train', False):
        model.encode(characters.source('abbab')[None], [5])
    states = model.decoder[-1].encoder.h.array[0, ::-1]
    numpy.testing.assert_allclose(
        weights @ states, numpy.concatenate([
            context.array for context in contexts]), rtol=1e-4, atol=1e-6)


def test_picture(trained, tmp_path, capsys, monkeypatch):
    figure = pytest.importorskip('matplotlib.figure').Figure
    drawn, savefig = [], figure.savefig
    monkeypatch.setattr(figure, 'savefig', lambda self, *args, **kwargs: (
        drawn.append(self), savefig(self, *args, **kwargs)))
    path = tmp_path / 'attention.png'
    for arguments in [], ['--english', ENGLISH]:
        visualize.main(['-m', trained[0], GERMAN, '--out', str(path)]
                       + arguments)
        out = capsys.readouterr().out
        assert GERMAN in out and str(path) in out
        assert path.read_bytes().startswith(b'\x89PNG')
        path.unlink()
    assert ENGLISH in out
    axes = drawn[-1].axes[0]
    assert axes.images[0].get_array().shape == (9, 9)
    assert [label.get_text() for label in axes.get_xticklabels()] == 2 * list(
        'Der␣Hund.')  # labels below and above the picture
    assert [label.get_text() for label in axes.get_yticklabels()] == list(
        'The␣dog.¶')


def test_errors(trained, error_of, tmp_path, monkeypatch):
    assert 'the sentence is empty' in error_of(
        visualize.main, '-m', trained[0], ' ')
    assert 'No such file' in error_of(
        visualize.main, '-m', trained[0], GERMAN,
        '-o', tmp_path / 'nowhere' / 'x.png')
    monkeypatch.setitem(__import__('sys').modules, 'matplotlib.figure', None)
    assert 'pip install matplotlib' in error_of(
        visualize.main, '-m', trained[0], GERMAN)
