import json
import subprocess
import types

import chainer
import chainer.links as L
import numpy
import pytest

from experiments.common import result


LOG = [{'epoch': 1, 'elapsed_time': 5.}, {'epoch': 2, 'elapsed_time': 8.},
       {'epoch': 3, 'elapsed_time': 11.}]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes and returns the result of a run."""
    trainer = types.SimpleNamespace(
        out=str(tmp_path), elapsed_time=60.,
        get_extension=lambda name: types.SimpleNamespace(log=LOG),
        updater=types.SimpleNamespace(
            get_optimizer=lambda name: types.SimpleNamespace(
                target=L.Linear(3, 2))))
    extension = result.WriteResult(
        {'seed': 0}, types.SimpleNamespace(epoch=2),
        chainer.get_device('@numpy'))
    extension.initialize(trainer)

    def write(epochs, scores=None):
        trainer.updater.epoch = epochs
        if scores is None:
            extension(trainer)
        else:
            extension.finish(scores)
        return json.loads((tmp_path / 'result.json').read_text())
    return write


def test_result(write):
    written = write(3, {'test_perplexity': 80.})
    start, = written.pop('starts')
    assert start['minutes'] == 0. and start['processes'] == 1
    assert written == {
        'seed': 0, 'finished': True, 'parameters': 8, 'epochs': 3,
        'best_epoch': 2, 'test_perplexity': 80., 'seconds_per_epoch': 3.,
        'scored': [{'epochs': 3, 'test_perplexity': 80.}], 'curve': LOG}


def test_scored_lists_every_score_on_the_test_part(write, tmp_path):
    first, second = ({'epochs': n, 'test_accuracy': 90. + n} for n in (2, 4))
    assert write(1)['scored'] == []
    assert write(2, {'test_accuracy': 92.})['scored'] == [first]
    assert write(3)['scored'] == [first]
    for _ in range(2):
        assert write(4, {'test_accuracy': 94.})['scored'] == [first, second]
    # If the previous file has no readable 'scored', only the new score is
    # listed.
    for contents in '{', '{}', '[]':
        (tmp_path / 'result.json').write_text(contents)
        assert write(4, {'test_accuracy': 94.})['scored'] == [second]


def test_environment():
    about = result.environment(chainer.get_device('@numpy'))
    assert about['versions']['numpy'] == numpy.__version__
    assert about['hardware']['cores'] >= 1 and about['hardware']['cpu']
    assert about['blas'][0].keys() >= {
        'internal_api', 'version', 'num_threads'}
    assert about['command'].startswith('python')


def test_git_revision(monkeypatch):
    revision = result._git_revision()
    if revision is not None:
        assert len(revision['revision']) == 40
        assert revision['dirty'] in (True, False)

    def run(*args, **kwargs):
        raise FileNotFoundError('git')
    monkeypatch.setattr(subprocess, 'run', run)
    assert result._git_revision() is None
