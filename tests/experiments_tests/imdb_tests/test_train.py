import json
import os

import numpy
import pytest

from experiments.imdb import data
from experiments.imdb import glove
from experiments.imdb import train


def run_test(out, *arguments):
    train.main(['--test', '--out', str(out), '--snapshot-every', '10']
               + [str(each) for each in arguments])


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Folder of a tiny run that nothing interrupted."""
    out = tmp_path_factory.mktemp('finished')
    run_test(out)
    return out


@pytest.fixture
def result_of():
    return lambda out: json.loads((out / 'result.json').read_text())


def test_reaches_a_score(trained):
    """Order and contrast decide, which a bag of words does not see."""
    _, result = trained
    assert result['test_accuracy'] > 95
    assert result['bag_of_words_test_accuracy'] < 75


def test_leaves_everything_behind(trained):
    out, result = trained
    assert {'log', 'model.json', 'model.npz', 'result.json',
            'accuracy.png'} < set(os.listdir(out))
    assert len([name for name in os.listdir(out)
                if name.startswith('snapshot_iter_')]) == 2
    with open(os.path.join(out, 'result.json')) as f:
        assert json.load(f) == result
    assert {
        'experiment', 'config', 'settings', 'data', 'glove', 'seed',
        'parameters', 'epochs', 'best_epoch', 'development_accuracy',
        'test_accuracy', 'bag_of_words_test_accuracy', 'seconds_per_epoch',
        'starts', 'finished', 'scored', 'curve'} <= set(result)
    assert result['experiment'] == 'imdb' and result['config'] == 'small'
    assert result['data']['reviews'] == {
        'train': 1350, 'dev': 150, 'test': 200}


def test_best_epoch_is_the_most_accurate(trained):
    _, result = trained
    curve = [entry['validation/main/accuracy'] for entry in result['curve']]
    assert result['development_accuracy'] == 100 * max(curve)
    assert result['best_epoch'] == 1 + curve.index(max(curve))
    assert len(curve) == result['epochs'] == 4
    assert max(curve) > min(curve)


def test_best_model_is_scored(tmp_path, monkeypatch, result_of):
    """Not the last one: here every epoch is worse than the one before."""
    scores = []
    monkeypatch.setattr(
        train, 'score', lambda model, reviews, **_: scores.append(
            (model.embed.W.array.copy(), reviews)) or 0.)
    values = iter([.7, .8, .6])

    def evaluator(*_):
        def evaluate(trainer):
            value = next(values)
            weights.append(trainer.updater.get_optimizer(
                'main').target.embed.W.array.copy())
            train.chainer.report({'validation/main/accuracy': value})
        return train.training.make_extension(
            trigger=(1, 'epoch'),
            priority=train.training.PRIORITY_WRITER)(evaluate)

    weights = []
    monkeypatch.setattr(train, 'evaluator', evaluator)
    run_test(tmp_path, '--epoch', '3')
    assert result_of(tmp_path)['best_epoch'] == 2
    (scored, reviews), = scores  # once, on test
    assert (scored == weights[1]).all() and len(reviews) == 20
    assert (scored != weights[2]).any()


def test_seed(finished, tmp_path, log_of):
    for seed in '0', '1':
        run_test(tmp_path / seed, '--seed', seed, '--epoch', '1')
    assert log_of(tmp_path / '0') == log_of(finished)[:1]
    assert log_of(tmp_path / '1') != log_of(finished)[:1]


def test_another_run(finished, tmp_path, complaint):
    snapshot = finished / 'snapshot_iter_45'
    arguments = ['--test', '--out', tmp_path, '--resume', snapshot]
    assert 'its seed is 0, not 1' in complaint(
        train.main, '--seed', 1, *arguments)
    vectors = tmp_path / 'vectors.txt'
    vectors.write_text('it ' + ' '.join(8 * ['1']) + '\n')
    assert 'its glove is None, not' in complaint(
        train.main, '--glove', vectors, *arguments)
    assert 'holds an earlier run' in complaint(
        train.main, '--test', '--out', finished)


def test_snapshot_of_other_reviews(
        finished, tmp_path, complaint, monkeypatch):
    other = data.sample_corpus(100, 20)
    other.test.labels[0] ^= 1
    monkeypatch.setattr(data, 'sample_corpus', lambda *_: other)
    assert 'its fingerprint is' in complaint(
        train.main, '--test', '--out', tmp_path, '--resume',
        finished / 'snapshot_iter_45')


class TestGlove(object):

    def words(self, corpus):
        """Frequent words that are no other's lower case."""
        return [word for word in corpus.vocabulary[1:]
                if word == word.lower() and word != '"'
                and word.capitalize() not in corpus.vocabulary][:20]

    @pytest.fixture
    def vectors(self, tmp_path):
        random = numpy.random.RandomState(0)
        corpus = data.sample_corpus(100, 20)
        path = tmp_path / 'vectors.txt'
        path.write_text(''.join(
            '{} {}\n'.format(word, ' '.join('%.4f' % x for x in 3 + row))
            for word, row in zip(self.words(corpus), random.randn(20, 5))))
        return path

    def test_facts(self, vectors, tmp_path, capsys, result_of):
        out = tmp_path / 'out'
        run_test(out, '--glove', vectors, '--epoch', '1')
        result = result_of(out)
        assert result['settings']['embed_size'] == 5
        assert result['glove']['vectors'] == 20
        assert result['glove']['size'] == 5
        # Of running words, not of the vocabulary's
        corpus = data.sample_corpus(100, 20)
        share = numpy.mean([corpus.vocabulary[i] in self.words(corpus)
                            for i in corpus.train.words])
        assert result['glove']['coverage'] == pytest.approx(share)
        said = 'vectors for 20 of {:,} words of the vocabulary, {:.1f} % of'
        assert said.format(result['data']['vocabulary'],
                           100 * share) in capsys.readouterr().out

    def test_vectors_are_where_the_model_starts(
            self, vectors, tmp_path, monkeypatch):
        seen = []
        monkeypatch.setattr(train, 'build', lambda *arguments: (
            seen.append(arguments), Stop.throw())[0])
        with pytest.raises(Stop):
            run_test(tmp_path / 'out', '--glove', vectors, '--seed', 3)
        (config, words, start), = seen
        assert (start == glove.initial_vectors(
            str(vectors), data.sample_corpus(100, 20), 3)[0]).all()
        assert start.shape == (len(words), config.embed_size)


