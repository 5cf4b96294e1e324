import json
import subprocess
import sys

import chainer
import numpy
import pytest

from experiments.common import result


LOG = [{'epoch': 1, 'elapsed_time': 5.}, {'epoch': 2, 'elapsed_time': 8.},
       {'epoch': 3, 'elapsed_time': 11.}]


def test_result(tmp_path):
    written = result.write_result(
        str(tmp_path), {'experiment': 'ptb', 'seed': 0},
        {'epochs': 3, 'test_perplexity': 80.}, [{'minutes': 1.}], LOG, True)
    assert json.loads((tmp_path / 'result.json').read_text()) == written
    assert written == {
        'experiment': 'ptb', 'seed': 0, 'finished': True, 'epochs': 3,
        'test_perplexity': 80., 'seconds_per_epoch': 3.,
        'scored': [{'epochs': 3, 'test_perplexity': 80.}],
        'starts': [{'minutes': 1.}], 'curve': LOG}


def test_every_score_on_the_test_part_is_told(tmp_path):
    def write(epochs, finished=True):
        outcome = {'epochs': epochs}
        if finished:
            outcome['test_accuracy'] = 90. + epochs
        return result.write_result(
            str(tmp_path), {}, outcome, [], LOG, finished)['scored']

    first, second = ({'epochs': n, 'test_accuracy': 90. + n} for n in (2, 4))
    assert write(1, finished=False) == []
    assert write(2) == write(3, finished=False) == [first]
    assert write(4) == write(4) == [first, second]
    # Damaged, or of a version that did not tell
    for contents in '{', '{}', '[]':
        (tmp_path / 'result.json').write_text(contents)
        assert write(4) == [second]


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


def test_curves(tmp_path, monkeypatch):
    image = pytest.importorskip('matplotlib.image')
    log = [{'epoch': i, 'loss': 100. / i} for i in (1, 2, 3)]
    log[0]['other'] = 50.

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, 'matplotlib.figure', None)
        result.draw_curves(str(tmp_path), log, ['loss', 'other'])
    assert not list(tmp_path.iterdir())
    result.draw_curves(str(tmp_path), log, ['loss', 'other'])
    pixels = image.imread(tmp_path / 'curves.png')
    assert pixels.shape[:2] == (720, 960)
    assert 0 < numpy.mean(pixels[..., :3].min(-1) < .9) < .5
