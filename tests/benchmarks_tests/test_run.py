"""Test all benchmarks end to end with small sizes."""
import dataclasses
import json
import os
import sys
import types

import chainer
import numpy
import pytest
import threadpoolctl

from benchmarks import draw
from benchmarks import layer
from benchmarks import lstm
from benchmarks import memory
from benchmarks import pooling
from benchmarks import ptb_step
from benchmarks import recurrence
from benchmarks import run
from benchmarks.all import BENCHMARKS
from experiments.common import cli
from experiments.common import result
from experiments.imdb import model as imdb_model
from experiments.iwslt import model as iwslt_model
from experiments.ptb.model import Config
import qrnn


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

PTB = Config(n_units=4, zoneout=.1, batch_size=2, n_steps=3)
IMDB = dataclasses.replace(imdb_model.TINY, dropout=0., lr=.01)
IWSLT = iwslt_model.TINY
SIZES = {
    'decode': {'config': IWSLT, 'language_config': PTB, 'n_sentences': 3,
               'n_words': 9},
    'drop-in': {'size': 4, 'n_checked': 1},
    'imdb-step': {'config': IMDB, 'n_words': 50, 'length': 6},
    'iwslt-step': {'config': IWSLT, 'lengths': (6, 5)},
    'layer': {'size': 3, 'grid': [(8, 32)]},
    # test_training_memory.py tests more models.
    'memory': {'names': ['QRNNLayer, f'], 'steps': [2, 3]},
    'memory-growth': {'experiments': ['ptb'], 'warm_up': 1, 'n_iterations': 2,
                      'options': ['--test']},
    'onnx': {'configs': {'imdb': IMDB, 'ptb': PTB, 'iwslt': IWSLT},
             'n_words': 7, 'n_characters': 9},
    'onnx-accuracy': {'options': ['--test']},
    'pooling': {'sizes': [('PTB', (2, 5, 4), 0.),
                          ('PTB, zoneout', (2, 5, 4), .5)],
                'beyond_caches': 1},
    'ptb-step': {'config': PTB, 'n_words': 7},
    'step': {'sizes': [3], 'batches': [1, 2]},
    'strnn': {'n_channels': 2, 'steps': [50, 300], 'period': 80, 'edge': 100,
              'beyond_caches': 1},
}


@pytest.fixture
def run_tiny(tmp_path, monkeypatch):
    """Return a function that runs a small benchmark and returns results."""
    def start(name):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv('PYTHONPATH', ROOT)
        args = run.parse(['--repeats', '2', '--out', str(tmp_path)])
        run.run(name, chainer.get_device('@numpy'), args, **SIZES[name])
        return json.loads((tmp_path / (name + '.json')).read_text())
    return start


@pytest.mark.parametrize('name', sorted(BENCHMARKS))
def test_run(name, run_tiny, tmp_path, capsys):
    written = run_tiny(name)
    assert written['benchmark'] == name and written['repeats'] == 2
    assert written['versions']['numpy'] == numpy.__version__
    for row in written['rows']:
        if name.startswith('memory'):
            assert row.get('bytes_per_element', 99) > 10
            continue
        if name == 'onnx-accuracy':
            assert row['megabytes, int8'] > 0
            continue
        for ratio in row['ratios'].values():
            assert 0 < ratio['min'] <= ratio['median'] <= ratio['max']
        assert 'device_ratios' not in row
    printed = capsys.readouterr().out
    assert BENCHMARKS[name].title in printed
    assert (tmp_path / (name + '.png')).exists() == bool(
        BENCHMARKS[name].draw)


def test_draw_existing_results(run_tiny, tmp_path):
    run_tiny('pooling')
    (tmp_path / 'pooling.png').unlink()
    draw.main([str(tmp_path)])
    assert (tmp_path / 'pooling.png').stat().st_size > 1000


def test_bandwidth_relative_to_copy(tmp_path, capsys):
    rows = [{'size': 'PTB', 'dtype': 'float32', 'direction': 'forward',
             'pooling': p, 'gigabytes_per_second': {'ours': n, 'copy': 4}}
            for p, n in (('f', 1), ('fo', 2), ('ifo', 3))]
    assert pooling._summary(rows).split('\n')[-1].split()[-3:] == [
        '25', '50', '75']


