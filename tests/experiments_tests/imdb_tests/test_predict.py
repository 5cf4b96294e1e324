import io

import pytest

from experiments.imdb import predict


GOOD = 'It starts dull and ends brilliant.'
BAD = 'It starts brilliant and ends dull.'


@pytest.fixture
def run(trained, capsys, monkeypatch):
    """Run the command; return its lines, those on standard error, status."""
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


def test_arguments_or_standard_input(run):
    lines, err, status = run(GOOD, BAD)
    assert labels(lines) == ['positive', 'negative']
    assert not err and not status
    for line, side in zip(lines, (1, 0)):
        assert abs(float(line.split('\t')[1]) - side) < .5
    contents = f'{GOOD}\r\n{BAD}'.encode()
    assert run(stdin=contents) == (lines, err, status)
    assert run() == ([], [], 0)


def test_nothing_to_classify(run):
    """An empty line or a damaged one keeps its place; others go on."""
    lines, err, status = run(stdin='\n'.join(
        [GOOD, '', ' <br />', 'caf\xe9', BAD]).encode('latin-1'))
    assert labels(lines) == ['positive', '-', '-', '-', 'negative']
    assert err == ['review 2: there is no word in it',
                   'review 3: there is no word in it',
                   'review 4: this line is not UTF-8 text']
    assert status == 1


def test_unknown_words_only(run):
    lines, err, status = run(GOOD, 'Zxyq zxyq')
    assert labels(lines)[0] == 'positive' and lines[1] != '-'
    assert err == ['review 2: the model knows none of its words']
    assert status == 0


def test_describe():
    assert predict.describe(.5) == 'positive\t0.5000'
    assert predict.describe(.49999) == 'negative\t0.5000'
