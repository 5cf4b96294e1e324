import gzip
import hashlib
import os
import urllib.error

import chainer
import numpy
import pytest

from experiments.common.errors import Problem
from experiments.paper import TABLES
from experiments.ptb import data


PTB = os.path.join(os.path.dirname(data.__file__),
                   '..', '..', '..', 'shared', 'data', 'ptb')


@pytest.fixture
def folder(tmp_path):
    """A folder of three parts; one is gzipped."""
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
    assert words(corpus, 'test') == 'c b <eos> b c <eos>'
    assert corpus.vocabulary == ['<eos>', 'a', 'b', 'c']
    assert corpus.train.dtype == numpy.int32
    assert corpus.n_lines == {'train': 2, 'valid': 1, 'test': 2}
    assert '7 tokens' in str(corpus) and 'unknown' not in str(corpus)


def test_unknown_words(folder):
    (folder / 'ptb.valid.txt').write_text('a d e\n')
    corpus = data.load(str(folder))
    assert words(corpus, 'valid') == 'a <unk> <unk> <eos>'
    assert '2 of them unknown' in str(corpus)
    # A count of 0 has one added to it, and to all others.
    p = numpy.array([2, 1, 1, 3]) / 12.  # a, <unk>, <unk>, <eos>
    numpy.testing.assert_allclose(
        corpus.unigram_perplexity('valid'),
        numpy.exp(-numpy.log(p).mean()))


def test_unigram_perplexity(folder):
    p = numpy.array([1, 1, 2]) / 7.  # a, c, <eos>
    numpy.testing.assert_allclose(
        data.load(str(folder)).unigram_perplexity('valid'),
        numpy.exp(-numpy.log(p).mean()))


def test_vocabulary_of_a_model(folder):
    corpus = data.load(str(folder), ['c', 'b', 'a', '<eos>'])
    assert list(corpus.valid) == [2, 0, 3]
    with pytest.raises(Problem, match='the model has no <unk>'):
        data.load(str(folder), ['b', 'a', '<eos>'])


def test_fingerprint(folder):
    before = data.load(str(folder)).fingerprint
    assert data.load(str(folder)).fingerprint == before
    (folder / 'ptb.valid.txt').write_text(' c a \n')
    assert data.load(str(folder)).fingerprint != before


def test_sample():
    corpus = data.load('sample')
    assert len(corpus.vocabulary) < 600
    assert not any(corpus.n_unknown.values())


@pytest.mark.skipif(not os.path.isdir(PTB),
                    reason='there is no Penn Treebank beside the project')
def test_penn_treebank():
    corpus = data.load(PTB)
    assert corpus.n_lines == {'train': 42068, 'valid': 3370, 'test': 3761}
    assert len(corpus.train) == 929589
    assert len(corpus.valid) == 73760
    assert len(corpus.test) == 82430
    assert len(corpus.vocabulary) == 10000
    assert not any(corpus.n_unknown.values())
    assert corpus.fingerprint in TABLES['ptb'].fingerprints


@pytest.mark.parametrize('name, contents, says', [
    ('ptb.train.txt', b'\x89PNG\r\n\x1a\n\xff\xfe', 'is not UTF-8 text'),
    ('ptb.train.txt', b'a b\0c\n', 'is not UTF-8 text'),
    ('ptb.train.txt', b' \n\n', 'holds no words'),
    ('ptb.test.txt.gz', b'not gzipped', 'cannot read'),
    ('ptb.test.txt.gz', gzip.compress(b'a b c\n' * 99)[:-9], 'cannot read'),
    ('ptb.test.txt.gz', gzip.compress(b'a b c\n' * 99)[:12] + b'\xff' * 20,
     'cannot read'),
])
def test_bad_file(folder, name, contents, says):
    (folder / name).write_bytes(contents)
    with pytest.raises(Problem, match=says) as info:
        data.load(str(folder))
    assert name in str(info.value)


def test_missing(folder):
    with pytest.raises(Problem, match='no folder .*nowhere'):
        data.load(str(folder / 'nowhere'))
    (folder / 'ptb.valid.txt').unlink()
    (folder / 'ptb.test.txt.gz').unlink()
    with pytest.raises(
            Problem, match='no ptb.valid.txt and no ptb.test.txt in'):
        data.load(str(folder))


def test_part_that_is_trained_on(folder):
    (folder / 'ptb.valid.txt').write_text(' a b \n b c b \n')
    with pytest.raises(Problem, match='valid.txt of .* the text of .*train'):
        data.load(str(folder))
    assert data.load(str(folder), ['<eos>', 'a', 'b', 'c'])  # to score


class TestDownload(object):

    @pytest.fixture
    def cache(self, folder, monkeypatch):
        """A cache that already holds the files, so nothing is fetched."""
        contents = {'train': b'a b\n', 'valid': b'a\n', 'test': b'b\n'}
        for part in contents:
            (folder / part).write_bytes(contents[part])
        monkeypatch.setattr(
            chainer.dataset, 'cached_download',
            lambda url: str(folder / url.split('.')[-2]))
        monkeypatch.setattr(data, '_MD5', {
            part: hashlib.md5(contents[part]).hexdigest()
            for part in contents})
        return folder

    def test_good(self, cache):
        assert words(data.load('download'), 'train') == 'a b <eos>'

    def test_corrupt(self, cache):
        (cache / 'valid').write_bytes(b'a')
        with pytest.raises(Problem, match='damaged and has been removed'):
            data.load('download')
        assert not (cache / 'valid').exists()
        assert (cache / 'train').exists()

    def test_unreachable(self, cache, monkeypatch):
        def cached_download(url):
            raise urllib.error.URLError('no route to host')
        monkeypatch.setattr(
            chainer.dataset, 'cached_download', cached_download)
        with pytest.raises(Problem, match='cannot download .*no route'):
            data.load('download')
