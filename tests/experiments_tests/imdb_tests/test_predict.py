import io

import pytest

from experiments.common import cli
from experiments.imdb import predict


GOOD = 'It starts dull and ends brilliant.'
BAD = 'It starts brilliant and ends dull.'


@pytest.fixture
def run(trained, capsys, monkeypatch):
    """Run the command; return labels, lines on standard error, status."""
    def run(*texts, stdin=b''):
        monkeypatch.setattr(
            'sys.stdin', io.TextIOWrapper(io.BytesIO(stdin), 'ascii'))
        status = 0
        try:
            predict.main(['--model', trained[0], *texts])
        except SystemExit as exit:
            status = exit.code
        out, err = capsys.readouterr()
        labels = [line.split('\t')[0] for line in out.splitlines()]
        return labels, err.splitlines(), status
    return run


def test_arguments_or_standard_input(run):
    expected = ['positive', 'negative'], [], 0
    assert run(GOOD, BAD) == expected
    assert run(stdin=f'\ufeff{GOOD}\r\n{BAD}'.encode()) == expected
    assert run() == ([], [], 0)


def test_nothing_to_classify(run):
    """An empty line or a damaged one keeps its place; others go on."""
    assert run(stdin='\n'.join(
        [GOOD, '', ' <br />', 'caf\xe9', BAD]).encode('latin-1')) == (
        ['positive', '-', '-', '-', 'negative'],
        ['review 2: there is no word in it',
         'review 3: there is no word in it',
         'review 4: standard input is not UTF-8 text: line 4 contains the '
         'byte 0xe9, at offset 47; convert it to UTF-8'], 1)


def test_unknown_words_only(run):
    labels, err, status = run('Zxyq zxyq')
    assert labels != ['-'] and not status
    assert err == ['review 1: the model knows none of its words']


def test_first_word_with_a_byte_order_mark(run, monkeypatch):
    """It is the word alone."""
    seen = []
    monkeypatch.setattr(predict, 'tokenize', lambda text: (
        seen.append(text), [text])[1])
    run(stdin='\ufeffthe\nthe'.encode())
    assert seen == ['the', 'the']


def test_closed_standard_input(run, monkeypatch):
    def main(argv, main=predict.main):
        monkeypatch.setattr('sys.stdin', None)
        cli.run(lambda: main(argv))

    monkeypatch.setattr(predict, 'main', main)
    assert run() == ([], [], 0)
