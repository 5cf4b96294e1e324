import io

import pytest

from experiments.common import cli
from experiments.imdb import predict


GOOD = 'It starts dull and ends brilliant.'
BAD = 'It starts brilliant and ends dull.'


@pytest.fixture
def run(trained, capsys, monkeypatch):
    """Run the command; return labels, error lines and the exit status."""
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
    """Empty and invalid lines do not affect other lines."""
    assert run(stdin='\n'.join(
        [GOOD, '', ' <br />', 'caf\xe9', BAD]).encode('latin-1')) == (
        ['positive', '-', '-', '-', 'negative'],
        ['review 2: it has no words',
         'review 3: it has no words',
         'review 4: standard input is not UTF-8 text: line 4 contains the '
         'byte 0xe9, at offset 47; convert it to UTF-8'], 1)


def test_unknown_words_only(run):
    labels, err, status = run('Zxyq zxyq')
    assert labels != ['-'] and not status
    assert err == ['review 1: all of its words are unknown to the model']


def test_byte_order_mark_is_not_part_of_the_first_word(run, monkeypatch):
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


def test_model_of_the_project(capsys):
    """Without --model, the trained model of the repository is used."""
    predict.main(['One of the best films I have seen.', 'A waste of time.'])
    labels = [line.split('\t')[0]
              for line in capsys.readouterr().out.splitlines()]
    assert labels == ['positive', 'negative']
