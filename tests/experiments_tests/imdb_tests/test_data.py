import os
import signal

import chainer
from hypothesis import given
from hypothesis import strategies as st
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import data
from experiments.imdb import reviews
from experiments.imdb.data import bag_of_words_accuracies
from experiments.imdb.data import pad
from experiments.imdb.data import tokenize
from experiments.imdb.sample import sample
from experiments.paper import TABLES


CPU = chainer.get_device('@numpy')
IMDB = os.path.join(os.path.dirname(data.__file__),
                    '..', '..', '..', 'shared', 'data', 'imdb')

# 20 reviews with a unique word each, between two words that all share
TRAIN = [(f'all review{i} all', i % 2) for i in range(20)]
TEST = [('all review0 unheard', 1), ('', 0)]


def corpus_of(train, test, **options):
    return data.Corpus(
        'here', data._tokenize({'train': train, 'test': test}), **options)


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
        assert corpus.vocabulary[:2] == ['<unk>', 'all']  # by frequency
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
        # The development part is random: it has both labels and is not a
        # range of reviews.
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


class TestProcesses:
    """Tests of worker processes, some of which execute texts as programs."""

    @pytest.fixture(autouse=True)
    def processes(self, monkeypatch):
        monkeypatch.setattr(data, '_MANY', 1)
        monkeypatch.setattr(os, 'sched_getaffinity', lambda process: {0, 1})

    def test_same_as_a_single_process(self, monkeypatch):
        texts = [text for text, _ in sample(150, 1)['train']]
        assert list(data._map(tokenize, texts)) == list(map(tokenize, texts))

    def test_killed_while_tokenizing(self):
        """Processes may be killed when memory is exhausted."""
        with pytest.raises(UserError, match='tokenized reviews was killed'):
            list(data._map(exec, [
                'import os; os.kill(os.getpid(), 9)']))

    def test_tokenizing_ends_with_the_program(self, python, tmp_path):
        """Worker processes end even if the program is killed."""
        fifo = tmp_path / 'fifo'
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        process = python('-c', '''if True:
            import os, sys
            from experiments.imdb import data

            for stream in 1, 2:  # the test waits until these are closed
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            data._MANY = 1
            os.sched_getaffinity = lambda process: {0, 1}
            list(data._map(exec, [f"""if True:
                import os, signal
                f = open({sys.argv[1]!r}, 'w')
                print('started', file=f, flush=True)
                os.kill({os.getpid()}, signal.SIGKILL)
                signal.pause()
            """]))
        ''', fifo)
        assert process.returncode == -signal.SIGKILL
        os.set_blocking(reader, True)
        with open(reader) as f:  # the pipe ends when all workers have ended
            assert f.read() == 'started\n'


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
        monkeypatch.setattr(data, 'tokenize', None)
        assert data.load(str(folder)).facts == facts

    def test_tokenizes_again(self, folder, cache, monkeypatch):
        """A change of a file's time or size or of the tokenizer causes it."""
        data.load(str(folder))
        path = folder / 'test.jsonl'
        time = path.stat().st_mtime_ns
        os.utime(path, ns=(time, time + 1000))
        data.load(str(folder))
        path.write_text(path.read_text() + '\n')
        os.utime(path, ns=(time, time))
        data.load(str(folder))
        monkeypatch.setattr(data, '_TOKENIZER_VERSION', 0)
        data.load(str(folder))
        assert len(list((cache / 'qrnn' / 'imdb').glob('*.npz'))) == 4

    def test_same_reviews(self, folder, write_lines):
        write_lines(folder, test=TRAIN)
        with pytest.raises(UserError, match='are the same reviews; use'):
            data.load(str(folder))
        # Allowed when a trained model is scored
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
    name = data._cache_key(reviews.find_files(IMDB)) + '.npz'
    if not os.path.exists(os.path.join(user_cache, 'qrnn', 'imdb', name)):
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


class TestTokenize:

    @pytest.mark.parametrize('text, tokens', [
        # All full stops are tokens, in contrast to NLTK's word tokenizer.
        ('It is good. I like it.', 'It is good . I like it .'),
        ('It is good.I like it!Do you?Yes.',
         'It is good . I like it ! Do you ? Yes .'),
        ('Good.<br /><br />film<br>or<BR/>not', 'Good . film or not'),
        ("I can't say he's good", "I ca n't say he 's good"),
        ('"good" ``bad\'\'', '" good " " bad "'),
        ('Mr. Lee and Dr. No, i.e. two.', 'Mr. Lee and Dr. No , i.e. two .'),
        ('The film, 3.5 stars (of 10).', 'The film , 3.5 stars ( of 10 ) .'),
        ('Wait... what', 'Wait ... what'),
        ('<unk>', '< unk >'),  # no text contains the token <unk>
    ])
    def test_tokens(self, text, tokens):
        assert tokenize(text) == tokens.split()

    @given(st.text(st.characters(exclude_characters='<"`\'',
                                 exclude_categories=['Cs'])))
    def test_changes_only_spaces(self, text):
        assert ''.join(tokenize(text)) == ''.join(text.split())


@pytest.mark.parametrize('pairs, accuracy', [
    ([(f'w{i % 7} {("bad", "good")[i % 2]} w{i % 11}', i % 2)
      for i in range(200)], 1),
    # Occurrences of words are not counted.
    ([('a ' * (i % 2 * 5 + 1), i % 2) for i in range(200)], .5),
    # Without a word, the bias decides.
    ([(('', 'good')[i % 2], i % 2) for i in range(200)], 1),
    ([('', int(i % 4 > 0)) for i in range(100)], .75),
])
@pytest.mark.parametrize('bigrams', [False, True])
def test_bag_of_words(pairs, accuracy, bigrams):
    corpus = corpus_of(pairs + [('a', 1)], pairs)
    assert bag_of_words_accuracies(corpus, bigrams)['test'] == (
        1 if bigrams and pairs[1][0] == 'a a a a a a ' else accuracy)


def test_bag_of_bigrams_sees_order_within_a_review():
    pairs = [(('not bad good', 'not good bad')[i % 2], i % 2)
             for i in range(200)]
    corpus = corpus_of(pairs + [('a', 1)], pairs)
    assert bag_of_words_accuracies(corpus)['test'] == .5
    assert bag_of_words_accuracies(corpus, bigrams=True)['test'] == 1
    # The last word of a review and the first of the next are not a bigram.
    pairs = 100 * [('b a', 0), ('b b a', 0), ('a b', 1)]
    corpus = corpus_of(pairs + [('a', 1)], [('b', 0), ('a', 0)] + pairs)
    assert bag_of_words_accuracies(corpus, bigrams=True)['test'] > .99
