import io
import os
from unittest import mock

import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import reviews
from experiments.imdb import visualize
from experiments.imdb.model import load
from experiments.imdb.model import PRETRAINED
from experiments.imdb.predict import probability
from experiments.imdb.tokenizer import tokenize


IMDB = os.path.join(os.path.dirname(visualize.__file__),
                    '..', '..', '..', 'shared', 'data', 'imdb')
REVIEW = 'It starts dull and ends brilliant. My brother called it weak.'


def test_trace(trained):
    """The probability at each word is the prediction for the text so far."""
    model, _ = load(trained[0])
    words = [model.number(word) for word in tokenize(REVIEW)]
    states, p = visualize.trace(model, words)
    assert all(state is None for state in model.rnn.state)
    assert states.shape == (len(words), 32)
    numpy.testing.assert_allclose(p, [
        probability(model, words[:t + 1]) for t in range(len(words))],
        atol=1e-5)
    assert p.max() - p.min() > .3
    # Each call starts without a state.
    assert (visualize.trace(model, words)[0] == states).all()
    # Since h = o c and 0 < o < 1, h has the sign of c, and |h| <= |c|.
    h = model.rnn(model.embed(numpy.array([words], 'i')),
                  numpy.array([len(words)])).array[0]
    assert (numpy.sign(h) == numpy.sign(states))[abs(h) > 1e-4].all()
    assert (abs(h) <= abs(states) + 1e-5).all()


@pytest.mark.skipif(
    not os.path.isdir(IMDB), reason='there is no folder with IMDb')
def test_figure_3():
    """In the paper's review, many channels are reset and recover later."""
    model, _ = load(PRETRAINED)
    words = tokenize(visualize.find(IMDB, 'not exactly a bad story'))
    states, _ = visualize.trace(model, [model.number(word) for word in words])
    praise, reset = words.index('appreciate'), words.index('bad') + 2
    signs = numpy.sign(states)
    assert (signs[praise] != signs[praise - 51]).mean() < .15
    assert (signs[reset] != signs[praise]).mean() > .3
    assert (signs[-1] != signs[reset]).mean() > .3
    assert (signs[-1] != signs[praise]).mean() < .15


class TestCommand:

    @pytest.fixture
    def run(self, trained, tmp_path):
        """Return a function that plots a review and returns its words."""
        out = tmp_path / 'deep' / 'states.png'

        def run(*arguments):
            with mock.patch.object(visualize, 'draw') as draw:
                visualize.main(
                    ['--model', trained[0], '--out', str(out), *arguments])
            assert out.exists()
            return draw.call_args.args[1]
        return run

    def test_argument(self, run, capsys):
        assert run(REVIEW) == tokenize(REVIEW)
        assert capsys.readouterr().out.splitlines()[-1].startswith(
            'positive\t')

    def test_model_of_the_project(self, tmp_path, capsys):
        """Without --model, the trained model of the repository is used."""
        pytest.importorskip('matplotlib')
        out = tmp_path / 'states.png'
        visualize.main(['--out', str(out), 'It is simply gorgeous.'])
        assert out.read_bytes().startswith(b'\x89PNG')
        assert 'positive\t' in capsys.readouterr().out

    @pytest.mark.parametrize('contents, message', [
        (b' <br /> \n', 'the review has no words'),
        (b'caf\xe9', 'standard input is not UTF-8 text')])
    def test_standard_input(self, run, monkeypatch, contents, message):
        for stdin in 'caf\xe9\n'.encode(), contents:
            monkeypatch.setattr(
                'sys.stdin', io.TextIOWrapper(io.BytesIO(stdin)))
            if stdin == contents:
                with pytest.raises(UserError, match=message):
                    run()
            else:
                assert run() == ['caf\xe9']

    def test_find(self, run, trained, error_of):
        folder = load(trained[0])[1]['data']['source']
        first, other = [text for text, _ in reviews.read(
            reviews.find_files(folder))['test'] if 'brilliant' in text][:2]
        assert run('--find', 'brilliant') == tokenize(first)
        assert run('--find', other[-40:]) == tokenize(other)
        for data in [], ['--data', 'sample']:
            with pytest.raises(UserError, match="contains 'absent phrase'"):
                run('--find', 'absent phrase', *data)
        assert '--find cannot be used with a review' in error_of(
            visualize.main, '--model', '.', '--find', 'dull', REVIEW)


class TestChannelOrder:

    @pytest.mark.parametrize('shape', [(1, 1), (1, 5), (5, 1), (2, 9), (9, 2),
                                       (30, 16)])
    def test_permutation(self, shape):
        for states in (numpy.random.RandomState(0).randn(*shape),
                       numpy.zeros(shape), numpy.full(shape, 3.)):
            order = visualize.channel_order(states.astype('f'))
            assert sorted(order) == list(range(shape[1]))

    def test_similar_channels_are_adjacent(self):
        """The order does not depend on the mean and scale of a channel."""
        random = numpy.random.RandomState(0)
        # There are four kinds of channels. Each row contains the states of one
        # kind over time. The first two rows are orthogonal to the last two.
        courses = numpy.array([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1],
                               [0, 0, -1, 1.]])
        kind = random.permutation(numpy.arange(30) % 5 % 4)
        states = (courses[kind] * random.uniform(.1, 5, (30, 1))
                  + random.uniform(-9, 9, (30, 1))
                  + 1e-3 * random.randn(30, 4)).T
        ordered = kind[visualize.channel_order(states)]
        # Count changes of the kind between neighbours. The last channel and
        # the first channel also count as neighbours.
        changes = (ordered != numpy.roll(ordered, 1)).sum()
        assert changes == 4


@pytest.mark.parametrize('n_words', [2, 76])
def test_png(n_words):
    image = pytest.importorskip('matplotlib.image')
    states = numpy.random.RandomState(0).randn(n_words, 4).astype('f')
    states[-1] = [-3, 3, -3, 3]
    png = io.BytesIO()
    visualize.draw(png, n_words * ['$x_{$'], states,
                   numpy.linspace(0, 1, n_words), range(4))
    png.seek(0)
    pixels = image.imread(png)[..., :3]
    # A row of the picture shows up to 66 words.
    assert pixels.shape[0] == pytest.approx(
        110 * 2.9 * -(-n_words // 66), abs=1)
    redness = pixels[..., 0] - pixels[..., 2]
    assert redness.max() > .25 and redness.min() < -.25
