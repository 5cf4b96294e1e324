import itertools
import os
import tracemalloc
import zipfile

import numpy
import pytest

from experiments.common.errors import Problem
from experiments.imdb import data
from experiments.imdb import glove
from experiments.imdb import reviews


SHARED = os.path.join(os.path.dirname(glove.__file__),
                      '..', '..', '..', 'shared', 'data')

LINES = ['the 1 2 3', 'The 4 5 6', 'bad -1 0.5 2e-1', 'UNUSED 7 7 7',
         '. . . 8 8 8', 'at name@domain.com 9 9 9', "'' 3 2 1"]


def write_text(path, lines=LINES):
    path.write_bytes('\n'.join(lines + ['']).encode())
    return str(path)


def write_zip(path, lines=LINES):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('glove.txt', '\n'.join(lines + ['']))
    return str(path)


def write_npz(path, lines=LINES):
    entries = [line.rsplit(' ', 3) for line in lines]
    numpy.savez_compressed(
        path, words=numpy.array([entry[0] for entry in entries]),
        vectors=numpy.array([entry[1:] for entry in entries]).astype('f2'))
    return str(path)


formats = pytest.mark.parametrize('write, name', [
    (write_text, 'glove.txt'), (write_zip, 'glove.zip'),
    (write_npz, 'glove.npz')])


@formats
def test_load(tmp_path, write, name):
    vectors, found = glove.load(
        write(tmp_path / name), ['<unk>', 'The', 'BAD', 'the', 'nowhere', '"'])
    assert vectors.dtype == numpy.float32
    numpy.testing.assert_allclose(vectors, [
        [0, 0, 0], [4, 5, 6], [-1, .5, .2], [1, 2, 3], [0, 0, 0], [3, 2, 1]],
        rtol=1e-3)
    assert found.tolist() == [False, True, True, True, False, True]


@formats
def test_as_it_stands_beats_lower_cased(tmp_path, write, name):
    """Whatever the order; of the same word twice, the first counts."""
    for i, lines in enumerate([['it 1 1 1', 'It 2 2 2', 'it 3 3 3'],
                               ['It 2 2 2', 'it 1 1 1', 'It 3 3 3']]):
        path = write(tmp_path / (str(i) + name), lines)
        vectors, _ = glove.load(path, ['IT', 'It', 'it'])
        assert vectors[:, 0].tolist() == [1, 2, 1]


@formats
def test_words_with_spaces_are_others(tmp_path, write, name):
    vectors, found = glove.load(
        write(tmp_path / name, LINES + ['. 6 6 6']), ['.', 'at', '. . .'])
    assert vectors[:, 0].tolist() == [6, 0, 8]
    assert found.tolist() == [True, False, True]


@pytest.mark.parametrize('lines', [
    ['5 3'] + LINES,  # as word2vec begins
    [line + ' ' for line in LINES],  # as fastText ends
    [line + '\r' for line in LINES],
    LINES + ['unused x y z'],
])
def test_variants(tmp_path, lines):
    vectors, _ = glove.load(write_text(tmp_path / 'a', lines), ['the', '5'])
    assert vectors.tolist() == [[1, 2, 3], [0, 0, 0]]


@pytest.mark.parametrize('lines, says', [
    (LINES[:3] + ['bad 1 2'], 'line 4 of .* is not a word and 3 numbers'),
    (LINES[:3] + [''], 'line 4 of .* is not a word and 3 numbers'),
    (['bad 1 x 3'], 'line 1 of .* is not a word and 3 numbers'),
    (['the 1 2 3', 'bad 1  3'], 'line 2 of .* is not a word and 3 numbers'),
    (['bad 1 nan 3'], 'line 1 of .* is not a word and 3 numbers'),
    (['bad\t1\t2\t3'], 'line 1 of .* is not a word and 0 numbers'),
    (['the 1 2 3'], 'has no vector for any word'),
    ([], 'has no vector for any word'),
])
def test_broken(tmp_path, lines, says):
    with pytest.raises(Problem, match=says):
        glove.load(write_text(tmp_path / 'a', lines), ['bad'])


def test_no_file(tmp_path):
    for name in 'nothing.txt', 'nothing.zip', 'nothing.npz':
        with pytest.raises(Problem, match='cannot read'):
            glove.load(str(tmp_path / name), ['bad'])


