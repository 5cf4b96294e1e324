"""The sample: sentences that a small grammar generates.

The sentences contain dependencies that a language model has to learn. A verb
agrees with its subject, even if a phrase or a clause separates them. An
adverb of time at the start of a sentence determines the tense of the verb.
``either`` requires ``or``. A name determines whether ``himself`` or
``herself`` follows. The nouns of a sentence belong to one topic.
"""
import random


def sample(n_train=5000, n_valid=500, n_test=500, seed=2016):
    """Return a dict of the three parts of the sample.

    Each part is a list of sentences, and each sentence is a list of words. The
    same arguments give the same text with every version of Python. No sentence
    occurs twice.
    """
    speaker = _Speaker(seed)
    seen = set()
    parts = {}
    for part, n in ('train', n_train), ('valid', n_valid), ('test', n_test):
        sentences = []
        while len(sentences) < n:
            words = speaker.sentence()
            if tuple(words) not in seen:
                seen.add(tuple(words))
                sentences.append(words)
        parts[part] = sentences
    return parts


class _Speaker:
    """Generator of random sentences, with a method for each grammar rule."""

    def __init__(self, seed):
        # Only random() is guaranteed to return the same numbers in every
        # version of Python.
        self._random = random.Random(seed).random

    def sentence(self):
        self.topic = self._one_of(_TOPICS)
        kind = self._random()
        if kind < .55:
            return self._opened_clause()
        if kind < .70:
            return (['either'] + self._clause() + ['or'] + self._clause())
        if kind < .85:
            tense = self._one_of(_TENSES)
            return (['if'] + self._clause(tense) + ['then']
                    + self._clause(tense))
        return self._reported()

    def _opened_clause(self):
        # The opening determines the tense of a verb many words later.
        tense = self._one_of(_TENSES)
        opening = [] if self._random() < .3 else [self._one_of(_WHEN[tense])]
        return opening + self._clause(tense)

    def _reported(self):
        name, reflexive = self._person()
        verb = self._one_of(['told', 'asked', 'reminded', 'promised'])
        return [name, verb, reflexive, 'that'] + self._clause()

    def _clause(self, tense=None):
        tense = tense or self._one_of(_TENSES)
        if self._random() < .2:
            name, reflexive = self._person()
            verb = self._one_of(_ON_ONESELF)
            return [name] + _inflected(verb, tense, 0) + [reflexive]
        subject, number = self._noun_phrase(depth=0)
        return subject + self._predicate(tense, number)

    def _predicate(self, tense, number):
        if self._random() < .25:
            return (_inflected('be', tense, number)
                    + self._sometimes(.4, _DEGREES)
                    + [self._one_of(_ADJECTIVES)])
        verb = _inflected(self._one_of(self.topic.verbs), tense, number)
        thing, _ = self._noun_phrase(depth=1)
        return verb + thing + self._sometimes(.2, _HOW)

    def _noun_phrase(self, depth):
        """Return a phrase and its number: 0 for singular, 1 for plural."""
        number = int(self._random() < .5)
        words = [self._one_of(_DETERMINERS[number])]
        words += self._sometimes(.35, _ADJECTIVES)
        words.append(self._one_of(self.topic.nouns)[number])
        if words[0] == 'a' and words[1][0] in 'aeiou':
            words[0] = 'an'
        inside = self._random()
        if depth < 2 and inside < .25:
            words.append(self._one_of(_PREPOSITIONS))
            words += self._noun_phrase(depth + 1)[0]
        elif depth == 0 and inside < .45:
            # This verb agrees with the subject of the relative clause. The
            # verb of the sentence agrees with the outer phrase.
            owner, its_number = self._noun_phrase(depth=2)
            verb = self._one_of(self.topic.verbs)
            words += ['that'] + owner + _inflected(verb, 'now', its_number)
        return words, number

    def _person(self):
        number = int(self._random() < .5)
        return self._one_of(_NAMES[number]), ['herself', 'himself'][number]

    def _sometimes(self, probability, words):
        return [self._one_of(words)] if self._random() < probability else []

    def _one_of(self, choices):
        # Earlier choices are more likely, because word frequencies in natural
        # text differ.
        return choices[int(self._random() ** 1.5 * len(choices))]


def _inflected(verb, tense, number):
    """Inflect a verb for tense and number, and return a list of words."""
    if tense == 'later':
        return ['will', verb]
    if verb == 'be':
        return [{'now': ['is', 'are'], 'then': ['was', 'were']}
                [tense][number]]
    if tense == 'then':
        return [verb + 'd' if verb.endswith('e') else verb + 'ed']
    if number:
        return [verb]
    return [verb + ('es' if verb.endswith(('s', 'sh', 'ch')) else 's')]


class _Topic:
    def __init__(self, nouns, verbs):
        self.nouns = [tuple(noun.split('/')) if '/' in noun
                      else (noun, noun + 's') for noun in nouns.split()]
        self.verbs = verbs.split()


_TOPICS = [
    _Topic('boat sailor net harbour wave island captain gull anchor storm '
           'lighthouse diver sail rope',
           'follow pull watch paint anchor repair name'),
    _Topic('cook kettle spoon apple onion pan baker cake table oven recipe '
           'lemon waiter plate',
           'boil taste roast serve wash order heat'),
    _Topic('teacher pupil lesson map blackboard pencil question poem desk '
           'answer book chapter essay test',
           'explain question mark correct learn repeat open'),
    _Topic('gardener tree flower seed hedge bee path root spade pond frog '
           'fence snail rose',
           'plant water prune visit cover shade collect'),
    _Topic('driver train station ticket signal bridge tunnel engine '
           'passenger suitcase platform conductor bell wheel',
           'pass check load repair inspect delay miss'),
    _Topic('doctor nurse patient bandage needle mirror lamp visitor bed '
           'fever tonic chart cough ward',
           'treat measure comfort visit order prepare examine'),
    _Topic('painter brush canvas portrait frame colour museum statue '
           'collector sketch gallery guard model shadow',
           'paint restore frame trace admire display sketch'),
    _Topic('farmer horse goose/geese sheep/sheep ox/oxen barn cart field '
           'dog gate hen bucket mouse/mice meadow',
           'lift guard chase fill follow groom count'),
]
_TENSES = ['now', 'then', 'later']
_WHEN = {
    'now': ['today', 'nowadays', 'usually', 'often'],
    'then': ['yesterday', 'once', 'formerly', 'earlier'],
    'later': ['tomorrow', 'soon', 'someday', 'eventually'],
}
_DETERMINERS = [
    ['the', 'a', 'this', 'every', 'that', 'each'],
    ['the', 'some', 'these', 'many', 'those', 'few', 'several'],
]
_PREPOSITIONS = ['near', 'behind', 'with', 'under', 'beside', 'above']
_ADJECTIVES = (
    'old small red quiet heavy bright clever green broken tall young strange '
    'warm slow narrow famous empty gentle blue rusty round cheap careful '
    'hungry').split()
_DEGREES = ['very', 'quite', 'rather', 'hardly']
_HOW = ['slowly', 'again', 'carefully', 'twice', 'gladly', 'together']
_NAMES = [
    'anna clara ida martha nora olga ruth sofia'.split(),
    'albert carl emil hugo martin oscar paul victor'.split(),
]
_ON_ONESELF = ['surprise', 'help', 'question', 'calm', 'trust', 'amuse']