class Stop(Exception):

    @classmethod
    def throw(cls):
        raise cls


def test_min_count_of_the_configuration(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(data, 'load', lambda *arguments: (
        seen.append(arguments), Stop.throw()))
    with pytest.raises(Stop):
        train.main(['--config', 'lstm', '--data', 'there',
                    '--out', str(tmp_path)])
    assert seen == [('there', 2)]


def test_keeps_nothing_without_out(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    train.main(['--test', '--epoch', '1'])
    assert 'Everything works.' in capsys.readouterr().out
    assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize('arguments, says', [
    (['--config', 'huge'], 'invalid choice'),
    (['--data', 'nowhere'], 'there is no nowhere; --data takes'),
    (['--test', '--glove', 'nowhere'], 'cannot read nowhere'),
    (['--device', 'tpu'], 'there is no device tpu'),
])
def test_bad_arguments(complaint, tmp_path, arguments, says):
    assert says in complaint(
        train.main, '--out', tmp_path / 'out', *arguments)
    assert not (tmp_path / 'out').exists()


def test_as_a_command(python):
    process = python('-m', 'experiments.imdb.train', '--data', 'nowhere')
    assert process.returncode == 1 and not process.stdout
    assert process.stderr.startswith('error: there is no nowhere')
    assert process.stderr.count('\n') == 1
