import gzip
import html
import os
import re
import tempfile

import pytest

from experiments.common.cli import UserError
from experiments.iwslt import data
from experiments.iwslt.pairs import clean
from experiments.paper import TABLES

hypothesis = pytest.importorskip('hypothesis')
st = hypothesis.strategies


IWSLT = os.path.join(os.path.dirname(data.__file__),
                     '..', '..', '..', 'shared', 'data', 'iwslt')

PAIRS = {
    'train': [('ab', 'x'), ('b ca', 'xyz')],
    'dev': [('a', 'x y')],
    'test': [('c', 'z'), ('bb', 'yy')],
}


def write(path, lines):
    with (gzip.open if str(path).endswith('.gz') else open)(path, 'wb') as f:
        f.write(''.join(line + '\n' for line in lines).encode())


def write_plain(folder, parts, suffix=''):
    for part, pairs in parts.items():
        for language, lines in zip(('de', 'en'), zip(*pairs)):
            write(f'{folder}/{part}.{language}{suffix}', lines)


def write_official(folder, parts):
    """Write sentence pairs in the file format of an IWSLT release."""
    names = {'dev': 'TED.tst2013', 'test': 'TED.tst2014'}
    for part, pairs in parts.items():
        for i, language in enumerate(('de', 'en')):
            lines = [html.escape(pair[i]) for pair in pairs]
            if part == 'train':
                name = f'train.tags.de-en.{language}'
                # Only the English file lists a translator.
                lines = ['<url>http://example.org/talk</url>',
                         '<talkid>1</talkid>', '<title>A title</title>',
                         *(f' {line} ' for line in lines),
                         *(i * ['<translator href="x">C. D.</translator>'])]
            else:
                name = f'IWSLT16.{names.get(part, part)}.de-en.{language}.xml'
                lines = ['<mteval>', '<srcset setid="x">', *(
                    f'<doc docid="{100 + n // 2}" genre="lectures">\n'
                    f'<title>A title</title>\n'
                    f'<seg id="{n % 2 + 1}">  {line} </seg>\n</doc>'
                    for n, line in enumerate(lines))]
            write(f'{folder}/{name}', lines)


@pytest.fixture
def plain(tmp_path):
    write_plain(tmp_path, PAIRS)
    return tmp_path


@pytest.fixture
def official(tmp_path):
    write_official(tmp_path, {
        **PAIRS, 'TED.dev2010': [('a TED.dev2010', 'y')],
        'TEDX.tst2013': [('a TEDX.tst2013', 'y')]})
    return tmp_path


# Lines end only at line feeds, unlike in str.splitlines.
sentences = st.text(
    st.characters(exclude_characters='\0\n\ufeff', exclude_categories=['Cs']),
    min_size=1, max_size=9).map(clean).filter(bool)
corpora = st.fixed_dictionaries(dict.fromkeys(PAIRS, st.lists(
    st.tuples(sentences, sentences), min_size=1, max_size=4)))


@pytest.mark.parametrize('write', [
    write_plain, write_official,
    lambda folder, parts: write_plain(folder, parts, '.gz')],
    ids=['plain', 'official', 'gzipped'])
@hypothesis.given(parts=corpora)
def test_round_trip(write, parts):
    """The corpus contains the sentences as text and as character indices."""
    with tempfile.TemporaryDirectory() as folder:
        write(folder, parts)
        corpus = data.load(folder, 300, checked=False)
    assert corpus.pairs == parts
    known = corpus.characters
    assert list(known)[0] == data.EOS
    assert sorted(known) == list(known) or min(known) < data.EOS
    assert set(known) - {'\n'} == set(''.join(map(''.join, parts['train'])))
    for pair, (source, target, n_source, n_target) in zip(
            parts['train'], corpus.examples('train')):
        assert (known.text(source[::-1]), known.text(target)) == pair
        assert source.dtype == target.dtype == 'int32'
        assert target[-1] == known.eos == 0
        assert n_source == len(source) == len(pair[0])
        assert n_target == len(target) == len(pair[1]) + 1


