import base64
import io
import json
import re
import sys

import numpy
import pytest

from experiments.common.errors import Problem
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
    again, _ = visualize.trace(model, words)
    assert (again == states).all()
    # h = o c: with its output gate open, c alone would give the same sign.
    h = model.rnn(model.embed(numpy.array([words], 'i')),
                  numpy.array([len(words)])).array[0]
    assert (numpy.sign(h) == numpy.sign(states))[abs(h) > 1e-4].all()
    assert (abs(h) <= abs(states) + 1e-5).all()


class TestCommand:

    @pytest.fixture(autouse=True)
    def matplotlib(self):
        pytest.importorskip('matplotlib')

    @pytest.fixture
    def out(self, tmp_path):
        return tmp_path / 'deep' / 'states'

    @pytest.fixture
    def stdin(self, monkeypatch):
        return lambda contents: monkeypatch.setattr(
            'sys.stdin', io.TextIOWrapper(io.BytesIO(contents), 'utf-8'))

    def test_files(self, trained, out, capsys):
        visualize.main(['--model', trained[0], '--out', str(out), REVIEW])
        assert out.with_suffix('.png').read_bytes().startswith(b'\x89PNG')
        assert '"brilliant"' in out.with_suffix('.html').read_text()
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f'Written to {out}.png'
        assert lines[-1].startswith('positive\t')

    def test_standard_input_and_a_single_word(self, trained, out, stdin):
        stdin('caf\xe9\n'.encode())
        visualize.main(['--model', trained[0], '--out', str(out)])
        assert '"caf\\u00e9"' in out.with_suffix('.html').read_text()

    def test_find(self, trained, out, complaint):
        with open(trained[0] + '/model.json') as f:
            folder = json.load(f)['data']['source']
        first, other = [text for text, _ in reviews.read(
            reviews.find_files(folder))['test'] if 'brilliant' in text][:2]
        for phrase, text in ('brilliant', first), (other[-40:], other):
            visualize.main([
                '--model', trained[0], '--out', str(out), '--find', phrase])
            assert page_data(out.with_suffix('.html').read_text())[
                'words'] == tokenize(text)
        for data in [], ['--data', 'sample']:
            assert "says 'no such phrase'" in complaint(
                visualize.main, '--model', trained[0], '--out', out,
                '--find', 'no such phrase', *data)
        assert 'not both' in complaint(
            visualize.main, '--model', trained[0], '--find', 'dull', REVIEW)

    @pytest.mark.parametrize('contents, says', [
        (b' <br /> \n', 'there is no word in the review'),
        (b'good caf\xe9', 'the review is not UTF-8 text'),
        (b'good ' * 20000, 'the review has 20,000 words; no more than'),
    ])
    def test_bad_review(self, trained, out, stdin, complaint, contents, says):
        stdin(contents)
        assert says in complaint(
            visualize.main, '--model', trained[0], '--out', out)
        assert not out.parent.exists()


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
    if order is None:
        order = visualize.channel_order(states)
    draw(f, words, states, numpy.linspace(0, 1, len(words)), order)
    return f.getvalue()


def page_data(page):
    """Return what the page's script reads."""
    return json.loads(re.search('const data = (.*);\n', page).group(1))


class TestPng:

    @pytest.mark.parametrize('n_words', [2, 76])
    def test_draw(self, n_words):
        image = pytest.importorskip('matplotlib.image')
        states = numpy.random.RandomState(0).randn(n_words, 4).astype('f')
        states[-1] = [-3, 3, -3, 3]
        png = drawn(visualize.draw_png, n_words * ['word'], states)
        pixels = image.imread(io.BytesIO(png))[..., :3]
        # As wide as the words need, and a row for every 75 of them
        assert pixels.shape[1] == pytest.approx(
            110 * (1.6 + .16 * min(n_words, 75)), abs=1)
        assert pixels.shape[0] == pytest.approx(
            110 * 2.9 * -(-n_words // 75), abs=1)
        redness = pixels[..., 0] - pixels[..., 2]
        assert redness.max() > .25 and redness.min() < -.25

    def test_odd_words(self):
        pytest.importorskip('matplotlib')
        words = ['$x_{$', '$', '\\frac{', '^', '%', '<b>', '']
        for states in numpy.zeros((7, 3), 'f'), numpy.full((7, 3), 1e30):
            assert drawn(visualize.draw_png, words, states).startswith(
                b'\x89PNG')

    def test_without_matplotlib(self, monkeypatch):
        monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
        with pytest.raises(Problem, match='pip install matplotlib'):
            drawn(visualize.draw_png, ['a'], numpy.zeros((1, 2)))


class TestHtml:

    def test_data(self):
        states = numpy.array([[0, 1, -2], [.5, 0, 0]], 'f')
        order = numpy.array([2, 0, 1])
        data = page_data(drawn(
            visualize.draw_html, ['good', 'film'], states, order).decode())
        assert data['words'] == ['good', 'film']
        assert data['p'] == [0, 1]
        assert data['order'] == [2, 0, 1] and data['limit'] == 2
        levels = numpy.frombuffer(base64.b64decode(data['levels']), 'i1')
        numpy.testing.assert_allclose(
            levels.reshape(3, 2) / 127. * data['limit'], states[:, order].T,
            atol=.01)

    def test_words_stay_inert(self):
        words = ['</script><script>alert(1)</script>', '<!--', '&amp;', '"',
                 '\\', '\u2028', '$data', '${x}', "'", '\n', '\U0001f600']
        page = drawn(visualize.draw_html, words,
                     numpy.zeros((len(words), 3), 'f')).decode()
        assert page.count('<script') == page.count('</script') == 1
        assert '<!--' not in page and '\u2028' not in page
        assert page_data(page)['words'] == words
        # In the page, words become text and nothing else.
        assert 'textContent' in page and 'innerHTML' not in page
        # It needs nothing else.
        assert not re.search('https?:|src=|href=|@import|url[(]', page)

    @pytest.mark.parametrize('value', [0, 3, -1e-30])
    def test_constant(self, value):
        data = page_data(drawn(visualize.draw_html, ['a', 'b'],
                               numpy.full((2, 2), value, 'f')).decode())
        assert data['limit'] > 0
        levels = numpy.frombuffer(base64.b64decode(data['levels']), 'i1')
        assert (levels == 127 * numpy.sign(value)).all()
