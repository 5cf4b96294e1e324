import io
import json

import chainer
import numpy
import pytest

from experiments.imdb import reviews
from experiments.imdb import visualize
from experiments.imdb.batches import pad
from experiments.imdb.model import load
from experiments.imdb.predict import probabilities
from experiments.imdb.tokens import tokenize


REVIEW = 'It starts dull and ends brilliant. My brother called it weak.'


@pytest.fixture
def stdin(monkeypatch):
    def give(contents):
        monkeypatch.setattr(
            'sys.stdin', io.TextIOWrapper(io.BytesIO(contents), 'utf-8'))
    return give


def test_trace(trained):
    """At each word it is what the model says of the review up to there."""
    model, _ = load(trained[0])
    words = [model.number(word) for word in tokenize(REVIEW)]
    states, p = visualize.trace(model, words)
    assert all(state is None for state in model.rnn.state)  # none is left
    assert states.shape == (len(words), 32)
    prefixes = [numpy.array(words[:t + 1], 'i') for t in range(len(words))]
    numpy.testing.assert_allclose(
        p, probabilities(model, prefixes), atol=1e-5)
    assert p.max() - p.min() > .3
    # It takes no state over.
    again, _ = visualize.trace(model, words)
    assert (again == states).all()

    # h = o c: the outputs have the states' sign, and are no larger.
    words, lengths, _ = pad([(prefixes[-1], 0)], model.device)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        h = model.states(words, lengths).array[0]
    large = abs(h) > 1e-4
    assert (numpy.sign(h) == numpy.sign(states))[large].all()
    assert (abs(h) <= abs(states) + 1e-5).all()


def test_files(trained, tmp_path, capsys):
    pytest.importorskip('matplotlib')
    out = tmp_path / 'deep' / 'states'
    visualize.main(['--model', trained[0], '--out', str(out), REVIEW])
    assert (tmp_path / 'deep' / 'states.png').read_bytes().startswith(
        b'\x89PNG')
    page = (tmp_path / 'deep' / 'states.html').read_text()
    assert '"brilliant"' in page
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'Written to {}.png'.format(out)
    assert lines[-1].startswith('positive\t')


def test_standard_input_and_a_single_word(trained, tmp_path, stdin, capsys):
    pytest.importorskip('matplotlib')
    stdin('caf\xe9\n'.encode())
    visualize.main(['--model', trained[0], '--out', str(tmp_path / 'a')])
    assert '"caf\\u00e9"' in (tmp_path / 'a.html').read_text()
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_find(trained, tmp_path, complaint):
    pytest.importorskip('matplotlib')
    with open(trained[0] + '/model.json') as f:
        folder = json.load(f)['data']['source']
    first, other = [
        text for text, _ in reviews.read(reviews.files(folder))['test']
        if 'brilliant' in text][:2]
    assert visualize.find(folder, 'brilliant') == first
    assert visualize.find(folder, other[-40:]) == other
    out = tmp_path / 'a'
    visualize.main([
        '--model', trained[0], '--out', str(out), '--find', 'brilliant'])
    page = out.with_suffix('.html').read_text()
    for word in tokenize(first):
        assert json.dumps(word) in page
    for data in [], ['--data', 'sample']:
        assert "says 'no such phrase'" in complaint(
            visualize.main, '--model', trained[0], '--out', out, '--find',
            'no such phrase', *data)
    assert 'not both' in complaint(
        visualize.main, '--model', trained[0], '--find', 'dull', REVIEW)


@pytest.mark.parametrize('contents, says', [
    (b'', 'there is no word in the review'),
    (b' <br /> \n', 'there is no word in the review'),
    (b'good caf\xe9', 'the review is not UTF-8 text'),
    (b'good ' * 20000, 'the review has 20,000 words; no more than'),
])
def test_bad_review(trained, tmp_path, stdin, complaint, contents, says):
    stdin(contents)
    assert says in complaint(
        visualize.main, '--model', trained[0], '--out', tmp_path / 'a')
    assert not list(tmp_path.iterdir())


def test_bad_arguments(trained, tmp_path, complaint):
    assert 'the review is not UTF-8 text' in complaint(
        visualize.main, '--model', trained[0], 'good \udce9')
    assert 'there is no word' in complaint(
        visualize.main, '--model', trained[0], '')
    assert 'there is no trained model in' in complaint(
        visualize.main, '--model', tmp_path, 'good')
    (tmp_path / 'file').write_text('')
    assert 'file' in complaint(
        visualize.main, '--model', trained[0], '--out',
        tmp_path / 'file' / 'states', 'good')
