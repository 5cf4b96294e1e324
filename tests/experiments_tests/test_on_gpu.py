"""Test the three experiments on a GPU end to end."""
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import types

from chainer.backends import cuda
import pytest

from experiments.common import cli
from experiments.common import batches
from experiments.common.multi_process import MultiProcess
from experiments.ptb import stream


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


@pytest.mark.parametrize('name, config, most', [
    ('ptb', 'qrnn-zoneout', 60), ('ptb', 'lstm', 210), ('imdb', 'qrnn', 100),
    ('iwslt', 'qrnn', 200)])
def test_launches_of_an_update(name, config, most, tmp_path, monkeypatch):
    """An update needs at most ``most`` launches besides matrix products."""
    virtual_gpu = pytest.importorskip(
        'virtual_gpu', reason='only an emulated GPU counts its launches')
    train = importlib.import_module(f'experiments.{name}.train')
    small = {'embed_size': 8, 'n_embedding': 8, 'n_units': 8, 'batch_size': 4}
    monkeypatch.setattr(train, 'TINY', dataclasses.replace(
        train.CONFIGS[config], **{
            key: value for key, value in small.items()
            if hasattr(train.TINY, key)}))
    updater = stream.StreamUpdater if name == 'ptb' else batches.SharingUpdater
    update_core, counts = updater.update_core, []

    def counted(self):
        with virtual_gpu.counting() as count:
            update_core(self)
        counts.append(count)

    monkeypatch.setattr(updater, 'update_core', counted)
    train.main(['--test', '--device', '0', '--epoch', '1',
                '--out', str(tmp_path)])
    count = counts[-1]
    print(name, config, {key: value for key, value in count.items() if value})
    assert count['launches'] <= most
    assert not count['synchronisations']


def test_programs_run_without_cudnn():
    """CuPy 13 does not warn that cuDNN is missing."""
    environment = {name: value for name, value in os.environ.items()
                   if name != 'CHAINER_CUDNN'}
    process = subprocess.run(
        [sys.executable, '-c',
         'import sys; sys.argv = ["-m"]; import experiments\n'
         'from chainer.backends import cuda; print(cuda.cudnn_enabled)'],
        env=environment, capture_output=True, text=True)
    assert (process.stdout, process.stderr) == ('False\n', '')


@pytest.mark.parametrize('rank, n_devices, device', [
    (0, 1, '0'), (1, 1, '0'), (1, 2, '1'), (5, 4, '1')])
def test_device_of_a_process(rank, n_devices, device, monkeypatch):
    """The GPU number is the local rank modulo the number of visible GPUs."""
    monkeypatch.setattr(
        cuda.cupy.cuda.runtime, 'getDeviceCount', lambda: n_devices)
    monkeypatch.setattr(cli, 'use_device', lambda specifier: specifier)
    processes = object.__new__(MultiProcess)
    processes._name = 'pure_nccl'
    processes._gradients = types.SimpleNamespace(intra_rank=rank)
    assert processes.use_device('-1') == device
