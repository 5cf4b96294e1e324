import gzip
import tracemalloc
import zipfile

from hypothesis import given
from hypothesis import strategies as st
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import data
from experiments.imdb import glove
from experiments.imdb.tokenizer import tokenize_all


LINES = ['the 1 2 3', 'bad -1 0.5 2e-1']


def write_text(path, lines):
    path.write_bytes('\n'.join([*lines, '']).encode())
    return str(path)


def write_zip(path, lines):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('glove.txt', '\n'.join([*lines, '']))
    return str(path)


def write_npz(path, lines):
    entries = [line.rsplit(' ', 3) for line in lines]
    numpy.savez_compressed(
        path, words=numpy.array([entry[0] for entry in entries]),
        vectors=numpy.array([entry[1:] for entry in entries]).astype('f2'))
    return str(path)


# Some words contain spaces.
WORDS = st.sampled_from([
    'it', 'It', 'IT', 'a', 'A', '.', '. . .', 'at @', 'caf\xe9', '"', "''"])


@pytest.mark.parametrize('write, name', [
    (write_text, 'a.txt'), (write_zip, 'a.zip'), (write_npz, 'a.npz')])
@given(st.lists(WORDS, min_size=1), st.lists(WORDS, unique=True))
def test_load(tmp_path_factory, write, name, words, vocabulary):
    """Words are looked up first unchanged, then in lower case."""
    words = ['the', *words]  # the first line determines the size of vectors
    path = write(tmp_path_factory.getbasetemp() / name, [
        f'{word} {i} 0.5 -2e-1' for i, word in enumerate(words)])
    vectors, found = glove.load(path, [*vocabulary, words[-1], 'unheard'])
    assert vectors.dtype == 'f'
    for word, vector, is_found in zip(vocabulary, vectors, found):
        form = next((form for form in (
            word, word.lower(), "''" if word == '"' else None)
            if form in words), None)
        assert is_found == (form is not None)
        numpy.testing.assert_allclose(
            vector, [words.index(form), .5, -.2] if is_found else 3 * [0],
            rtol=1e-3)
    assert not found[-1]


@pytest.mark.parametrize('lines', [
    ['5 3', *LINES],  # word2vec writes a header
    [line + ' ' for line in LINES],  # fastText ends lines with a space
    [line + '\r' for line in LINES],
    ['\ufeff' + LINES[0], LINES[1]],
    ['2\t3', *(line.replace(' ', '\t') for line in LINES)],
    [*LINES, 'unused x y z'],
])
def test_variants(tmp_path, lines):
    path = write_text(tmp_path / 'a.vec', lines)
    gzipped = tmp_path / 'a.vec.gz'
    gzipped.write_bytes(gzip.compress((tmp_path / 'a.vec').read_bytes()))
    for each in path, str(gzipped):
        vectors, _ = glove.load(each, ['the', '5'])
        assert vectors.tolist() == [[1, 2, 3], [0, 0, 0]]


@pytest.mark.parametrize('lines, message', [
    (LINES + ['bad 1 2'], 'line 3 of .* is not a word and 3 numbers'),
    (LINES + [''], 'line 3 of .* is not a word and 3 numbers'),
    (['bad 1 x 3'], 'line 1 of .* is not a word and 3 numbers'),
    (['the 1 2 3', 'bad 1  3'], 'line 2 of .* is not a word and 3 numbers'),
    (['bad 1 nan 3'], 'line 1 of .* is not a word and 3 numbers'),
    (['bad,1,2,3'], 'line 1 of .* is not a word and 0 numbers; --glove '
     'accepts vectors as text'),
    (['2 3', 'bad \0\1\2'], 'line 2 of .* --glove accepts'),  # binary word2vec
    (['version https://git-lfs.github.com/spec/v1', 'size 1'],
     'a is a Git LFS pointer'),
    (['the 1 2 3'], 'has no vector for any word'),
    ([], 'has no vector for any word'),
])
def test_invalid(tmp_path, lines, message):
    with pytest.raises(UserError, match=message):
        glove.load(write_text(tmp_path / 'a', lines), ['bad'])


