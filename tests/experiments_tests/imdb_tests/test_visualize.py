import base64
import io
import json
import re

from hypothesis import given
from hypothesis import strategies as st
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import reviews
from experiments.imdb import visualize
from experiments.imdb.data import tokenize
from experiments.imdb.model import load
from experiments.imdb.predict import probability


REVIEW = 'It starts dull and ends brilliant. My brother called it weak.'


def test_trace(trained):
    """At each word it is what the model says of the review up to there."""
    model, _ = load(trained[0])
    words = [model.number(word) for word in tokenize(REVIEW)]
    states, p = visualize.trace(model, words)
    assert all(state is None for state in model.rnn.state)  # none is left
    assert states.shape == (len(words), 32)
    numpy.testing.assert_allclose(p, [
        probability(model, words[:t + 1]) for t in range(len(words))],
        atol=1e-5)
    assert p.max() - p.min() > .3
    # The next review starts without a state.
    assert (visualize.trace(model, words)[0] == states).all()
    # h = o c: the outputs have the states' sign, and are no larger.
    h = model.rnn(model.embed(numpy.array([words], 'i')),
                  numpy.array([len(words)])).array[0]
    assert (numpy.sign(h) == numpy.sign(states))[abs(h) > 1e-4].all()
    assert (abs(h) <= abs(states) + 1e-5).all()


class TestCommand:

    @pytest.fixture(autouse=True)
    def matplotlib(self):
        pytest.importorskip('matplotlib')

    @pytest.fixture
    def run(self, trained, tmp_path):
        """Draw a review and return the words of the page."""
        out = tmp_path / 'deep' / 'states'

        def run(*arguments):
            visualize.main(
                ['--model', trained[0], '--out', str(out), *arguments])
            png = out.with_suffix('.png').read_bytes()
            assert png.startswith(b'\x89PNG')
            return page_data(out.with_suffix('.html').read_bytes())['words']
        return run

    def test_argument(self, run, capsys):
        assert run(REVIEW) == tokenize(REVIEW)
        assert capsys.readouterr().out.splitlines()[-1].startswith(
            'positive\t')

    @pytest.mark.parametrize('contents, says', [
        (b' <br /> \n', 'there is no word in the review'),
        (b'caf\xe9', 'the review is not UTF-8 text')])
    def test_standard_input(self, run, monkeypatch, contents, says):
        for each in 'caf\xe9\n'.encode(), contents:
            monkeypatch.setattr(
                'sys.stdin', io.TextIOWrapper(io.BytesIO(each)))
            if each == contents:
                with pytest.raises(UserError, match=says):
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
            with pytest.raises(UserError, match="says 'no such phrase'"):
                run('--find', 'no such phrase', *data)
        assert 'not both' in error_of(
            visualize.main, '--model', '.', '--find', 'dull', REVIEW)


class TestChannelOrder:

    @pytest.mark.parametrize('shape', [(1, 1), (1, 5), (5, 1), (2, 9), (9, 2),
                                       (30, 16)])
    def test_permutation(self, shape):
        for states in (numpy.random.RandomState(0).randn(*shape),
                       numpy.zeros(shape), numpy.full(shape, 3.)):
            order = visualize.channel_order(states.astype('f'))
            assert sorted(order) == list(range(shape[1]))

    def test_similar_side_by_side(self):
        """Whatever their mean and scale."""
        random = numpy.random.RandomState(0)
        # Two of them are half-way between the others in both directions.
        courses = numpy.array([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1],
                               [0, 0, -1, 1.]])
        kind = random.permutation(numpy.arange(30) % 5 % 4)
        states = (courses[kind] * random.uniform(.1, 5, (30, 1))
                  + random.uniform(-9, 9, (30, 1))
                  + 1e-3 * random.randn(30, 4)).T
        ordered = kind[visualize.channel_order(states)]
        changes = (ordered != numpy.roll(ordered, 1)).sum()
        assert changes == 4  # it is a circle, cut anywhere


def drawn(draw, words, states, order=None):
    f = io.BytesIO()
    order = visualize.channel_order(states) if order is None else order
    draw(f, words, states, numpy.linspace(0, 1, len(words)), order)
    return f.getvalue()


def page_data(page):
    """Return what the page's script reads."""
    return json.loads(re.search('const data = (.*);\n', page.decode())[1])


@pytest.mark.parametrize('n_words', [2, 76])
def test_png(n_words):
    image = pytest.importorskip('matplotlib.image')
    states = numpy.random.RandomState(0).randn(n_words, 4).astype('f')
    states[-1] = [-3, 3, -3, 3]
    png = drawn(visualize.draw_png, n_words * ['$x_{$'], states)
    pixels = image.imread(io.BytesIO(png))[..., :3]
    # A row for every 75 words
    assert pixels.shape[0] == pytest.approx(
        110 * 2.9 * -(-n_words // 75), abs=1)
    redness = pixels[..., 0] - pixels[..., 2]
    assert redness.max() > .25 and redness.min() < -.25


class TestHtml:

    def test_data(self):
        states = numpy.array([[0, 1, -2], [.5, 0, 0]], 'f')
        order = numpy.array([2, 0, 1])
        data = page_data(drawn(
            visualize.draw_html, ['good', 'film'], states, order))
        assert data['p'] == [0, 1]
        assert data['order'] == [2, 0, 1] and data['limit'] == 2
        levels = numpy.frombuffer(base64.b64decode(data['levels']), 'i1')
        numpy.testing.assert_allclose(
            levels.reshape(3, 2) / 127. * data['limit'], states[:, order].T,
            atol=.01)

    @given(st.lists(st.text() | st.sampled_from([
        '</script><script>alert(1)</script>', '<!--', '\u2028', '$data',
        '${x}', '`']), min_size=1))
    def test_words_stay_inert(self, words):
        page = drawn(visualize.draw_html, words, numpy.zeros((len(words), 3)))
        assert page_data(page)['words'] == words
        assert page.count(b'<script') == page.count(b'</script') == 1
        assert b'<!--' not in page and '\u2028'.encode() not in page
        assert b'innerHTML' not in page  # words become text, nothing else
        assert not re.search(b'https?:|src=|href=|@import|url[(]', page)
