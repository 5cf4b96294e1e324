import itertools
import os
import tracemalloc
import zipfile

import numpy
import pytest

from experiments.common.errors import Problem
from experiments.imdb import glove
from experiments.imdb import reviews
from experiments.imdb.tokens import tokenize


SHARED = os.path.join(os.path.dirname(glove.__file__),
                      '..', '..', '..', 'shared', 'data')

LINES = ['the 1 2 3', 'The 4 5 6', 'bad -1 0.5 2e-1', 'UNUSED 7 7 7',
         '. . . 8 8 8', 'at name@domain.com 9 9 9', "'' 3 2 1"]


def write_text(path, lines=LINES):
    path.write_bytes('\n'.join(lines + ['']).encode())
    return str(path)


def write_zip(path, lines=LINES):
    with zipfile.ZipFile(str(path), 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('glove.txt', '\n'.join(lines + ['']))
    return str(path)


def write_npz(path, lines=LINES):
    entries = [line.rsplit(' ', 3) for line in lines]
    numpy.savez_compressed(
        str(path), words=numpy.array([entry[0] for entry in entries]),
        vectors=numpy.array([entry[1:] for entry in entries]).astype('f2'))
    return str(path)


FORMATS = [(write_text, 'glove.txt'), (write_zip, 'glove.zip'),
           (write_npz, 'glove.npz')]


@pytest.mark.parametrize('write, name', FORMATS)
def test_load(tmp_path, write, name):
    vectors, has_vector = glove.load(
        write(tmp_path / name), ['<unk>', 'The', 'BAD', 'the', 'nowhere', '"'])
    assert vectors.dtype == numpy.float32
    numpy.testing.assert_allclose(vectors, [
        [0, 0, 0], [4, 5, 6], [-1, .5, .2], [1, 2, 3], [0, 0, 0], [3, 2, 1]],
        rtol=1e-3)
    assert has_vector.tolist() == [False, True, True, True, False, True]


@pytest.mark.parametrize('write, name', FORMATS)
def test_as_it_stands_beats_lower_cased(tmp_path, write, name):
    """Whatever the order; of the same word twice, the first counts."""
    for i, lines in enumerate([['it 1 1 1', 'It 2 2 2', 'it 3 3 3'],
                               ['It 2 2 2', 'it 1 1 1', 'It 3 3 3']]):
        path = write(tmp_path / (str(i) + name), lines)
        vectors, _ = glove.load(path, ['IT', 'It', 'it'])
        assert vectors[:, 0].tolist() == [1, 2, 1]


@pytest.mark.parametrize('write, name', FORMATS)
def test_words_with_spaces_are_others(tmp_path, write, name):
    vectors, has_vector = glove.load(
        write(tmp_path / name, LINES + ['. 6 6 6']), ['.', 'at', '. . .'])
    assert vectors[:, 0].tolist() == [6, 0, 8]
    assert has_vector.tolist() == [True, False, True]


def test_not_every_word_is_needed(tmp_path):
    vectors, has_vector = glove.load(
        write_text(tmp_path / 'a', LINES + ['ignored x y z']), ['bad'])
    assert vectors.shape == (1, 3) and has_vector.all()


@pytest.mark.parametrize('lines', [
    ['5 3'] + LINES,  # as word2vec begins
    [line + ' ' for line in LINES],  # as fastText ends
    [line + '\r' for line in LINES],
])
def test_variants(tmp_path, lines):
    vectors, _ = glove.load(write_text(tmp_path / 'a', lines), ['the', '5'])
    assert vectors.tolist() == [[1, 2, 3], [0, 0, 0]]


def test_not_utf8_word(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_bytes(b'the 1 2\ncaf\xe9 3 4\nbad 5 6\n')
    assert glove.load(str(path), ['bad'])[0].tolist() == [[5, 6]]


@pytest.mark.parametrize('lines, says', [
    (LINES[:3] + ['bad 1 2'], 'line 4 of .* is not a word and 3 numbers'),
    (LINES[:3] + [''], 'line 4 of .* is not a word and 3 numbers'),
    (['bad 1 x 3'], 'line 1 of .* is not a word and 3 numbers'),
    (['the 1 2 3', 'bad 1  3'], 'line 2 of .* is not a word and 3 numbers'),
    (['bad 1 nan 3'], 'line 1 of .* is not a word and 3 numbers'),
    (['bad 1 1e99 3'], 'line 1 of .* is not a word and 3 numbers'),
    (['bad'], 'line 1 of .* is not a word and 0 numbers'),
    (['bad\t1\t2\t3'], 'line 1 of .* is not a word and 0 numbers'),
    (['the 1 2 3'], 'has no vector for any word'),
    (['7 300'], 'has no vector for any word'),
    ([], 'has no vector for any word'),
])
@pytest.mark.parametrize('write, name', FORMATS[:2])
def test_broken(tmp_path, write, name, lines, says):
    path = write(tmp_path / name, lines)
    with numpy.errstate(over='ignore'):
        with pytest.raises(Problem, match=says):
            glove.load(path, ['bad'])


def test_no_file(tmp_path):
    (tmp_path / 'empty').write_bytes(b'')
    with pytest.raises(Problem, match='has no vector'):
        glove.load(str(tmp_path / 'empty'), ['bad'])
    for name in '', 'nothing.txt', 'nothing.zip', 'nothing.npz':
        with pytest.raises(Problem, match='cannot read'):
            glove.load(str(tmp_path / name), ['bad'])


class TestZip(object):

    @pytest.mark.parametrize('names', [[], ['a', 'b']])
    def test_not_one_file(self, tmp_path, names):
        with zipfile.ZipFile(str(tmp_path / 'a.zip'), 'w') as archive:
            for name in names:
                archive.writestr(name, 'bad 1 2')
        with pytest.raises(Problem, match='must hold one file, but it holds'):
            glove.load(str(tmp_path / 'a.zip'), ['bad'])

    def test_damaged(self, tmp_path):
        random = numpy.random.RandomState(0)
        path = tmp_path / 'a.zip'
        write_zip(path, ['w{} {} {}'.format(i, *random.rand(2))
                         for i in range(1000)])
        whole = path.read_bytes()
        encrypted = bytearray(whole)
        encrypted[6] |= 1
        encrypted[whole.index(b'PK\1\2') + 8] |= 1
        for contents in (b'', b'no archive', whole[:-99],
                         whole[:999] + b'\xff' * 99 + whole[1098:],
                         bytes(encrypted)):
            path.write_bytes(contents)
            with pytest.raises(Problem, match='cannot read .*a.zip: '):
                glove.load(str(path), ['w999'])


class TestNpz(object):

    @pytest.mark.parametrize('arrays', [
        {},
        {'words': ['bad']},
        {'words': ['bad'], 'vectors': [1., 2.]},
        {'words': [['bad']], 'vectors': [[1., 2.]]},
        {'words': ['bad', 'good'], 'vectors': [[1., 2.]]},
        {'words': ['bad'], 'vectors': numpy.zeros((1, 0))},
        {'words': ['bad'], 'vectors': [['x', 'y']]},
        {'words': ['bad'], 'vectors': [[1., numpy.nan]]},
        {'words': numpy.array(['bad'], object), 'vectors': [[1., 2.]]},
        {'words': ['bad'], 'vectors': numpy.array([[1., None]])},
    ])
    def test_other_arrays(self, tmp_path, arrays):
        path = str(tmp_path / 'a.npz')
        numpy.savez(path, **arrays)
        with pytest.raises(Problem, match='does not hold words'):
            glove.load(path, ['bad'])

    def test_damaged(self, tmp_path):
        path = tmp_path / 'a.npz'
        random = numpy.random.RandomState(0)
        write_npz(path, ['w{} {} {} {}'.format(i, *random.rand(3))
                         for i in range(1000)])
        whole = path.read_bytes()
        for contents in (b'', b'no archive', whole[:-99],
                         whole[:5000] + b'\xff' * 99 + whole[5099:]):
            path.write_bytes(contents)
            with pytest.raises(Problem, match='a.npz'):
                glove.load(str(path), ['w1'])

    def test_one_array(self, tmp_path):
        with open(str(tmp_path / 'a.npz'), 'wb') as f:
            numpy.save(f, numpy.zeros((2, 3)))
        with pytest.raises(Problem, match='does not hold words'):
            glove.load(str(tmp_path / 'a.npz'), ['bad'])


@pytest.mark.parametrize('name', ['a.txt', 'a.zip'])
def test_is_streamed(tmp_path, name):
    line = ' '.join(100 * ['0.12345'])
    lines = ['word{} {}'.format(i, line) for i in range(2000)]
    path = (write_text if name == 'a.txt' else write_zip)(
        tmp_path / name, lines)
    size = sum(map(len, lines))
    tracemalloc.start()
    glove.load(path, ['word1', 'word1999'])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 8


def test_fill():
    random = numpy.random.RandomState(0)
    vectors = random.randn(4000, 3).astype('f') * [1, 2, 3] + [5, 0, -5]
    vectors = vectors.astype('f')
    has_vector = numpy.arange(4000) % 2 == 0
    before = vectors.copy()
    vectors[~has_vector] = 0
    glove.fill(vectors, has_vector, random)
    assert (vectors[has_vector] == before[has_vector]).all()
    drawn = vectors[~has_vector]
    numpy.testing.assert_allclose(drawn.mean(axis=0), [5, 0, -5], atol=.25)
    numpy.testing.assert_allclose(drawn.std(axis=0), [1, 2, 3], rtol=.06)

    again = numpy.where(has_vector[:, None], before, 0)
    glove.fill(again, has_vector, numpy.random.RandomState(1))
    assert abs(again - vectors).max() > 1


def test_fill_nothing():
    vectors = numpy.ones((3, 2), 'f')
    glove.fill(vectors, numpy.ones(3, bool), numpy.random.RandomState(0))
    assert (vectors == 1).all()


@pytest.fixture(scope='module')
def imdb_words():
    pairs = reviews._lines(os.path.join(SHARED, 'imdb', 'train.jsonl.gz'))
    return [word for text, _ in itertools.islice(pairs, 0, None, 200)
            for word in tokenize(text)]


@pytest.mark.skipif(not os.path.isdir(SHARED),
                    reason='there is no GloVe beside the project')
@pytest.mark.parametrize('name, share', [
    ('glove.840B.300d.imdb_partial.npz', .82),
    ('glove.6B.100d.imdb.npz', .95)])
def test_coverage_of_imdb(imdb_words, name, share):
    """Of running tokens, in some of the training part."""
    vocabulary = sorted(set(imdb_words))
    has_vector = glove.load(
        os.path.join(SHARED, 'glove', name), vocabulary)[1]
    known = {word for word, has in zip(vocabulary, has_vector) if has}
    assert numpy.mean([word in known for word in imdb_words]) >= share
