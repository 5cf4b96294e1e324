import re

import pytest

from experiments.iwslt import grammar


@pytest.fixture(scope='module')
def sample():
    return grammar.sample()


def test_sample_is_fixed(sample):
    assert {part: len(pairs) for part, pairs in sample.items()} == {
        'train': 4000, 'dev': 200, 'test': 200}
    assert sample['train'][:3] == [
        ('Diese Maus hat den alten Stuhl gekauft.',
         'This mouse has bought the old chair.'),
        ('Heute wollen die roten Lehrer die Bücher holen.',
         'Today the red teachers want to fetch the books.'),
        ('Dort malt der Vogel diesen grünen Küchentisch.',
         'There the bird paints this green kitchen table.')]
    assert grammar.sample(seed=1)['train'][0] != sample['train'][0]
    german = [pair[0] for pairs in sample.values() for pair in pairs]
    assert len(set(german)) == len(german)


def test_a_sentence_has_one_translation():
    generator = grammar._Generator(0)
    translations = {}
    for _ in range(20000):
        german, english = generator.pair()
        assert translations.setdefault(german, english) == english
    assert len(translations) < 20000


@pytest.mark.parametrize('german, english', [
    # The verb is at the end of a clause, after the participle.
    (r'dass .* hat\.$', r'that .* has \w+'),
    (r'weil .* \w+en können\.$', r'because .* can \w+'),
    # After an opening such as "Heute", the verb precedes the subject.
    (r'^Heute hat .* gesehen\.$', r'^Today \w+ .* has seen \w+'),
    # Endings depend on gender, case and number.
    (r'\bden alten Stuhl\b', r'\bthe old chair\b'),
    (r'\bein rote[rs] (Vogel|Kind)\b', r'\ba red (bird|child)\b'),
    (r'\bdiese neuen Uhren\b', r'\bthese new clocks\b'),
    (r'\beinen alten \w+', r'\ban old \w+'),
    # Verbs agree with their subjects.
    (r'^\w+ (\w+ )?Kinder (haben|wollen|müssen)\b',
     r'\bchildren (have|want|must)\b'),
    (r'^\w+ (\w+ )?Kind (hat|will|muss)\b', r'\bchild (has|wants|must)\b'),
    # German compounds are single words.
    (r'\bKüchentisch\b', r'\bkitchen table\b'),
])
def test_rules(sample, german, english):
    found = [pair for pair in sample['train'] if re.search(german, pair[0])]
    assert found
    for pair in found:
        assert re.search(english, pair[1], re.IGNORECASE), pair
