"""The sample: German and English sentences generated from a grammar.

The pairs contain typical difficulties of German. Participles and infinitives
are at the end of a clause, and so is the verb after ``dass`` or ``weil``.
Subject and verb are inverted after an opening. Articles and adjectives agree
in gender, case and number, and verbs agree with their subjects. Compounds are
one word in German and two words in English.
"""
import random


def sample(n_train=4000, n_dev=200, n_test=200, seed=2016):
    """Return a dict of the three parts of the sample, each a list of pairs.

    The same arguments give the same text with every version of Python. No
    German sentence occurs twice.
    """
    generator = _Generator(seed)
    pairs = {}  # maps German sentences to pairs
    while len(pairs) < n_train + n_dev + n_test:
        german, english = generator.pair()
        pairs.setdefault(german, (german, english))
    pairs = list(pairs.values())
    return {'train': pairs[:n_train],
            'dev': pairs[n_train:n_train + n_dev],
            'test': pairs[n_train + n_dev:]}


class _Generator:

    def __init__(self, seed):
        # Only random() is guaranteed to return the same numbers in every
        # version of Python.
        self._random = random.Random(seed).random

    def pair(self):
        """Return a German sentence and its translation."""
        subject, subject_english, number = self._noun_phrase(
            _ACTORS, 'nominative')
        thing, thing_english, _ = self._noun_phrase(_THINGS, 'accusative')
        first, last, verb_english = self._verb(number)
        english = [subject_english, verb_english, thing_english]
        kind = self._random()
        if kind < .35:
            german = [subject, first, thing, last]
        elif kind < .6:
            opening, opening_english = self._choose(_OPENINGS)
            german = [opening, first, subject, thing, last]
            english.insert(0, opening_english)
        else:
            opening, opening_english = self._choose(_MAIN_CLAUSES)
            german = [opening, subject, thing, last, first]
            english.insert(0, opening_english)
        return _sentence(german), _sentence(english)

    def _verb(self, number):
        """Return a finite German verb, its complement, and an English verb.

        The German complement is a participle, an infinitive or empty.
        """
        singular, plural, participle, *english = self._choose(_VERBS).split()
        kind = self._random()
        if kind < .4:
            return (singular, plural)[number], '', english[number]
        if kind < .7:
            return (('hat', 'haben')[number], participle,
                    f'{("has", "have")[number]} {english[2]}')
        modal, modal_english = self._choose(_MODALS)
        return modal[number], plural, f'{modal_english[number]} {english[1]}'

    def _noun_phrase(self, nouns, case):
        """Return a noun phrase in German and in English, and its number.

        The number is 0 for singular and 1 for plural.
        """
        gender, *words = self._choose(nouns).split()
        number = int(self._random() < .35)
        german, english = words[number], words[2 + number]
        if nouns is _THINGS and self._random() < .3:
            part, part_english = self._choose(_COMPOUNDED)
            german = part + german.lower()
            english = f'{part_english} {english}'
        form = _FORMS.index(('plural' if number else gender, case))
        article, ending, article_english = self._choose(_ARTICLES[number])
        if self._random() < .4:
            adjective, adjective_english = self._choose(_ADJECTIVES)
            german = f'{adjective}{ending.split()[form]} {german}'
            english = f'{adjective_english} {english}'
        if article_english == 'a' and english[0] in 'aeiou':
            article_english = 'an'
        return (f'{article.split()[form]} {german}',
                f'{article_english} {english}', number)

    def _choose(self, choices):
        return choices[int(self._random() * len(choices))]


def _sentence(parts):
    text = ' '.join(filter(None, parts))
    return text[0].upper() + text[1:] + '.'


# Gender and case of each German form in _ARTICLES, in the same order
_FORMS = [(gender, case) for gender in ('m', 'f', 'n', 'plural')
          for case in ('nominative', 'accusative')]

# A list for the singular and a list for the plural. Each tuple contains the
# forms of a German article, the adjective endings that follow it, and the
# English article.
_ARTICLES = [
    [('der den die die das das', 'e en e e e e', 'the'),
     ('ein einen eine eine ein ein', 'er en e e es es', 'a'),
     ('dieser diesen diese diese dieses dieses', 'e en e e e e', 'this')],
    [(6 * '- ' + 'die die', 6 * '- ' + 'en en', 'the'),
     (6 * '- ' + 'diese diese', 6 * '- ' + 'en en', 'these'),
     (6 * '- ' + 'viele viele', 6 * '- ' + 'e e', 'many')]]

_ACTORS = [
    'm Hund Hunde dog dogs', 'm Lehrer Lehrer teacher teachers',
    'm Koch Köche cook cooks', 'm Vogel Vögel bird birds',
    'm Arzt Ärzte doctor doctors', 'f Katze Katzen cat cats',
    'f Frau Frauen woman women', 'f Maus Mäuse mouse mice',
    'n Kind Kinder child children', 'n Pferd Pferde horse horses']

_THINGS = [
    'm Tisch Tische table tables', 'm Schlüssel Schlüssel key keys',
    'm Stuhl Stühle chair chairs', 'm Apfel Äpfel apple apples',
    'f Tür Türen door doors', 'f Lampe Lampen lamp lamps',
    'f Uhr Uhren clock clocks', 'n Buch Bücher book books',
    'n Bild Bilder picture pictures', 'n Glas Gläser glass glasses']

_COMPOUNDED = [
    ('Haus', 'house'), ('Garten', 'garden'), ('Küchen', 'kitchen'),
    ('Schul', 'school'), ('Sommer', 'summer')]

_ADJECTIVES = [
    ('alt', 'old'), ('klein', 'small'), ('rot', 'red'), ('neu', 'new'),
    ('grün', 'green'), ('schön', 'pretty')]

# German, then English: third person singular and plural, and participle
_VERBS = [
    'sieht sehen gesehen sees see seen',
    'findet finden gefunden finds find found',
    'malt malen gemalt paints paint painted',
    'kauft kaufen gekauft buys buy bought',
    'trägt tragen getragen carries carry carried',
    'putzt putzen geputzt cleans clean cleaned',
    'holt holen geholt fetches fetch fetched',
    'verliert verlieren verloren loses lose lost']

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