def test_invalid_zip(tmp_path):
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name in 'a', 'b':
            archive.writestr(name, 'bad 1 2')
    with pytest.raises(UserError, match='contains 2 files instead of one: '
                                        'a, b; unpack it'):
        glove.load(str(path), ['bad'])
    whole = path.read_bytes()
    for contents in b'', b'no archive', whole[:-99]:
        path.write_bytes(contents)
        with pytest.raises(UserError, match='cannot read .*a.zip: '):
            glove.load(str(path), ['bad'])


def test_zip_of_another_program(tmp_path):
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name in 'd/', 'd/a', '__MACOSX/', '__MACOSX/d/._a':
            archive.writestr(name, 'bad 1 2\n')
    assert glove.load(str(path), ['bad'])[0].tolist() == [[1, 2]]
    contents = bytearray(path.read_bytes())
    directory = contents.index(b'PK\1\2', contents.index(b'PK\1\2') + 1)
    for field, value, message in (6, 1, 'encrypted'), (8, 9, 'compression'):
        changed = contents[:]
        for start in contents.index(b'PK\3\4', 1), directory + 2:
            changed[start + field] = value
        path.write_bytes(changed)
        with pytest.raises(UserError, match=f'cannot read .*{message}.*; '
                                            '--glove accepts'):
            glove.load(str(path), ['bad'])


@pytest.mark.parametrize('arrays, message', [
    ({'words': ['bad']}, 'does not contain words'),
    ({'words': ['bad'], 'vectors': [1., 2.]}, 'does not contain words'),
    ({'words': ['bad', 'good'], 'vectors': [[1.]]}, 'does not contain words'),
    ({'words': ['bad'], 'vectors': [['x', 'y']]}, 'does not contain words'),
    ({'words': ['bad'], 'vectors': [[numpy.nan]]}, 'does not contain words'),
    # numpy.savez pickles object arrays.
    ({'words': numpy.array(['bad'], object)}, 'is damaged'),
])
def test_invalid_arrays(tmp_path, arrays, message):
    path = str(tmp_path / 'a.npz')
    numpy.savez(path, **arrays)
    with pytest.raises(UserError, match=message):
        glove.load(path, ['bad'])


@pytest.mark.parametrize('write, name', [
    (write_text, 'a.txt'), (write_zip, 'a.zip')])
def test_is_streamed(tmp_path, write, name):
    line = ' '.join(100 * ['0.12345'])
    lines = [f'word{i} {line}' for i in range(2000)]
    path = write(tmp_path / name, lines)
    tracemalloc.start()
    glove.load(path, ['word1', 'word1999'])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < sum(map(len, lines)) / 4


def test_initial_vectors(tmp_path):
    """Missing vectors have the mean and standard deviation of the others."""
    random = numpy.random.RandomState(0)
    texts = [(' '.join(f'w{i}' for i in range(row, 2000, 20)), 1)
             for row in range(20)]
    corpus = data.Corpus(
        'here', tokenize_all({'train': texts, 'test': texts}))
    known = random.randn(1000, 3) * [1, 2, 3] + [5, 0, -5]
    path = write_npz(tmp_path / 'a.npz', [
        f'w{i} {x} {y} {z}' for i, (x, y, z) in enumerate(known)])
    vectors, facts = glove.initial_vectors(path, corpus, 0)
    drawn = []
    for word, vector in zip(corpus.vocabulary, vectors):
        if word != '<unk>' and int(word[1:]) < 1000:
            assert (vector == known[int(word[1:])].astype('f2')).all()
        else:
            drawn.append(vector)
    numpy.testing.assert_allclose(
        numpy.mean(drawn, axis=0), [5, 0, -5], atol=.5)
    numpy.testing.assert_allclose(
        numpy.std(drawn, axis=0), [1, 2, 3], rtol=.1)
    assert (facts['vectors'], facts['size']) == (900, 3)
    assert facts['coverage'] == .5

    again, same_facts = glove.initial_vectors(path, corpus, 0)
    assert (again == vectors).all() and same_facts == facts
    assert (glove.initial_vectors(path, corpus, 1)[0] != vectors).any()
