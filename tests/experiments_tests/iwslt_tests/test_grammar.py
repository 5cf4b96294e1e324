import re

import pytest

from experiments.iwslt import grammar


@pytest.fixture(scope='module')
def sample():
    return grammar.sample()


def test_no_sentence_twice(sample):
    assert {part: len(pairs) for part, pairs in sample.items()} == {
        'train': 4000, 'dev': 200, 'test': 200}
    german = [pair[0] for pairs in sample.values() for pair in pairs]
    assert len(set(german)) == len(german)


def test_a_sentence_has_one_translation():
    # However often it is drawn.
    speaker = grammar._Speaker(0)
    translations = {}
    for _ in range(20000):
        german, english = speaker.pair()
        assert translations.setdefault(german, english) == english
    assert len(translations) < 20000


def test_same_everywhere(sample):
    assert sample['train'][:3] == [
        ('Diese Maus hat den alten Stuhl gekauft.',
         'This mouse has bought the old chair.'),
        ('Heute wollen die roten Lehrer die Bücher holen.',
         'Today the red teachers want to fetch the books.'),
        ('Dort malt der Vogel diesen grünen Küchentisch.',
         'There the bird paints this green kitchen table.')]
    assert grammar.sample(seed=1)['train'][0] != sample['train'][0]


@pytest.mark.parametrize('german, english', [
    # the verb at the end of a clause, the participle before it
    (r'dass .* hat\.$', r'that .* has \w+'),
    (r'weil .* \w+en können\.$', r'because .* can \w+'),
    # subject and verb after an opening
    (r'^Heute hat .* gesehen\.$', r'^Today \w+ .* has seen \w+'),
    # gender, case and number
    (r'\bden alten Stuhl\b', r'\bthe old chair\b'),
    (r'\bein roter Vogel\b', r'\ba red bird\b'),
    (r'\bein rotes Kind\b', r'\ba red child\b'),
    (r'\bdiese neuen Uhren\b', r'\bthese new clocks\b'),
    (r'\beinen alten \w+', r'\ban old \w+'),
    # compounds
    (r'\bKüchentisch\b', r'\bkitchen table\b'),
    (r'\bHaustüren\b', r'\bhouse doors\b'),
])
def test_rules(sample, german, english):
    found = [pair for pair in sample['train'] if re.search(german, pair[0])]
    assert found
    for pair in found:
        assert re.search(english, pair[1], re.IGNORECASE), pair


@pytest.mark.parametrize('number, german, english', [
    (0, 'hat|will|kann|muss', 'has|wants|can|must'),
    (1, 'haben|wollen|können|müssen', 'have|want|can|must')])
def test_verbs_agree(sample, number, german, english):
    found = 0
    for pair in sample['train']:
        subject = re.search(r'\b(Kind|Kinder)\b', pair[0])
        auxiliary = [
            re.search(r'\b({})\b'.format(pattern), text) for pattern, text
            in zip(('hat|will|kann|muss|haben|wollen|können|müssen',
                    'has|have|wants?|can|must'), pair)]
        if subject and all(auxiliary) and number == (
                subject.group() == 'Kinder'):
            found += 1
            assert auxiliary[0].group() in german.split('|'), pair
            assert auxiliary[1].group() in english.split('|'), pair
    assert found > 20