def test_names_of_multi30k(plain):
    """dev is read from val.*, and test from the first complete test_*.*."""
    for path in list(plain.iterdir()):
        name = path.name.replace('dev', 'val').replace(
            'test', 'test_2017_flickr')
        path.rename(plain / name)
    # test_2016_flickr is incomplete, because it has no English file.
    write(plain / 'test_2016_flickr.de', ['c'])
    write_plain(plain, {'test_2018': [('c', 'd')]})
    corpus = data.load(str(plain), 300)
    assert corpus.pairs == PAIRS
    assert corpus.facts['sets']['test'] == ['test_2017_flickr']


@pytest.mark.parametrize('part', ['dev', 'test'])
def test_same_pairs_as_the_training_part(plain, part):
    write_plain(plain, {part: PAIRS['train']})
    with pytest.raises(UserError, match=f'train.de and .*{part}.de contain '
                       'the same pairs.*--unchecked'):
        data.load(str(plain), 300)
    corpus = data.load(str(plain), 300, checked=False)
    assert corpus.pairs[part] == corpus.pairs['train']


def test_extra(official):
    def trained_on(*extra):
        corpus = data.load(str(official), 300, extra)
        train, sets = corpus.pairs['train'], corpus.facts['sets']['train']
        assert {**corpus.pairs, 'train': train[:2]} == PAIRS
        assert sets[1:] == [german[2:] for german, _ in train[2:]]
        return sets[1:]

    assert trained_on('TED') == ['TED.dev2010', 'TEDX.tst2013']
    assert trained_on('TED.', 'TED.dev') == ['TED.dev2010']
    write_plain(official, {'TEDY': [('a TEDY', 'y')]}, '.gz')
    assert trained_on('TEDY') == ['TEDY']
    with pytest.raises(UserError, match='begins with TED.tst2014; choose'):
        trained_on('TED.tst2014')  # this set is the test part
    with pytest.raises(UserError, match='--extra requires --data'):
        data.load(None, 300, ['TED'])


def test_long_pairs_are_dropped_from_training_only(plain):
    corpus = data.load(str(plain), 2)
    assert corpus.pairs == {**PAIRS, 'train': PAIRS['train'][:1]}
    assert str(corpus).count('; 1 longer pairs left out\n') == 1
    with pytest.raises(UserError, match='train of .* of at most 1 characters'):
        data.load(str(plain), 1)


def test_empty_and_single_lines_are_left_out(plain, capsys):
    write(plain / 'train.de', ['ab', '', 'b ca', ' ', 'a', 'b'])
    write(plain / 'train.en', ['x', 'y', 'xyz', '\t', ''])
    with pytest.raises(
            UserError, match='train.de has 6 lines and .*train.en has 5'):
        data.load(str(plain), 300)
    corpus = data.load(str(plain), 300, checked=False)
    assert corpus.pairs['train'] == PAIRS['train']
    warnings = capsys.readouterr().err
    assert '3 pairs with an empty side are left out' in warnings
    assert '1 lines without a partner are left out' in warnings


XML = 'IWSLT16.TED.tst2014.de-en.en.xml'


def test_segments_of_the_release(official):
    """Files need not be well-formed XML."""
    path = official / XML
    path.write_text(path.read_text().replace(
        '  z ', ' a & b &lt;\nc &amp; d <!-- no --> < 5'))
    assert data.load(str(official), 300).pairs['test'] == [
        ('c', 'a & b < c & d < 5'), ('bb', 'yy')]
    # Long malformed content is rejected quickly.
    for text in '<seg id="1">', '<seg id="', '<seg ', '<doc ', '<doc docid="':
        path.write_text(20000 * text)
        with pytest.raises(UserError, match='de-en.en.xml'):
            data.load(str(official), 300)


@pytest.mark.parametrize('change', [
    ('docid="100"', "docid='100'"), ('docid="100"', 'docid = "100"'),
    ('docid="100"', 'docid=100'), ('docid="100"', 'x="a>b" docid="100"'),
    ('docid="100"', 'id="100"'), ('<doc docid="100"', '<DOC\nDOCID="100"'),
    ('id="1">', "id='1' >")])
