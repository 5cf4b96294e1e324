import io

import numpy
import pytest

from experiments.imdb import predict
from experiments.imdb.model import load


GOOD = 'It starts dull and ends brilliant.'
BAD = 'It starts brilliant and ends dull.'


@pytest.fixture
def judge(trained, capsys, monkeypatch):
    """Runs the command; gives its lines, those on standard error, status."""
    def run(*texts, stdin=b''):
        monkeypatch.setattr(
            'sys.stdin', io.TextIOWrapper(io.BytesIO(stdin), 'ascii'))
        status = 0
        try:
            predict.main(['--model', trained[0]] + list(texts))
        except SystemExit as exit:
            status = exit.code
        out, err = capsys.readouterr()
        return out.splitlines(), err.splitlines(), status
    return run


def labels(lines):
    return [line.split('\t')[0] for line in lines]


def test_arguments(judge):
    lines, err, status = judge(GOOD, BAD)
    assert labels(lines) == ['positive', 'negative']
    assert not err and not status
    for line, side in zip(lines, (1, 0)):
        assert abs(float(line.split('\t')[1]) - side) < .5


def test_standard_input(judge):
    from_arguments = judge(GOOD, BAD, GOOD)
    contents = '{}\r\n{}\n{}'.format(GOOD, BAD, GOOD).encode()
    assert judge(stdin=contents) == from_arguments
    assert judge() == ([], [], 0)


def test_order_over_chunks(judge, monkeypatch):
    monkeypatch.setattr(predict, '_CHUNK', 4)
    monkeypatch.setattr(predict, '_MAX_WORDS', 30)
    random = numpy.random.RandomState(0)
    texts = [(GOOD, BAD)[i % 3 > 0] + ' I saw it twice.' * random.randint(4)
             for i in range(11)]
    lines, _, _ = judge(*texts)
    assert labels(lines) == [('positive', 'negative')[i % 3 > 0]
                             for i in range(11)]
    alone = [judge(text)[0][0] for text in texts]
    for together, each in zip(lines, alone):
        assert float(together.split('\t')[1]) == pytest.approx(
            float(each.split('\t')[1]), abs=2e-4)


def test_nothing_to_judge(judge):
    """An empty line or a damaged one keeps its place; others go on."""
    lines, err, status = judge(stdin='\n'.join(
        [GOOD, '', ' <br />', 'caf\xe9', BAD]).encode('latin-1'))
    assert labels(lines) == ['positive', '-', '-', '-', 'negative']
    assert err == ['review 2: there is no word in it',
                   'review 3: there is no word in it',
                   'review 4: this line is not UTF-8 text']
    assert status == 1
    lines, err, status = judge('')
    assert (lines, len(err), status) == (['-'], 1, 1)


def test_unknown_words_only(judge):
    lines, err, status = judge(GOOD, 'Zxyq zxyq')
    assert labels(lines)[0] == 'positive' and lines[1] != '-'
    assert err == ['review 2: the model knows none of its words']
    assert status == 0


def test_long(judge):
    lines, err, status = judge('I saw it twice, ' * 4000 + GOOD, BAD)
    assert len(lines) == 2 and labels(lines)[1] == 'negative'
    assert not err and not status


def test_bad_model(complaint, tmp_path):
    assert 'there is no trained model in' in complaint(
        predict.main, '--model', tmp_path, GOOD)
    assert 'required' in complaint(predict.main, GOOD)


def test_describe():
    assert predict.describe(.5) == 'positive\t0.5000'
    assert predict.describe(.49999) == 'negative\t0.5000'
    assert predict.describe(float('nan')) == '-'


def test_probabilities(trained):
    model, _ = load(trained[0])
    assert model.number('brilliant') > 0 and model.number('zxyq') == 0
    p = predict.probabilities(model, [
        numpy.array([], 'i'), numpy.array([1, 2], 'i')])
    assert numpy.isnan(p[0]) and 0 < p[1] < 1


def test_batches():
    """Each once, without empty ones, and never more words than allowed."""
    random = numpy.random.RandomState(0)
    lengths = random.randint(0, 300, 2000).tolist() + [30000]
    batches = list(predict._batches(lengths))
    assert sorted(i for batch in batches for i in batch) == [
        i for i, length in enumerate(lengths) if length]
    for batch in batches:
        size = len(batch) * max(lengths[i] for i in batch)
        assert size <= predict._MAX_WORDS or len(batch) == 1
    assert len(batches) < 30
    assert not list(predict._batches([0, 0])) and not list(
        predict._batches([]))
