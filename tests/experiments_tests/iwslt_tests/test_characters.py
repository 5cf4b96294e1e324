from experiments.iwslt.characters import Characters


def test_numbers():
    characters = Characters.of(['ca', 'äb'])
    assert list(characters) == ['\n', 'a', 'b', 'c', 'ä']
    assert len(characters) == 5 and characters.eos == 0
    source, target = characters.source('cab'), characters.target('cab')
    assert source.tolist() == [2, 1, 3]  # read from its end
    assert target.tolist() == [3, 1, 2, 0]
    assert source.dtype == target.dtype == 'int32'


def test_text():
    characters = Characters('\nabc')
    assert characters.text([3, 1, 2, 0, 0]) == 'cab'
    assert characters.text([3, 0, 1]) == 'c'
    assert characters.text([3, 1]) == 'ca'
    assert characters.text([]) == characters.text([0]) == ''


def test_unknown_characters_keep_their_place():
    characters = Characters('\nabc')
    assert characters.source('a%b').tolist() == [2, -1, 1]
    assert characters.target('%a').tolist() == [-1, 1, 0]
    assert characters.unknown('a%b€%') == ['%', '€', '%']
    assert 'a' in characters and '%' not in characters
