import io

import pytest

from experiments.iwslt import translate


GERMAN = 'Der Hund sieht die Katze.'


@pytest.fixture
def translated(trained, monkeypatch, capsys):
    """Return a function that returns the translations and the warnings."""
    def run(contents, *arguments):
        monkeypatch.setattr(
            'sys.stdin', io.TextIOWrapper(io.BytesIO(contents)))
        translate.main(['-m', trained[0], *arguments])
        captured = capsys.readouterr()
        assert captured.out.count('\n') == len(captured.out.splitlines())
        return captured.out.splitlines(), captured.err.splitlines()
    return run


def test_lines_stay_in_order(translated):
    contents = [GERMAN, 'Heute malt die Frau.', '', 'Ein Kind.', GERMAN]
    lines, warnings = translated('\n'.join(contents).encode())
    assert len(lines) == 5 and not warnings
    assert lines[0] == lines[4] != lines[1] and lines[2] == ''
    assert [translated(line.encode() + b'\n')[0] for line in contents] == [
        [line] for line in lines]
    assert translated(f'\ufeff{GERMAN}\r\n'.encode()) == (lines[:1], [])
    assert translated(b'') == ([], [])


def test_speed_on_a_terminal(translated, monkeypatch):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    _, errors = translated(f'{GERMAN}\n{GERMAN}\n'.encode())
    assert len(errors) == 1 and errors[0].startswith('2 sentences in ')


@pytest.mark.parametrize('invalid, empty, message', [
    (b' \t \r', True, None),
    (b'\xff\xfe\x00', False, 'line 2 is not UTF-8'),
    (b'\xff\xfe', True, 'line 2 is not UTF-8'),
    ('Der Hund \u6f22\u5b57\u6f22 %'.encode(), False,
     'line 2 has 3 characters that the model does not know'),
    (b'Der\x1bHund\x0b\x0c\x85 \xe2\x80\xa8.', False, 'line 2 is not UTF-8'),
])
def test_invalid_lines(translated, invalid, empty, message):
    """Invalid lines do not affect other lines."""
    lines, warnings = translated(b'\n'.join(
        [GERMAN.encode(), invalid, GERMAN.encode(), b'']))
    assert len(lines) == 3 and lines[0] == lines[2]
    assert (lines[1] == '') >= empty
    assert bool(warnings) == bool(message)
    if message:
        assert warnings[0].startswith(message)
        assert all(line.startswith('line 2 ') and line.isprintable()
                   for line in warnings)


def test_n_best(translated, trained, error_of):
    lines, _ = translated(f'{GERMAN}\n\n{GERMAN}'.encode(), '--n-best', '3')
    rows = [line.split('\t') for line in lines]
    assert [row[0] for row in rows] == list('1112333')
    assert [rows[0][2]] == translated(GERMAN.encode())[0]
    assert rows[:3] == [['1'] + row[1:] for row in rows[4:]]
    assert len({row[2] for row in rows[:3]}) == 3
    scores = [float(row[1]) for row in rows[:3]]
    assert sorted(scores, reverse=True) == scores
    assert '--n-best 9 is larger than --beam 8' in error_of(
        translate.main, '-m', trained[0], '--n-best', '9')
