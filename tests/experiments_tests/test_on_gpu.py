"""The three experiments on a GPU, from the first line to the result."""
import importlib
import json
import os
import subprocess
import sys
import types

from chainer.backends import cuda
import pytest

from experiments.common import cli
from experiments.common import distributed


pytestmark = pytest.mark.gpu


@pytest.mark.parametrize('name, dtype', [
    ('ptb', 'float32'), ('imdb', 'float32'), ('iwslt', 'float32'),
    ('ptb', 'mixed16')])
def test_trains_and_resumes(name, dtype, tmp_path):
    main = importlib.import_module(f'experiments.{name}.train').main
    out = tmp_path / 'out'
    arguments = ['--test', '--device', '0', '--dtype', dtype,
                 '--out', str(out)]
    main([*arguments, '--epoch', '1'])
    main([*arguments, '--epoch', '2', '--resume'])
    result = json.loads((out / 'result.json').read_text())
    assert result['epochs'] == 2


def test_programs_do_without_cudnn():
    """Nor is there a warning that it is missing, as with CuPy 13."""
    environment = {name: value for name, value in os.environ.items()
                   if name != 'CHAINER_CUDNN'}
    done = subprocess.run(
        [sys.executable, '-c',
         'import sys; sys.argv = ["-m"]; import experiments\n'
         'from chainer.backends import cuda; print(cuda.cudnn_enabled)'],
        env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ('False\n', '')


@pytest.mark.parametrize('rank, n_devices, device', [
    (0, 1, '0'), (1, 1, '0'), (1, 2, '1'), (5, 4, '1')])
def test_device_of_a_process(rank, n_devices, device, monkeypatch):
    """Where each process sees but one GPU, that is the one to take."""
    monkeypatch.setattr(
        cuda.cupy.cuda.runtime, 'getDeviceCount', lambda: n_devices)
    monkeypatch.setattr(cli, 'use_device', lambda specifier: specifier)
    processes = object.__new__(distributed.MultiProcess)
    processes._name = 'pure_nccl'
    processes._gradients = types.SimpleNamespace(intra_rank=rank)
    assert processes.use_device('-1') == device
