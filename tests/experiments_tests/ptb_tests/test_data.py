import gzip
import itertools
import os
import tracemalloc

import numpy
import pytest

from experiments.common import text
from experiments.common.cli import UserError
from experiments.paper import TABLES
from experiments.ptb import data
from experiments.ptb import sentences


PTB = os.path.join(os.path.dirname(data.__file__),
                   '..', '..', '..', 'shared', 'data', 'ptb')


@pytest.fixture
def folder(tmp_path):
    """Return a folder of three text files, one of which is gzipped."""
    (tmp_path / 'ptb.train.txt').write_text(' a b \n b c b \n')
    (tmp_path / 'ptb.valid.txt').write_text(' a c \n')
    (tmp_path / 'ptb.test.txt.gz').write_bytes(
        gzip.compress(b' c b \n\n b c \n'))
    return tmp_path


def words(corpus, part):
    return ' '.join(corpus.vocabulary[i] for i in getattr(corpus, part))


def test_folder(folder):
    corpus = data.load(str(folder))
    assert words(corpus, 'train') == 'a b <eos> b c b <eos>'
    assert words(corpus, 'valid') == 'a c <eos>'
    assert words(corpus, 'test') == 'c b <eos> <eos> b c <eos>'
    assert corpus.vocabulary == ['<eos>', 'a', 'b', 'c']
    assert corpus.train.dtype == numpy.int32
    assert '      2 lines' in str(corpus)
    assert '7 tokens' in str(corpus) and 'unknown' not in str(corpus)


@pytest.mark.parametrize('text, expected', [
    # Lines end only at line feeds, unlike in str.splitlines.
    (b'c \xc2\x85 b\x0cb\r\n', 'c b b <eos>'),
    (b'\xef\xbb\xbfc b', 'c b <eos>'),
    # Some texts contain <eos>, and some are a single line.
    (b' c b <eos>\n<eos>\nb\n', 'c b <eos> <eos> b <eos>'),
    (b'c <eos> b <eos>', 'c <eos> b <eos>')])
def test_line_ends(folder, text, expected):
    (folder / 'ptb.valid.txt').write_bytes(text)
    corpus = data.load(str(folder))
    assert words(corpus, 'valid') == expected
    assert f'{expected.count("<eos>")} lines' in str(corpus).splitlines()[2]


@pytest.mark.parametrize('n_lines, n_blank, n_tokens', [
    (3760, 1299, 217646), (4358, 1467, 245569)])
def test_tokens_of_wikitext(folder, n_lines, n_blank, n_tokens):
    """Token counts match WikiText-2: even a blank line adds an <eos>."""
    sizes = numpy.diff(numpy.linspace(
        0, n_tokens - n_lines, n_lines - n_blank + 1).astype(int))
    tokens = itertools.cycle(['=', 'Caf\xe9', '=', '<unk>', '@-@', '1,0'])
    lines = n_blank * [' \n'] + [
        f" {' '.join(itertools.islice(tokens, size))} \n" for size in sizes]
    numpy.random.shuffle(lines)
    (folder / 'ptb.valid.txt').write_text(''.join(lines))
    corpus = data.load(str(folder))
    assert len(corpus.valid) == n_tokens
    assert f'{n_lines:,} lines' in str(corpus)


def test_memory(folder):
    """Loading needs little memory, since lines are stored as indices."""
    random = numpy.random.RandomState(0)
    for part in data.PARTS:
        (folder / f'ptb.{part}.txt').write_text(''.join(
            ' '.join(f'word{i}' for i in row) + '\n'
            for row in random.randint(0, 1000, (5000, 20))))
    tracemalloc.start()
    corpus = data.load(str(folder))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * sum(corpus.facts['tokens'].values())


def test_unknown_words(folder):
    (folder / 'ptb.valid.txt').write_text('a d e\n')
    corpus = data.load(str(folder))
    assert words(corpus, 'valid') == 'a <unk> <unk> <eos>'
    assert '2 of them unknown' in str(corpus)
    # The array contains the probabilities of a, <unk>, <unk> and <eos>.
    # Because <unk> is not in the training part, all counts grow by 1.
    p = numpy.array([2, 1, 1, 3]) / 12.
    numpy.testing.assert_allclose(
        corpus.unigram_perplexity('valid'),
        numpy.exp(-numpy.log(p).mean()))


def test_unigram_perplexity(folder):
    p = numpy.array([1, 1, 2]) / 7.  # probabilities of a, c and <eos>
    numpy.testing.assert_allclose(
        data.load(str(folder)).unigram_perplexity('valid'),
        numpy.exp(-numpy.log(p).mean()))


def test_vocabulary_of_a_model(folder):
    corpus = data.load(str(folder), ['c', 'b', 'a', '<eos>'])
    assert list(corpus.valid) == [2, 0, 3]
    with pytest.raises(UserError, match='the model has no <unk>'):
        data.load(str(folder), ['b', 'a', '<eos>'])


def test_fingerprint(folder):
    fingerprint = data.load(str(folder)).facts['fingerprint']
    assert data.load(str(folder)).facts['fingerprint'] == fingerprint
    (folder / 'ptb.valid.txt').write_text(' c a \n')
    assert data.load(str(folder)).facts['fingerprint'] != fingerprint


def test_sample():
    corpus = data.load('sample')
    assert len(corpus.vocabulary) < 600
    assert 'unknown' not in str(corpus)


@pytest.mark.skipif(not os.path.isdir(PTB),
                    reason='the Penn Treebank is not available')
def test_penn_treebank():
    corpus = data.load(PTB)
    assert '42,068 lines' in str(corpus)
    assert len(corpus.train) == 929589
    assert len(corpus.valid) == 73760
    assert len(corpus.test) == 82430
    assert len(corpus.vocabulary) == 10000
    assert 'unknown' not in str(corpus)
    assert corpus.facts['fingerprint'] in TABLES['ptb'].fingerprints


def test_no_words(folder):
    (folder / 'ptb.train.txt').write_text(' \n\n')
    with pytest.raises(UserError, match='ptb.train.txt contains no words'):
        data.load(str(folder))


def test_missing(folder):
    with pytest.raises(UserError, match='no folder .*nowhere'):
        data.load(str(folder / 'nowhere'))
    (folder / 'ptb.valid.txt').unlink()
    (folder / 'ptb.test.txt.gz').unlink()
    with pytest.raises(
            UserError, match='no ptb.valid.txt and no ptb.test.txt in'):
        data.load(str(folder))


def test_same_text_as_the_training_part(folder):
    (folder / 'ptb.valid.txt').write_text(' a b \n b c b \n')
    with pytest.raises(UserError, match='valid.txt of .* the same text as'):
        data.load(str(folder))
    # A trained model may be scored on its training text.
    assert data.load(str(folder), ['<eos>', 'a', 'b', 'c'])


def test_download(folder, monkeypatch):
    """Each part is requested with its own URL and MD5 checksum."""
    requested = {}

    def download(url, md5):
        part = url.split('.')[-2]
        requested[part] = md5
        return text.plain_or_gzipped(str(folder / f'ptb.{part}.txt'))

    monkeypatch.setattr(text, 'download', download)
    corpus = data.load('download')
    assert words(corpus, 'valid') == 'a c <eos>'
    assert requested == sentences._MD5
    assert set(requested) == {'train', 'valid', 'test'}
