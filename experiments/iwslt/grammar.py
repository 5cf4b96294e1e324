"""The embedded sample: a little German and its English, made up here.

The pairs have what makes this translation hard. German puts participles,
infinitives and the verb of a clause with ``dass`` or ``weil`` at the end,
and inverts subject and verb after an opening, where English keeps subject,
verb and object; articles and adjectives agree with gender, case and number,
verbs with their subjects; compounds are one word in German and two in
English.
"""
import collections
import random


def sample(n_train=4000, n_dev=200, n_test=200, seed=2016):
    """Generates the three parts of the sample.

    The same numbers give the same text with every version of Python. No
    German sentence occurs twice, neither within a part nor in two of them.

    Args:
        n_train (int): Number of pairs of the training part.
        n_dev (int): Number of pairs of the development part.
        n_test (int): Number of pairs of the test part.
        seed (int): Seed of the generator.

    Returns:
        dict: ``'train'``, ``'dev'`` and ``'test'``, each a list of pairs of
        a German and an English sentence.

    """
    speaker = _Speaker(seed)
    seen = set()
    parts = {}
    for part, n in ('train', n_train), ('dev', n_dev), ('test', n_test):
        pairs = []
        while len(pairs) < n:
            german, english = speaker.pair()
            if german not in seen:
                seen.add(german)
                pairs.append((german, english))
        parts[part] = pairs
    return parts


# A phrase in both languages; its number is 0 for singular, 1 for plural
_Phrase = collections.namedtuple('_Phrase', 'german english number')


class _Speaker(object):

    """Draws sentences, rule by rule."""

    def __init__(self, seed):
        # random() alone is promised to give the same numbers in every
        # version of Python, so all choices are made with it.
        self._random = random.Random(seed).random

    def pair(self):
        """A German sentence and its translation."""
        subject = self._noun_phrase(_ACTORS, 'nominative')
        thing = self._noun_phrase(_THINGS, 'accusative')
        first, last, english = self._verb(subject.number)
        english = [subject.english, english, thing.english]
        kind = self._random()
        if kind < .35:
            german = [subject.german, first, thing.german, last]
        elif kind < .6:
            opening, its_english = self._one_of(_OPENINGS)
            german = [opening, first, subject.german, thing.german, last]
            english.insert(0, its_english)
        else:
            opening, its_english = self._one_of(_MAIN_CLAUSES)
            german = [opening, subject.german, thing.german, last, first]
            english.insert(0, its_english)
        return _sentence(german), _sentence(english)

    def _verb(self, number):
        """The finite verb, what else stands at the end, and the English."""
        verb = self._one_of(_VERBS)
        kind = self._random()
        if kind < .4:
            return verb.present[number], '', verb.english[number]
        if kind < .7:
            return (['hat', 'haben'][number], verb.participle,
                    '{} {}'.format(['has', 'have'][number], verb.english[2]))
        modal, its_english = self._one_of(_MODALS)
        return (modal[number], verb.present[1],
                '{} {}'.format(its_english[number], verb.english[1]))

    def _noun_phrase(self, nouns, case):
        noun = self._one_of(nouns)
        number = int(self._random() < .35)
        german, english = noun.german[number], noun.english[number]
        if nouns is _THINGS and self._random() < .3:
            part, its_english = self._one_of(_COMPOUNDED)
            german = part + german.lower()
            english = '{} {}'.format(its_english, english)
        gender = 'plural' if number else noun.gender
        articles, endings, its_english = self._one_of(_ARTICLES[number])
        form = _FORMS.index((gender, case))
        german, english = [german], [english]
        if self._random() < .4:
            adjective, its_adjective = self._one_of(_ADJECTIVES)
            german.insert(0, adjective + endings.split()[form])
            english.insert(0, its_adjective)
        if its_english == 'a' and english[0][0] in 'aeiou':
            its_english = 'an'
        return _Phrase(
            ' '.join([articles.split()[form]] + german),
            ' '.join([its_english] + english), number)

    def _one_of(self, choices):
        return choices[int(self._random() * len(choices))]