def test_variants_of_documents(official, change):
    path = official / XML
    path.write_text(path.read_text().replace(*change))
    assert data.load(str(official), 300).pairs['test'] == PAIRS['test']


def test_documents_without_numbers(official):
    for path in official.glob('*.tst2014.*'):
        path.write_text(re.sub('(<doc|<seg).*?>', r'\1>', path.read_text()))
    assert data.load(str(official), 300).pairs['test'] == PAIRS['test']


@pytest.mark.parametrize('old, new, message', [
    ('id="2"', 'id="1"', f'{XML} contains segment 1 of document 100 '
     'twice'),
    ('id="2"', 'id="3"', f'de.xml has 2 lines and .*{XML} has 2, and only one '
     'of them has segment 2 of document 100; .*--unchecked'),
    ('docid="100"', 'docid="7"', 'has segment 1 of document 100'),
    ('docid="100"', '', 'has segment 1 of document 100')])
def test_other_documents(official, capsys, old, new, message):
    """Sentences of different segments are never paired."""
    path = official / XML
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=message):
        data.load(str(official), 300)
    if new == 'id="3"':
        assert data.load(str(official), 300, checked=False).pairs['test'] == [
            ('c', 'z')]
        assert '2 lines without a partner' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['train.de', 'dev.en'])
def test_git_lfs_pointer(plain, name):
    (plain / name).write_text('version https://git-lfs.github.com/spec/v1\n')
    with pytest.raises(UserError, match=f'{name} is a Git LFS pointer'):
        data.load(str(plain), 300)


def test_byte_order_marks(official):
    for path in official.iterdir():
        path.write_text('\ufeff' + path.read_text())
    for name in '._train.de', '._train.en':  # added by macOS
        (official / name).write_text('metadata')
    assert data.load(str(official), 300).pairs == PAIRS


def test_characters_of_a_model(plain):
    """Unknown characters have the index -1 and are not scored."""
    known = data.load(str(plain), 300).characters
    write(plain / 'train.de', ['ä', 'öa'])
    write(plain / 'train.en', ['x', 'y%'])
    corpus = data.load(str(plain), 300, characters=known)
    assert corpus.characters is known
    assert '; 3 unknown characters\n' in str(corpus)
    _, (source, target, n_source, n_target) = corpus.examples('train')
    assert (source.tolist(), n_source) == ([known.source('a')[0], -1], 2)
    assert (target.tolist(), n_target) == ([*known.target('y')[:1], -1, 0], 2)


def test_fingerprint(plain):
    def fingerprints():
        facts = data.load(str(plain), 300).facts
        return facts['training_fingerprint'], facts['fingerprint']

    training, test = fingerprints()
    assert fingerprints() == (training, test)
    write(plain / 'test.en', ['z', 'yx'])
    assert fingerprints()[0] == training and fingerprints()[1] != test


@pytest.mark.skipif(not os.path.isdir(IWSLT),
                    reason='the IWSLT pairs are not available')
def test_iwslt():
    corpus = data.load(IWSLT, 300, ['TED'])
    assert (len(corpus.pairs['dev']), len(corpus.pairs['test'])) == (993, 1305)
    assert len(corpus.pairs['train']) == 29774
    assert corpus.facts['fingerprint'] in TABLES['iwslt'].fingerprints


def test_missing(plain, official):
    with pytest.raises(UserError, match='no folder .*nowhere'):
        data.load(str(plain / 'nowhere'), 300)
    write(plain / 'test.en', [' ', ''])
    with pytest.raises(UserError, match='test of .* contains no pair'):
        data.load(str(plain), 300)
    for name in 'test.en', 'IWSLT16.TED.tst2014.de-en.en.xml':
        (plain / name).unlink()
    with pytest.raises(UserError, match='named test or test_.* or TED.tst2014 '
                       'in'):
        data.load(str(plain), 300)
    for name in 'dev.de', 'IWSLT16.TED.tst2013.de-en.en.xml':
        (plain / name).unlink()
    with pytest.raises(UserError, match='named dev or val or TED.tst2013, and '
                       'none test or'):
        data.load(str(plain), 300)
