import gzip
import os

import numpy
import pytest

from experiments.common.errors import Problem
from experiments.iwslt import data
from experiments.paper import TABLES


IWSLT = os.path.join(os.path.dirname(data.__file__),
                     '..', '..', '..', 'shared', 'data', 'iwslt')

PAIRS = {
    'train': [('ab', 'x'), ('b ca', 'xyz')],
    'dev': [('a', 'x y')],
    'test': [('c', 'z'), ('bb', 'yy')],
}


def write(path, lines):
    contents = ''.join(line + '\n' for line in lines).encode()
    path.write_bytes(
        gzip.compress(contents) if path.name.endswith('.gz') else contents)


@pytest.fixture
def plain(tmp_path):
    """A folder of aligned files; those of one part are gzipped."""
    for part, pairs in PAIRS.items():
        for language, lines in zip(('de', 'en'), zip(*pairs)):
            write(tmp_path / '{}.{}{}'.format(
                part, language, '.gz' * (part == 'dev')), lines)
    return tmp_path


def as_xml(pairs, language):
    lines = ['<?xml version="1.0" encoding="UTF-8"?>',
             '<mteval>', '<srcset setid="x" srclang="german">']
    for i, pair in enumerate(pairs):
        lines += ['<doc docid="{}" genre="lectures">'.format(100 + i),
                  '<title>A title</title>',
                  '<seg id="1">  {} </seg>'.format(pair[language == 'en']),
                  '</doc>']
    return lines + ['</srcset>', '</mteval>']


@pytest.fixture
def official(tmp_path):
    """A folder as IWSLT releases it."""
    tags = ['<url>http://example.org/talk</url>', '<speaker>A. B.</speaker>',
            '<talkid>1</talkid>', '<title>A title</title>',
            '<description>TED: This and that</description>']
    for i, language in enumerate(('de', 'en')):
        write(tmp_path / 'train.tags.de-en.{}'.format(language),
              tags + [' {} '.format(pair[i]) for pair in PAIRS['train']]
              # As many translators as the talk has, on each side its own
              + i * ['<translator href="x">C. D.</translator>'])
        for name, part in ('tst2013', 'dev'), ('tst2014', 'test'):
            write(tmp_path / 'IWSLT16.TED.{}.de-en.{}.xml'.format(
                name, language), as_xml(PAIRS[part], language))
        for name in 'TED.dev2010', 'TEDX.tst2013':
            write(tmp_path / 'IWSLT16.{}.de-en.{}.xml'.format(name, language),
                  as_xml([('a ' + name, 'y ' + name)], language))
    return tmp_path


def pairs_of(corpus):
    return {part: getattr(corpus, part) for part in data.PARTS}


def test_plain(plain):
    corpus = data.load(str(plain), 300)
    assert pairs_of(corpus) == PAIRS
    assert list(corpus.characters) == ['\n'] + list(' abcxyz')
    assert '7 characters in both languages' in str(corpus)
    assert 'train        2 pairs  mean 3 / 2 characters\n' in str(corpus)
    assert '209,772 pairs, 103 / 93 characters, 187 code' in str(corpus)


def test_official(official):
    corpus = data.load(str(official), 300)
    assert pairs_of(corpus) == PAIRS
    assert 'left out' not in str(corpus)


def test_both_layouts_hold_the_same(plain, official):
    # Plain files come first.
    fingerprint = data.load(str(plain), 300).fingerprint(*data.PARTS)
    for path in plain.iterdir():
        if path.name.startswith(('train.de', 'train.en', 'dev', 'test')):
            path.unlink()
    assert data.load(str(official), 300).fingerprint(
        *data.PARTS) == fingerprint


def test_entities_of_the_release(official):
    path = official / 'train.tags.de-en.en'
    path.write_text(path.read_text().replace(' xyz ', 'Q&amp;A: &lt;x&gt;'))
    assert data.load(str(official), 300).train[1] == ('b ca', 'Q&A: <x>')


