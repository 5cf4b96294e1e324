from hypothesis import given
from hypothesis import strategies as st
import pytest

from experiments.imdb.tokenizer import tokenize


@pytest.mark.parametrize('text, tokens', [
    # All full stops are tokens, in contrast to NLTK's word tokenizer.
    ('It is good. I like it.', 'It is good . I like it .'),
    ('It is good.I like it!Do you?Yes.',
     'It is good . I like it ! Do you ? Yes .'),
    ('Good.<br /><br />film<br>or<BR/>not', 'Good . film or not'),
    ("I can't say he's good", "I ca n't say he 's good"),
    ('"good" ``bad\'\'', '" good " " bad "'),
    ('Mr. Lee and Dr. No, i.e. two.', 'Mr. Lee and Dr. No , i.e. two .'),
    ('The film, 3.5 stars (of 10).', 'The film , 3.5 stars ( of 10 ) .'),
    ('Wait... what', 'Wait ... what'),
    ('<unk>', '< unk >'),  # no text contains the token <unk>
])
def test_tokens(text, tokens):
    assert tokenize(text) == tokens.split()


@given(st.text(st.characters(exclude_characters='<"`\'',
                             exclude_categories=['Cs'])))
def test_changes_only_spaces(text):
    assert ''.join(tokenize(text)) == ''.join(text.split())
