import json
import os
import subprocess

import chainer
import numpy
import threadpoolctl

from experiments.common import result


CPU = chainer.get_device('@numpy')
LOG = [{'epoch': 1, 'elapsed_time': 5.}, {'epoch': 2, 'elapsed_time': 8.},
       {'epoch': 3, 'elapsed_time': 11.}]


def test_result(tmp_path):
    written = result.write_result(
        str(tmp_path), {'experiment': 'ptb', 'seed': 0},
        {'test_perplexity': 80.}, result.environment(CPU), LOG)
    with open(str(tmp_path / 'result.json')) as f:
        assert json.load(f) == written
    assert written['seed'] == 0 and written['test_perplexity'] == 80.
    assert written['seconds_per_epoch'] == 3.
    assert written['versions']['numpy'] == numpy.__version__
    assert written['hardware']['cores'] >= 1 and written['hardware']['cpu']
    assert written['blas'][0].keys() >= {
        'internal_api', 'version', 'num_threads'}
    assert written['command'].startswith('python')
    assert written['curve'] == LOG


def test_git_revision():
    try:
        head = subprocess.check_output(
            ['git', 'rev-parse', 'HEAD'], cwd=os.path.dirname(result.__file__))
    except (OSError, subprocess.CalledProcessError):
        assert result._git_revision() is None
    else:
        revision = result._git_revision()
        assert revision['revision'] == head.decode().strip()
        assert revision['dirty'] in (True, False)


def test_without_git(monkeypatch):
    def run(*args, **kwargs):
        raise FileNotFoundError('git')
    monkeypatch.setattr(subprocess, 'run', run)
    assert result._git_revision() is None


def test_threads_of_the_blas():
    with threadpoolctl.threadpool_limits(1, user_api='blas'):
        assert result.blas()[0]['num_threads'] == 1


def test_no_epoch(tmp_path):
    written = result.write_result(str(tmp_path), {}, {}, {}, [])
    assert written['seconds_per_epoch'] is None
