import json
import os
import signal

import chainer
import numpy
import pytest

from experiments.common.errors import Problem
from experiments.imdb import data
from experiments.imdb import reviews
from experiments.imdb import sample
from experiments.imdb import tokens
from experiments.paper import TABLES


IMDB = os.path.join(os.path.dirname(data.__file__),
                    '..', '..', '..', 'shared', 'data', 'imdb')
needs_imdb = pytest.mark.skipif(
    not os.path.isdir(IMDB), reason='there is no IMDb beside the project')

# 20 reviews to train on; each has a word of its own, and all share two.
TRAIN = [('all review{} all'.format(i), i % 2) for i in range(20)]
TEST = [('all review0 unheard', 1), ('', 0)]


@pytest.fixture
def folder(tmp_path, write_lines):
    return write_lines(tmp_path, train=TRAIN, test=TEST)


def killed(text):
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_while_tokenising(monkeypatch):
    """As by Ctrl-C in a terminal, or where memory runs out."""
    for name in '__module__', '__qualname__':  # by which workers find it
        monkeypatch.setattr(killed, name, getattr(tokens.tokenize, name))
    monkeypatch.setattr(tokens, 'tokenize', killed)
    with pytest.raises(Problem, match='tokenised reviews was killed'):
        data.sample_corpus(10, 10)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory):
    """An empty cache."""
    before = chainer.dataset.get_dataset_root()
    root = tmp_path_factory.mktemp('cache')
    chainer.dataset.set_dataset_root(str(root))
    yield root
    chainer.dataset.set_dataset_root(before)


@pytest.fixture
def tokenised(monkeypatch):
    """Counts how often reviews are tokenised."""
    times = []
    whole = data._tokenised
    monkeypatch.setattr(data, '_tokenised', lambda texts: (
        times.append(1), whole(texts))[1])
    return times


def texts(corpus, part):
    return [(' '.join(corpus.vocabulary[i] for i in words), int(label))
            for words, label in getattr(corpus, part)]


def test_parts(folder):
    corpus = data.load(str(folder))
    assert (len(corpus.train), len(corpus.dev), len(corpus.test)) == (18, 2, 2)
    train = texts(corpus, 'train')
    assert set(train) < set(TRAIN) and len(set(train)) == 18
    held_out = sorted(set(TRAIN) - set(train))
    assert sorted(label for _, label in texts(corpus, 'dev')) == sorted(
        label for _, label in held_out)
    words, label = corpus.train[0]
    assert words.dtype == label.dtype == numpy.int32
    assert '18 reviews (50 % positive)' in str(corpus)


def test_vocabulary_is_of_the_training_part_alone(folder):
    corpus = data.load(str(folder))
    assert corpus.vocabulary[:2] == ['<unk>', 'all']  # most frequent first
    assert sorted(corpus.vocabulary[2:]) == sorted(
        text.split()[1] for text, _ in texts(corpus, 'train'))
    for text, _ in texts(corpus, 'dev'):
        assert text == 'all <unk> all'
    assert texts(corpus, 'test') == [('all {} <unk>'.format(
        'review0' if 'review0' in corpus.vocabulary else '<unk>'), 1),
        ('', 0)]
    assert ' 33.3 % unknown' in str(corpus)


def test_development_part_is_fixed(folder):
    parts = []
    for seed in 0, 1:
        numpy.random.seed(seed)
        parts.append(texts(data.load(str(folder)), 'train'))
    assert parts[0] == parts[1]
    # It is drawn: not the first nor the last, nor all of one label.
    corpus = data.sample_corpus(200, 20)
    assert 0 < corpus.dev.labels.mean() < 1
    assert not numpy.array_equal(corpus.train.labels, numpy.arange(180) % 2)


@pytest.mark.parametrize('min_count, known', [
    (1, ['once', 'thrice', 'twice']), (2, ['thrice', 'twice']),
    (3, ['thrice']), (4, [])])
def test_min_count(tmp_path, write_lines, min_count, known):
    write_lines(tmp_path, test=[('all', 0)], train=[
        ('all', i % 2) for i in range(19)] + [
        ('once twice twice thrice thrice thrice', 1)])
    corpus = data.load(str(tmp_path), min_count)
    if corpus.dev.lengths.max() > 1:
        pytest.fail('choose another place for the long review')
    assert sorted(corpus.vocabulary[2:]) == known


def test_min_count_of_the_sample(monkeypatch):
    monkeypatch.setattr(sample, 'sample', lambda *sizes: {
        'train': TRAIN, 'test': TEST})
    assert data.load('sample', 2).vocabulary == ['<unk>', 'all']
    assert len(data.load('sample').vocabulary) == 20


def test_vocabulary_of_a_model(folder):
    corpus = data.load(
        str(folder), number=data.number_of(['<unk>', 'unheard', 'all']))
    assert corpus.vocabulary is None
    assert corpus.test[0][0].tolist() == [2, 0, 1]


def test_fingerprint(folder, write_lines):
    before = data.load(str(folder)).fingerprint
    assert data.load(str(folder)).fingerprint == before
    others = [data.load(str(folder), 2).fingerprint]
    for test in TEST[:1], [('all review0 all', 1), ('', 0)], [
            (text, 1 - label) for text, label in TEST]:
        write_lines(folder, test=test)
        others.append(data.load(str(folder)).fingerprint)
    assert len(set(others + [before])) == 5


