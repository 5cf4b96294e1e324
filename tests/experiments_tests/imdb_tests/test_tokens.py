import pytest

from experiments.imdb.tokens import tokenize


@pytest.mark.parametrize('text, tokens', [
    ('', ''),
    (' \n\t ', ''),
    # Not only the last full stop is a token, as the Treebank's would be.
    ('It is good. I like it.', 'It is good . I like it .'),
    ('It is good.I like it!Do you?Yes.',
     'It is good . I like it ! Do you ? Yes .'),
    ('Good<br /><br />film<br>or<BR/>not', 'Good film or not'),
    ('Good.<br /><br />Bad.', 'Good . Bad .'),
    ("I can't say he's good", "I ca n't say he 's good"),
    ('"good" ``bad\'\'', '" good " " bad "'),
    ('Mr. Lee and Dr. No, i.e. two.', 'Mr. Lee and Dr. No , i.e. two .'),
    ('The film, 3.5 stars (of 10).', 'The film , 3.5 stars ( of 10 ) .'),
    ('Wait... what', 'Wait ... what'),
    ('a < b', 'a < b'),
    ('caf\xe9 \u96fb\u5f71 \U0001f600', 'caf\xe9 \u96fb\u5f71 \U0001f600'),
    ('<unk>', '< unk >'),  # no review can hold the name of unknown words
])
def test_tokenize(text, tokens):
    assert tokenize(text) == tokens.split()


def test_long():
    assert len(tokenize('good ' * 20000)) == 20000
    for text in 'a' * 50000, '.' * 20000, '<br' * 20000, 'a.A' * 500:
        assert tokenize(text)
