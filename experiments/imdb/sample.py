"""Generated reviews, whose sentiment depends on the order of words."""
import random


_GOOD = ('brilliant moving funny clever gripping charming lovely superb '
         'touching witty fresh thrilling').split()
_BAD = ('dull awful boring clumsy silly tedious lifeless weak dreadful flat '
        'painful stale').split()
_ASPECTS = ('acting plot music script camera dialogue ending lighting pace '
            'opening').split()
_FILMS = ('film', 'movie', 'picture', 'story', 'thing')
_PEOPLE = ('My brother', 'My sister', 'A friend',
           'The man beside me',  # codespell:ignore beside
           'My neighbour', 'Everyone at work', 'The paper', 'My teacher')

# {yes} stands for an adjective that fits the label of the review, and {no} for
# an adjective that fits the other label. Each of these verdicts contains both.
_VERDICTS = (
    'I expected something {no}, but it turned out {yes}.',
    'I thought it would be {no}, and yet it is {yes}.',
    'Although the {aspect} is {no}, the {film} as a whole is {yes}.',
    'The {film} as a whole is {yes}, although the {aspect} is {no}.',
    'It is {yes}, even if the {aspect} is {no} at times.',
    'It starts {no} and ends {yes}.',
    'It ends {yes}, after it started {no}.',
    '{No}? Not at all, it is {yes}.',
    'It is {yes}, not {no}.',
    'It is not {no} but {yes}.',
    'Those who call it {no} are wrong, and those who call it {yes} are '
    'right.',
    'Those who call it {yes} are right, and those who call it {no} are '
    'wrong.',
    'In the end I found it {yes}, having found it {no} for an hour.',
)
_NEGATED = (
    'It is not {no}.',
    'It is anything but {no}.',
    'It is far from {no}.',
    'Nobody could call this {film} {no}.',
    'I would never say that it is {no}.',
)
_PLAIN = (
    'It is {yes}.',
    'I can only call it {yes}.',
    'What a {yes} {film}!',
)
_OPENINGS = (
    'I saw this {film} on a Friday.',
    'We rented it for a rainy evening.',
    'This {film} came out years ago.',
    'I watched it twice, once alone.',
    'It was on television last night.',
    'The {aspect} is by people I had never heard of.',
    'It is about a family in a small town.',
    'There is a train in it, and a dog.',
)
_DECOYS = (
    '{person} called it {any}.',
    '{person} had told me that it was {any}.',
    '{person} found the {aspect} {any}.',
)


def sample(n_train=4000, n_test=1000, seed=0):
    """Return a dict of train and test parts: lists of (text, label) pairs."""
    choices = random.Random(seed)
    return {part: [(_review(choices, i % 2), i % 2) for i in range(n)]
            for part, n in (('train', n_train), ('test', n_test))}


def _review(choices, label):
    kind = choices.choices(
        (_VERDICTS, _NEGATED, _PLAIN), weights=(70, 15, 15))[0]
    n_decoys = choices.choice((0, 1, 1, 2))
    sentences = choices.sample(_OPENINGS, choices.randint(1, 3))
    sentences += [choices.choice(_DECOYS) for _ in range(n_decoys)]
    choices.shuffle(sentences)
    # The verdict is anywhere except at the very start.
    sentences.insert(
        choices.randint(1, len(sentences)), choices.choice(kind))
    return ' '.join(_filled(choices, sentence, label)
                    for sentence in sentences)


def _filled(choices, template, label):
    words = _GOOD, _BAD
    yes, no = (choices.choice(words[i]) for i in (1 - label, label))
    return template.format(
        yes=yes, no=no, No=no.capitalize(),
        any=choices.choice(choices.choice(words)),
        aspect=choices.choice(_ASPECTS), film=choices.choice(_FILMS),
        person=choices.choice(_PEOPLE))
