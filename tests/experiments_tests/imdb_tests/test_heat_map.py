import base64
import io
import json
import re
import sys

import numpy
import pytest

from experiments.imdb import heat_map


def drawn(draw, words, states, order=None):
    f = io.BytesIO()
    if order is None:
        order = heat_map.channel_order(states)
    draw(f, words, states, numpy.linspace(0, 1, len(words)), order)
    return f.getvalue()


def page_data(page):
    """What the page's script reads."""
    return json.loads(re.search('const data = (.*);\n', page).group(1))


class TestChannelOrder(object):

    @pytest.mark.parametrize('shape', [(1, 1), (1, 5), (5, 1), (2, 9), (9, 2),
                                       (30, 16)])
    def test_permutation(self, shape):
        for states in (numpy.random.RandomState(0).randn(*shape),
                       numpy.zeros(shape), numpy.full(shape, 3.)):
            order = heat_map.channel_order(states.astype('f'))
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
        ordered = kind[heat_map.channel_order(states)]
        changes = (ordered != numpy.roll(ordered, 1)).sum()
        assert changes == 4  # it is a circle, cut anywhere


class TestPng(object):

    @pytest.mark.parametrize('n_words', [2, 76])
    def test_draw(self, n_words):
        image = pytest.importorskip('matplotlib.image')
        states = numpy.random.RandomState(0).randn(n_words, 4).astype('f')
        states[-1] = [-3, 3, -3, 3]
        png = drawn(heat_map.draw_png, n_words * ['word'], states)
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
            assert drawn(heat_map.draw_png, words, states).startswith(
                b'\x89PNG')

    def test_without_matplotlib(self, monkeypatch):
        monkeypatch.setitem(sys.modules, 'matplotlib.figure',
                            None)
        with pytest.raises(heat_map.Problem, match='pip install matplotlib'):
            drawn(heat_map.draw_png, ['a'], numpy.zeros((1, 2)))


class TestHtml(object):

    def test_data(self):
        states = numpy.array([[0, 1, -2], [.5, 0, 0]], 'f')
        order = numpy.array([2, 0, 1])
        data = page_data(drawn(
            heat_map.draw_html, ['good', 'film'], states, order).decode())
        assert data['words'] == ['good', 'film']
        assert data['p'] == [0, 1]
        assert data['order'] == [2, 0, 1] and data['limit'] == 2
        levels = numpy.frombuffer(base64.b64decode(data['levels']), 'i1')
        numpy.testing.assert_allclose(
            levels.reshape(3, 2) / 127. * data['limit'], states[:, order].T,
            atol=.01)

    def test_words_stay_inert(self):
        words = ['</script><script>alert(1)</script>', '<!--', '&amp;', '"',
                 '\\', '\u2028', '$data', '${x}', "'", '\n', 'caf\xe9',
                 '\U0001f600']
        page = drawn(heat_map.draw_html, words,
                     numpy.zeros((len(words), 3), 'f')).decode()
        assert page.count('<script') == page.count('</script') == 1
        assert '<!--' not in page and '\u2028' not in page
        assert page_data(page)['words'] == words
        # In the page, words become text and nothing else.
        assert 'textContent' in page and 'innerHTML' not in page

    def test_needs_nothing_else(self):
        page = drawn(
            heat_map.draw_html, ['a'], numpy.zeros((1, 2), 'f')).decode()
        assert page.startswith('<!DOCTYPE html>')
        assert not re.search('https?:|src=|href=|@import|url[(]', page)

    def test_constant(self):
        for value in 0, 3, -1e-30:
            data = page_data(drawn(heat_map.draw_html, ['a', 'b'],
                                   numpy.full((2, 2), value, 'f')).decode())
            assert data['limit'] > 0
            levels = numpy.frombuffer(base64.b64decode(data['levels']), 'i1')
            assert (levels == 127 * numpy.sign(value)).all()