def test_names_of_multi30k(plain):
    """val.*, and test_*.*, the first that has both languages."""
    for path in list(plain.iterdir()):
        name = path.name.replace('dev', 'val').replace(
            'test', 'test_2017_flickr')
        path.rename(plain / name)
    write(plain / 'test_2016_flickr.de', ['c'])  # but no .en
    write(plain / 'test_2018.de', ['c'])
    write(plain / 'test_2018.en', ['d'])
    corpus = data.load(str(plain), 300)
    assert pairs_of(corpus) == PAIRS
    assert corpus.sets['test'] == ('test_2017_flickr',)
    assert 'test_2017_flickr' in str(corpus)
    with pytest.raises(Problem, match='begins with test; there is none'):
        data.load(str(plain), 300, ['test'])


@pytest.mark.parametrize('part', ['dev', 'test'])
def test_part_that_is_trained_on(plain, part):
    for language, lines in zip(('de', 'en'), zip(*PAIRS['train'])):
        for path in plain.glob(f'{part}.{language}*'):
            path.unlink()
        write(plain / f'{part}.{language}', lines)
    with pytest.raises(Problem, match=f'train.de and .*{part}.de hold the '
                       'same pairs.*--unchecked'):
        data.load(str(plain), 300)
    corpus = data.load(str(plain), 300, checked=False)
    assert getattr(corpus, part) == corpus.train


def test_extra(official):
    def trained_on(*extra):
        corpus = data.load(str(official), 300, extra)
        assert corpus.dev == PAIRS['dev'] and corpus.test == PAIRS['test']
        assert corpus.train[:2] == PAIRS['train']
        return [german for german, _ in corpus.train[2:]], corpus.sets['train']

    both = ['a TED.dev2010', 'a TEDX.tst2013']
    assert trained_on('TED') == (
        both, ('train', 'TED.dev2010', 'TEDX.tst2013'))
    assert trained_on('TED.')[0] == both[:1]
    assert trained_on('TED', 'TED.dev2010')[0] == both
    with pytest.raises(Problem, match='begins with TED.tst2014; there is'):
        trained_on('TED.tst2014')  # the test part
    with pytest.raises(Problem, match='the sample has no sets'):
        data.load('sample', 300, ['TED'])


def test_extra_of_plain_files(plain):
    for language in 'de', 'en':
        write(plain / 'TED.dev2010.{}.gz'.format(language), ['cc'])
        write(plain / 'train_lower_cased.{}'.format(language), ['aa'])
    assert data.load(str(plain), 300, ['TED']).train[2:] == [('cc', 'cc')]
    assert data.load(str(plain), 300, ['train']).train[2:] == [('aa', 'aa')]
    assert data.load(str(plain), 300).train == PAIRS['train']


def test_long_pairs_are_dropped_from_training_only(plain):
    corpus = data.load(str(plain), 2)
    assert corpus.train == PAIRS['train'][:1]
    assert corpus.dev == PAIRS['dev'] and corpus.test == PAIRS['test']
    assert '1 over 2 characters left out' in str(corpus)
    assert str(corpus).count('left out') == 1
    with pytest.raises(Problem, match='train of .* of at most 1 characters'):
        data.load(str(plain), 1)


def test_empty_and_single_lines_are_counted(plain):
    write(plain / 'train.de', ['ab', '', 'b ca', ' ', 'a', 'b'])
    write(plain / 'train.en', ['x', 'y', 'xyz', '\t', ''])
    with pytest.raises(
            Problem, match='train.de has 6 lines and .*train.en has 5'):
        data.load(str(plain), 300)
    corpus = data.load(str(plain), 300, checked=False)
    assert corpus.train == PAIRS['train']
    assert '3 with an empty side left out' in str(corpus)
    assert '1 lines without a partner left out' in str(corpus)


def test_segments_without_a_partner(official):
    path = official / 'IWSLT16.TED.tst2014.de-en.en.xml'
    path.write_text(path.read_text().replace('docid="101"', 'docid="102"'))
    corpus = data.load(str(official), 300)
    assert corpus.test == PAIRS['test'][:1]
    assert '2 lines without a partner left out' in str(corpus)


def test_lines_end_at_line_feeds_alone(plain):
    write(plain / 'train.de', ['a\u2028b', 'c\x85\x0bd\r'])
    write(plain / 'train.en', ['x', 'y'])
    assert data.load(str(plain), 300).train == [('a b', 'x'), ('c d', 'y')]


