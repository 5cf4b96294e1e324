import os

import chainer
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import data
from experiments.imdb import reviews
from experiments.imdb import tokenizer
from experiments.imdb.data import pad
from experiments.paper import TABLES


CPU = chainer.get_device('@numpy')
IMDB = os.path.join(os.path.dirname(data.__file__),
                    '..', '..', '..', 'shared', 'data', 'imdb')

# In each of the 20 reviews, a unique word is between two common words.
TRAIN = [(f'all review{i} all', i % 2) for i in range(20)]
TEST = [('all review0 unheard', 1), ('', 0)]


def corpus_of(train, test, **options):
    tokenized = tokenizer.tokenize_all({'train': train, 'test': test})
    return data.Corpus('here', tokenized, **options)


def texts(corpus, part):
    return [(' '.join(corpus.vocabulary[i] for i in words), int(label))
            for words, label in getattr(corpus, part)]


class TestCorpus:

    def test_parts(self):
        corpus = corpus_of(TRAIN, TEST)
        train, dev = texts(corpus, 'train'), texts(corpus, 'dev')
        assert len(set(train)) == 18 and set(train) < set(TRAIN)
        assert sorted(label for _, label in train + dev) == sorted(
            label for _, label in TRAIN)
        words, label = corpus.train[0]
        assert words.dtype == label.dtype == numpy.int32
        assert '18 reviews (50 % positive)' in str(corpus)

    def test_vocabulary_contains_only_words_of_the_training_part(self):
        corpus = corpus_of(TRAIN, TEST)
        assert corpus.vocabulary[:2] == ['<unk>', 'all']  # sorted by frequency
        assert sorted(corpus.vocabulary[2:]) == sorted(
            text.split()[1] for text, _ in texts(corpus, 'train'))
        assert {text for text, _ in texts(corpus, 'dev')} == {'all <unk> all'}
        assert texts(corpus, 'test')[0][0].split()[2] == '<unk>'
        assert ' 33.3 % unknown' in str(corpus)

    def test_development_part_is_fixed_and_drawn(self):
        parts = []
        for seed in 0, 1:
            numpy.random.seed(seed)
            parts.append(texts(corpus_of(TRAIN, TEST), 'train'))
        assert parts[0] == parts[1]
        # The development part is drawn at random: it contains both labels,
        # and its reviews are not all consecutive.
        corpus = data.sample(200, 20)
        assert 0 < corpus.dev.labels.mean() < 1
        assert (corpus.train.labels != numpy.arange(180) % 2).any()

    def test_min_count(self):
        train = [('once twice twice thrice thrice thrice', 1)]
        assert corpus_of(train + 19 * [('all', 0)], TEST, min_count=2
                         ).vocabulary == ['<unk>', 'all', 'thrice', 'twice']

    def test_vocabulary_of_a_model(self):
        corpus = corpus_of(
            TRAIN, TEST, number=data.number_of(['<unk>', 'unheard', 'all']))
        assert corpus.vocabulary is None
        assert corpus.test[0][0].tolist() == [2, 0, 1]

    def test_fingerprint(self):
        fingerprints = [
            corpus_of(TRAIN, test).facts['fingerprint'] for test in (
                TEST, TEST, TEST[:1], [('all review0 all', 1), ('', 0)],
                [(text, 1 - label) for text, label in TEST])]
        assert fingerprints[0] == fingerprints[1]
        assert len(set(fingerprints)) == 4

    def test_too_few(self):
        with pytest.raises(UserError, match='9 reviews to train on, too few'):
            corpus_of(TRAIN[:9], TEST)


class TestCache:

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path_factory):
        """Use an empty cache."""
        previous = chainer.dataset.get_dataset_root()
        root = tmp_path_factory.mktemp('cache')
        chainer.dataset.set_dataset_root(str(root))
        yield root
        chainer.dataset.set_dataset_root(previous)

    @pytest.fixture
    def folder(self, tmp_path, write_lines):
        return write_lines(tmp_path, train=TRAIN, test=TEST)

    def test_tokenizes_once(self, folder, monkeypatch):
        facts = data.load(str(folder)).facts
        assert facts == {**corpus_of(TRAIN, TEST).facts,
                         'source': str(folder)}
        monkeypatch.setattr(tokenizer, 'tokenize', None)
        assert data.load(str(folder)).facts == facts

    def test_tokenizes_again(self, folder, cache, monkeypatch):
        """Texts are tokenized again if a file or the tokenizer has changed."""
        data.load(str(folder))
        path = folder / 'test.jsonl'
        time = path.stat().st_mtime_ns
        os.utime(path, ns=(time, time + 1000))
        data.load(str(folder))
        path.write_text(path.read_text() + '\n')
        os.utime(path, ns=(time, time))
        data.load(str(folder))
        monkeypatch.setattr(tokenizer, 'VERSION', 0)
        data.load(str(folder))
        assert len(list((cache / 'qrnn' / 'imdb').glob('*.npz'))) == 4

    def test_same_reviews(self, folder, write_lines):
        write_lines(folder, test=TRAIN)
        with pytest.raises(UserError, match='are the same reviews; use'):
            data.load(str(folder))
        # A trained model may be scored on its training reviews.
        data.load(str(folder), number=lambda word: 0)

    def test_one_class(self, folder, write_lines, capsys):
        data.load(str(folder))
        assert capsys.readouterr().err == ''
        write_lines(folder, train=[(text, 1) for text, _ in TRAIN])
        data.load(str(folder))
        assert f'warning: train and dev of {folder} contain reviews of ' in (
            capsys.readouterr().err)

    def test_cannot_be_created(self, folder, tmp_path):
        (tmp_path / 'root').write_text('a file')
        chainer.dataset.set_dataset_root(str(tmp_path / 'root'))
        with pytest.raises(UserError, match='set CHAINER_DATASET_ROOT'):
            data.load(str(folder))


@pytest.mark.skipif(
    not os.path.isdir(IMDB), reason='IMDb is not available')
def test_fingerprint_of_imdb(user_cache, monkeypatch):
    monkeypatch.setattr(chainer.dataset.download, '_dataset_root', user_cache)
    key = data._cache_key(reviews.find_files(IMDB), tokenizer.VERSION)
    if not os.path.exists(f'{user_cache}/qrnn/imdb/{key}.npz'):
        pytest.skip('IMDb has not been tokenized yet, which takes minutes')
    assert tuple(data.load(IMDB, min_count).facts['fingerprint']
                 for min_count in (2, 0, 25)) == TABLES['imdb'].fingerprints


class TestPad:

    def test_batch(self):
        examples = [(numpy.array(words, 'i'), label) for words, label in (
            ([3, 1, 2], 1), ([], 0), ([0, 4], 1))]
        assert pad(examples[1:2], CPU)[0].tolist() == [[-1]]
        words, lengths, labels = pad(examples, CPU)
        assert words.tolist() == [[3, 1, 2], [-1, -1, -1], [0, 4, -1]]
        assert lengths.tolist() == [3, 0, 2]
        assert labels.tolist() == [1, 0, 1]
        assert words.dtype == lengths.dtype == labels.dtype == 'i'