def _sentence(parts):
    text = ' '.join(part for part in parts if part)
    return text[0].upper() + text[1:] + '.'


class _Noun(object):

    def __init__(self, line):
        self.gender, *words = line.split()
        self.german, self.english = words[:2], words[2:]


class _Verb(object):

    def __init__(self, line):
        words = line.split()
        self.present, self.participle = words[:2], words[2]
        self.english = words[3:]  # third person, plural, participle


# Gender and case of each of the forms below
_FORMS = [
    ('m', 'nominative'), ('m', 'accusative'),
    ('f', 'nominative'), ('f', 'accusative'),
    ('n', 'nominative'), ('n', 'accusative'),
    ('plural', 'nominative'), ('plural', 'accusative')]

# Of each number: article, ending of the adjective after it, and English
_ARTICLES = [
    [('der den die die das das', 'e en e e e e', 'the'),
     ('ein einen eine eine ein ein', 'er en e e es es', 'a'),
     ('dieser diesen diese diese dieses dieses', 'e en e e e e', 'this')],
    [(6 * '- ' + 'die die', 6 * '- ' + 'en en', 'the'),
     (6 * '- ' + 'diese diese', 6 * '- ' + 'en en', 'these'),
     (6 * '- ' + 'viele viele', 6 * '- ' + 'e e', 'many')]]

_ACTORS = list(map(_Noun, [
    'm Hund Hunde dog dogs',
    'm Lehrer Lehrer teacher teachers',
    'm Koch Köche cook cooks',
    'm Vogel Vögel bird birds',
    'm Arzt Ärzte doctor doctors',
    'f Katze Katzen cat cats',
    'f Frau Frauen woman women',
    'f Maus Mäuse mouse mice',
    'n Kind Kinder child children',
    'n Pferd Pferde horse horses']))

_THINGS = list(map(_Noun, [
    'm Tisch Tische table tables',
    'm Schlüssel Schlüssel key keys',
    'm Stuhl Stühle chair chairs',
    'm Apfel Äpfel apple apples',
    'f Tür Türen door doors',
    'f Lampe Lampen lamp lamps',
    'f Uhr Uhren clock clocks',
    'n Buch Bücher book books',
    'n Bild Bilder picture pictures',
    'n Glas Gläser glass glasses']))

_COMPOUNDED = [
    ('Haus', 'house'), ('Garten', 'garden'), ('Küchen', 'kitchen'),
    ('Schul', 'school'), ('Sommer', 'summer')]

_ADJECTIVES = [
    ('alt', 'old'), ('klein', 'small'), ('rot', 'red'), ('neu', 'new'),
    ('grün', 'green'), ('schön', 'pretty')]

_VERBS = list(map(_Verb, [
    'sieht sehen gesehen sees see seen',
    'findet finden gefunden finds find found',
    'malt malen gemalt paints paint painted',
    'kauft kaufen gekauft buys buy bought',
    'trägt tragen getragen carries carry carried',
    'putzt putzen geputzt cleans clean cleaned',
    'holt holen geholt fetches fetch fetched',
    'verliert verlieren verloren loses lose lost']))

_MODALS = [
    (('will', 'wollen'), ('wants to', 'want to')),
    (('kann', 'können'), ('can', 'can')),
    (('muss', 'müssen'), ('must', 'must'))]

_OPENINGS = [
    ('heute', 'today'), ('dort', 'there'), ('vielleicht', 'perhaps'),
    ('manchmal', 'sometimes')]

_MAIN_CLAUSES = [
    ('ich glaube, dass', 'I believe that'),
    ('wir hören, dass', 'we hear that'),
    ('Anna lacht, weil', 'Anna laughs because'),
    ('niemand weiß, ob', 'nobody knows whether')]