def test_grid_of_figure_4():
    ratios = {'QRNNLayer / LSTMLayer': .4, 'QRNNLayer / torch.nn.LSTM': .05,
              'QRNNLayer / matrix products': 1.25,
              'LSTMLayer / torch.nn.LSTM': 1.75}
    ratios = {pair: {'median': ratio} for pair, ratio in ratios.items()}
    rows = [{'B': 8, 'T': 512, 'mode': 'inference', 'ratios': ratios,
             'milliseconds': dict.fromkeys((
                 'QRNNLayer', 'LSTMLayer', 'torch.nn.LSTM',
                 'matrix products'))}]
    summary = layer._summary(rows)
    assert 'faster than torch.nn.LSTM' in summary
    assert '20.00 (16.9)' in summary and '1.25' in summary
    assert '1.75' in summary and '2.50' not in summary
    rows[0]['device_ratios'] = ratios
    assert 'time on the GPU' in layer._summary(rows)


def test_lstms_compute_the_same():
    pytest.importorskip('torch')
    device = chainer.get_device('@numpy')
    first = next(layer.layer(device, **SIZES['layer']))
    assert list(first.contestants) == [
        'QRNNLayer', 'LSTMLayer', 'torch.nn.LSTM', 'matrix products']
    first.check()
    link = qrnn.LSTMLayer(3, 3)
    x = numpy.random.randn(2, 5, 3).astype('f')
    torch_lstm = lstm.TorchLSTM(lstm.find_torch(device), link, x)
    numpy.testing.assert_allclose(
        torch_lstm.infer().numpy().swapaxes(0, 1), link(x).array, atol=1e-6)
    link.lateral.W.array *= 2
    link.reset_state()
    assert abs(torch_lstm.infer().numpy().swapaxes(0, 1)
               - link(x).array).max() > 1e-3


@pytest.mark.parametrize('n', [1, 2])
def test_pytorch_has_as_many_threads_as_numpy(n):
    torch = pytest.importorskip('torch')
    with threadpoolctl.threadpool_limits(n, user_api='blas'):
        lstm.find_torch(chainer.get_device('@numpy'))
        assert torch.get_num_threads() == result.blas()[0]['num_threads']


def test_threads(monkeypatch):
    commands = []

    def started(command, env):
        commands.append((command, env['OMP_NUM_THREADS']))
        assert 'OPENBLAS_NUM_THREADS' not in env
        return types.SimpleNamespace(returncode=len(commands) - 1)

    monkeypatch.setattr(run.subprocess, 'run', started)
    monkeypatch.setenv('OPENBLAS_NUM_THREADS', '3')
    with pytest.raises(cli.UserError, match='with 1 threads failed'):
        run.main(['layer', '--repeats', '5', '--threads', '2', '1'])
    (command, n), (_, m) = commands
    assert (n, m) == ('2', '1')
    args = run.parse(command[3:])
    assert (args.names, args.repeats, args.threads, args.out) == (
        ['layer'], 5, None, 'out/benchmarks/threads-2')


@pytest.mark.parametrize('name', ['imdb', 'iwslt', 'ptb'])
def test_breakdown(name, run_tiny):
    parts = run_tiny(f'{name}-step')['rows'][0]['breakdown']
    assert all(parts[part] > 0 for part in (
        'forward EmbedIDFunction', 'backward EmbedIDFunction', 'update',
        'between nodes', "optimizer's hooks"))
    if name == 'ptb':
        assert not any('Softmax' in part for part in parts)
        assert sum(ptb_step._parts({'breakdown': parts}).values()) == (
            pytest.approx(sum(parts.values())))


def test_incorrect_results_are_not_timed(monkeypatch, run_tiny):
    monkeypatch.setattr(recurrence.qrnn, 'strnn_ref',
                        lambda f, *args, **kwargs: f + 1)
    with pytest.raises(AssertionError):
        run_tiny('strnn')


@pytest.mark.parametrize('n_bytes', [0, 8, 800, 808])
def test_copy_moves_as_many_bytes(n_bytes):
    moved = []

    class Counting:
        arange, empty_like = numpy.arange, numpy.empty_like

        @staticmethod
        def copyto(target, source):
            moved.append(target.nbytes + source.nbytes)

    memory.copy_of(n_bytes, 3, Counting, buffer=80)()
    assert sum(moved) == 3 * n_bytes


def test_pytorch_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    assert lstm.find_torch(chainer.get_device('@numpy')) is None