class TestZip:

    @pytest.mark.parametrize('names', [[], ['a', 'b']])
    def test_not_one_file(self, tmp_path, names):
        with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
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
        for contents in (b'', b'no archive', whole[:-99],
                         whole[:999] + b'\xff' * 99 + whole[1098:]):
            path.write_bytes(contents)
            with pytest.raises(Problem, match='cannot read .*a.zip: '):
                glove.load(str(path), ['w999'])


@pytest.mark.parametrize('arrays', [
    {},
    {'words': ['bad']},
    {'words': ['bad'], 'vectors': [1., 2.]},
    {'words': ['bad', 'good'], 'vectors': [[1., 2.]]},
    {'words': ['bad'], 'vectors': [['x', 'y']]},
    {'words': ['bad'], 'vectors': [[1., numpy.nan]]},
])
def test_other_arrays(tmp_path, arrays):
    path = str(tmp_path / 'a.npz')
    numpy.savez(path, **arrays)
    with pytest.raises(Problem, match='does not hold words'):
        glove.load(path, ['bad'])


def test_objects_are_not_unpickled(tmp_path):
    path = str(tmp_path / 'a.npz')
    numpy.savez(path, words=numpy.array(['bad'], object), vectors=[[1.]])
    with pytest.raises(Problem, match='a.npz is damaged'):
        glove.load(path, ['bad'])


@pytest.mark.parametrize('write', [write_text, write_zip])
def test_is_streamed(tmp_path, write):
    line = ' '.join(100 * ['0.12345'])
    lines = [f'word{i} {line}' for i in range(2000)]
    path = str(tmp_path / ('a.zip' if write is write_zip else 'a.txt'))
    write(tmp_path / os.path.basename(path), lines)
    tracemalloc.start()
    glove.load(path, ['word1', 'word1999'])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < sum(map(len, lines)) / 8


def test_initial_vectors(tmp_path):
    """Those found, and others drawn alike; with a seed, always the same."""
    random = numpy.random.RandomState(0)
    words = [f'w{i}' for i in range(2000)]
    corpus = data.Corpus('here', (words, {
        part: data.Reviews(numpy.arange(2000), 20 * [100], 20 * [0])
        for part in ('train', 'test')}))
    there = random.randn(1000, 3) * [1, 2, 3] + [5, 0, -5]
    path = write_npz(tmp_path / 'a.npz', [
        f'w{2 * i} {x} {y} {z}' for i, (x, y, z) in enumerate(there)])
    vectors, facts = glove.initial_vectors(path, corpus, 0)
    drawn = []
    for word, vector in zip(corpus.vocabulary, vectors):
        if word != '<unk>' and int(word[1:]) % 2 == 0:
            assert (vector == there[int(word[1:]) // 2].astype('f2')).all()
        else:
            drawn.append(vector)
    numpy.testing.assert_allclose(
        numpy.mean(drawn, axis=0), [5, 0, -5], atol=.5)
    numpy.testing.assert_allclose(
        numpy.std(drawn, axis=0), [1, 2, 3], rtol=.1)
    assert (facts['vectors'], facts['size']) == (900, 3)
    assert facts['coverage'] == 900 / 1800

    again, same_facts = glove.initial_vectors(path, corpus, 0)
    other, _ = glove.initial_vectors(path, corpus, 1)
    assert (again == vectors).all() and same_facts == facts
    assert (other != vectors).any()


@pytest.fixture(scope='module')
def imdb_words():
    pairs = reviews.read_json_lines(
        os.path.join(SHARED, 'imdb', 'train.jsonl.gz'))
    return [word for text, _ in itertools.islice(pairs, 0, None, 200)
            for word in data.tokenize(text)]


@pytest.mark.skipif(not os.path.isdir(SHARED),
                    reason='there is no GloVe beside the project')
@pytest.mark.parametrize('name, share', [
    ('glove.840B.300d.imdb_partial.npz', .82),
    ('glove.6B.100d.imdb.npz', .95)])
def test_coverage_of_imdb(imdb_words, name, share):
    """Of running tokens, in some of the training part."""
    vocabulary = sorted(set(imdb_words))
    found = glove.load(os.path.join(SHARED, 'glove', name), vocabulary)[1]
    known = {word for word, has in zip(vocabulary, found) if has}
    assert numpy.mean([word in known for word in imdb_words]) >= share