def test_same_reviews_from_a_tree(folder, tmp_path):
    """The form they come in is no reason for another development part."""
    pairs = {'train': sorted(TRAIN, key=lambda pair: pair[1]),
             'test': sorted(TEST, key=lambda pair: pair[1])}
    for part in pairs:
        with open(str(tmp_path / (part + '.jsonl')), 'w') as f:
            for text, label in pairs[part]:
                f.write(json.dumps({'text': text, 'label': label}) + '\n')
        for i, (text, label) in enumerate(pairs[part]):
            place = tmp_path / 'tree' / part / ('neg', 'pos')[label]
            place.mkdir(parents=True, exist_ok=True)
            (place / '{}_5.txt'.format(i)).write_text(text)
    assert (data.load(str(tmp_path / 'tree')).fingerprint
            == data.load(str(tmp_path)).fingerprint)


def test_too_few(tmp_path, write_lines):
    write_lines(tmp_path, train=TRAIN[:9], test=TEST)
    with pytest.raises(Problem, match='9 reviews to train on, too few'):
        data.load(str(tmp_path))


def test_take():
    some = data.Reviews(numpy.arange(6, dtype='i'), numpy.array([1, 0, 3, 2]),
                        numpy.array([0, 1, 0, 1])).take([3, 1, 2])
    assert [(words.tolist(), int(label)) for words, label in some] == [
        ([4, 5], 1), ([], 1), ([1, 2, 3], 0)]
    assert len(some.take([])) == 0


class TestCache(object):

    def test_second_load(self, folder, tokenised):
        first, second = [data.load(str(folder)) for _ in range(2)]
        assert len(tokenised) == 1
        assert first.fingerprint == second.fingerprint

    def test_moved(self, folder, tokenised, tmp_path, monkeypatch):
        data.load(str(folder))
        moved = tmp_path / 'moved'
        moved.mkdir()
        for part in 'train.jsonl', 'test.jsonl':
            (folder / part).rename(moved / part)
        monkeypatch.chdir(tmp_path)
        for source in 'moved', './moved/', str(moved):
            data.load(source)
        monkeypatch.chdir(moved)
        data.load('.')
        assert len(tokenised) == 1

    def test_changed_file(self, folder, tokenised):
        data.load(str(folder))
        path = folder / 'test.jsonl'
        time = path.stat().st_mtime_ns
        os.utime(str(path), ns=(time, time + 1000))
        data.load(str(folder))
        path.write_text(path.read_text() + '\n')
        os.utime(str(path), ns=(time, time))
        data.load(str(folder))
        assert len(tokenised) == 3

    def test_another_tokeniser(self, folder, tokenised, monkeypatch):
        data.load(str(folder))
        monkeypatch.setattr(tokens, 'VERSION', tokens.VERSION + 1)
        data.load(str(folder))
        assert len(tokenised) == 2

    def test_other_labels(self, tmp_path):
        """A file's label is its folder; moved, it is the same otherwise."""
        for label in 'neg', 'pos':
            for i in range(10):
                for part in 'train', 'test':
                    place = tmp_path / part / label
                    place.mkdir(parents=True, exist_ok=True)
                    (place / '{}{}.txt'.format(label, i)).write_text('a')
        assert data.load(str(tmp_path)).test.labels.sum() == 10
        (tmp_path / 'test' / 'neg' / 'neg9.txt').rename(
            tmp_path / 'test' / 'pos' / 'neg9.txt')
        assert data.load(str(tmp_path)).test.labels.sum() == 11

    @pytest.mark.parametrize('damage', [
        lambda contents: b'',
        lambda contents: contents[:len(contents) // 2],
        lambda contents: contents[:100] + b'\xff' * 9 + contents[109:],
        lambda contents: b'garbage' * 99,
    ])
    def test_damaged(self, folder, cache, tokenised, damage):
        before = data.load(str(folder)).fingerprint
        path, = (cache / 'qrnn' / 'imdb').iterdir()
        path.write_bytes(damage(path.read_bytes()))
        for _ in range(2):
            assert data.load(str(folder)).fingerprint == before
        assert len(tokenised) == 2

    def test_other_arrays(self, folder, cache):
        before = data.load(str(folder)).fingerprint
        path, = (cache / 'qrnn' / 'imdb').iterdir()
        for array in [1], [None]:
            with open(str(path), 'wb') as f:
                numpy.savez(f, types=numpy.array(array))
            assert data.load(str(folder)).fingerprint == before

    @pytest.mark.parametrize('name', ['.', 'qrnn', 'qrnn/imdb'])
    def test_cannot_be_made(self, folder, tmp_path, name):
        path = tmp_path / 'root' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('a file')
        chainer.dataset.set_dataset_root(str(tmp_path / 'root'))
        with pytest.raises(Problem, match='set CHAINER_DATASET_ROOT'):
            data.load(str(folder))

    def test_cannot_be_written(self, folder, monkeypatch):
        def move(*paths):
            raise PermissionError(13, 'Permission denied')
        monkeypatch.setattr('shutil.move', move)
        with pytest.raises(Problem, match='Permission denied; set CHAINER'):
            data.load(str(folder))


@needs_imdb
def test_counts_of_imdb():
    for part, pairs in reviews.read(reviews.files(IMDB)).items():
        assert len(pairs) == 25000
        assert sum(label for _, label in pairs) == 12500


@needs_imdb
def test_fingerprint_of_imdb(user_cache, monkeypatch):
    chainer.dataset.set_dataset_root(user_cache)
    name = data._digest(reviews.files(IMDB)) + '.npz'
    if not os.path.exists(os.path.join(user_cache, 'qrnn', 'imdb', name)):
        pytest.skip('IMDb has not been tokenised yet, which takes minutes')
    assert tuple(data.load(IMDB, min_count).fingerprint
                 for min_count in (2, 0)) == TABLES['imdb'].fingerprints
