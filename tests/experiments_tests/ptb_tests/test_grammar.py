from experiments.ptb import grammar


def test_same_text_every_time():
    assert grammar.sample(50, 5, 5) == grammar.sample(50, 5, 5)
    assert grammar.sample(50, 5, 5) != grammar.sample(50, 5, 5, seed=1)


def test_no_sentence_twice():
    parts = grammar.sample()
    sentences = [tuple(words) for part in parts.values() for words in part]
    assert len(set(sentences)) == len(sentences) == 6000


def test_vocabulary():
    parts = grammar.sample()
    train, valid, test = [
        {word for words in parts[part] for word in words}
        for part in ('train', 'valid', 'test')]
    assert 300 < len(train) < 600
    assert valid | test <= train


def test_reflexive_agrees_with_name():
    women, men = grammar._NAMES
    for words in grammar.sample(1000, 1, 1)['train']:
        for reflexive, names in ('herself', women), ('himself', men):
            if reflexive in words:
                previous = words[:words.index(reflexive)]
                name = [w for w in previous if w in women + men][-1]
                assert name in names


def test_inflection():
    assert grammar._inflected('watch', 'now', 0) == ['watches']
    assert grammar._inflected('taste', 'then', 1) == ['tasted']
    assert grammar._inflected('be', 'then', 1) == ['were']
    assert grammar._inflected('be', 'later', 0) == ['will', 'be']