def test_segments_are_not_well_formed(official):
    path = official / 'IWSLT16.TED.tst2013.de-en.de.xml'
    path.write_text(path.read_text().replace('  a ', ' a & b &lt;\nc &amp; d'))
    assert data.load(str(official), 300).dev == [('a & b < c & d', 'x y')]


def test_unknown_characters_are_counted(plain):
    write(plain / 'dev.de.gz', ['aÄÖ'])
    corpus = data.load(str(plain), 300)
    assert '2 unknown characters' in str(corpus)
    (source, target, n_source, n_target), = corpus.examples('dev')
    assert (source < 0).tolist() == [True, True, False]
    assert n_source == 3 and n_target == len(target) == 4


def test_examples(plain):
    corpus = data.load(str(plain), 300)
    (source, target, n_source, n_target), _ = corpus.examples('train')
    assert corpus.characters.text(source[::-1]) == 'ab'
    assert corpus.characters.text(target) == 'x'
    assert target[-1] == corpus.characters.eos
    assert (n_source, n_target) == (2, 2)
    assert source.dtype == target.dtype == numpy.int32


def test_characters_of_a_model(plain):
    known = data.load(str(plain), 300).characters
    write(plain / 'train.de', ['ä', 'ö'])
    corpus = data.load(str(plain), 300, characters=known)
    assert corpus.characters is known
    assert '2 unknown characters' in str(corpus)


def test_fingerprint(plain):
    def fingerprints():
        corpus = data.load(str(plain), 300)
        return [corpus.fingerprint(part) for part in data.PARTS]

    before = fingerprints()
    assert fingerprints() == before and len(set(before)) == 3
    write(plain / 'test.en', ['z', 'yx'])
    assert fingerprints()[:2] == before[:2]
    assert fingerprints()[2] != before[2]


def test_sample():
    corpus = data.load('sample', 300)
    assert len(corpus.train) == 4000
    assert 'unknown' not in str(corpus) and 'left out' not in str(corpus)


@pytest.mark.skipif(not os.path.isdir(IWSLT),
                    reason='there are no IWSLT pairs beside the project')
def test_iwslt():
    corpus = data.load(IWSLT, 300, ['TED'])
    assert (len(corpus.dev), len(corpus.test)) == (993, 1305)
    assert len(corpus.train) == 29774
    assert corpus.fingerprint('test') in TABLES['iwslt'].fingerprints
    assert len(data.load(IWSLT, 300).train) == 19406


@pytest.mark.parametrize('name, contents, says', [
    ('train.de', b'\x89PNG\r\n\x1a\n\xff\xfe', 'is not UTF-8 text'),
    ('train.en', b'a b\0c\n', 'is not UTF-8 text'),
    ('dev.de.gz', b'not gzipped', 'cannot read'),
])
def test_bad_file(plain, name, contents, says):
    (plain / name).write_bytes(contents)
    with pytest.raises(Problem, match=says) as info:
        data.load(str(plain), 300)
    assert name in str(info.value)


def test_missing(plain, official):
    with pytest.raises(Problem, match='no folder .*nowhere'):
        data.load(str(plain / 'nowhere'), 300)
    write(plain / 'test.en', [' ', ''])
    with pytest.raises(Problem, match='test of .* holds no pair'):
        data.load(str(plain), 300)
    (plain / 'test.en').unlink()
    (official / 'IWSLT16.TED.tst2014.de-en.en.xml').unlink()
    with pytest.raises(
            Problem, match='test.{de,en} or test_.* or IWSLT.*tst2014'):
        data.load(str(plain), 300)
    for path in plain.glob('*dev*'):
        path.unlink()
    (official / 'IWSLT16.TED.tst2013.de-en.en.xml').unlink()
    with pytest.raises(Problem, match='no pair of files dev.* or val.*, and '
                       'none test.{de,en}'):  # all at once
        data.load(str(plain), 300)


def test_no_segments(official):
    (official / 'IWSLT16.TED.tst2013.de-en.de.xml').write_text('<doc>')
    with pytest.raises(Problem, match='tst2013.de-en.de.xml holds no <seg>'):
        data.load(str(official), 300)
