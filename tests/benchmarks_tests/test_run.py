"""Every benchmark from end to end, with small sizes."""
import dataclasses
import json
import sys
import types

import chainer
import numpy
import pytest
import threadpoolctl

from benchmarks import draw
from benchmarks import drop_in
from benchmarks import imdb_step
from benchmarks import iwslt_step
from benchmarks import layer
from benchmarks import lstm
from benchmarks import memory
from benchmarks import onnx_accuracy
from benchmarks import onnx_models
from benchmarks import pooling
from benchmarks import ptb_step
from benchmarks import recurrence
from benchmarks import run
from benchmarks import step
from benchmarks import timing
from benchmarks import training_memory
from benchmarks.all import BENCHMARKS
from experiments.common import cli
from experiments.common import result
from experiments.imdb import model as imdb_model
from experiments.iwslt import model as iwslt_model
from experiments.ptb.model import Config
import qrnn


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, '_BEYOND_CACHES', 1)
    monkeypatch.setattr(layer, '_SIZE', 3)
    monkeypatch.setattr(layer, '_GRID', [(8, 32)])
    monkeypatch.setattr(pooling, '_ON_CPU', [
        ('PTB', (2, 5, 4), 0.), ('PTB, zoneout', (2, 5, 4), .5)])
    monkeypatch.setattr(onnx_accuracy, '_MODELS', str(tmp_path / 'models'))
    monkeypatch.setattr(onnx_accuracy, '_TRAINING', ['--test'])
    monkeypatch.setattr(onnx_models, '_CONFIGS', {
        'imdb': imdb_model.TINY, 'ptb': Config(n_units=4),
        'iwslt': iwslt_model.TINY})
    monkeypatch.setattr(onnx_models, '_N_WORDS', 7)
    monkeypatch.setattr(onnx_models, '_N_CHARACTERS', 9)
    monkeypatch.setattr(recurrence, '_CHANNELS', 2)
    monkeypatch.setattr(recurrence, '_ON_CPU', [50, 300])
    monkeypatch.setattr(recurrence, '_BLOCK', 80)
    monkeypatch.setattr(recurrence, '_EDGE', 100)
    monkeypatch.setattr(drop_in, '_SIZE', 4)
    monkeypatch.setattr(drop_in, '_CHECKED_ITERATIONS', 1)
    monkeypatch.setattr(imdb_step, 'CONFIGS', {'qrnn': dataclasses.replace(
        imdb_model.TINY, dropout=0., lr=.01)})
    monkeypatch.setattr(imdb_step, '_N_WORDS', 50)
    monkeypatch.setattr(imdb_step, '_LENGTH', 6)
    monkeypatch.setattr(
        iwslt_step, 'CONFIGS', {'qrnn': iwslt_model.TINY})
    monkeypatch.setattr(iwslt_step, '_LENGTHS', (6, 5))
    monkeypatch.setattr(training_memory, '_GROWTH', {'ptb': ['--test']})
    monkeypatch.setattr(training_memory, '_WARM_UP', 1)
    monkeypatch.setattr(training_memory, '_ITERATIONS', 2)
    monkeypatch.setattr(training_memory, '_STEPS', (2, 3))
    name = 'QRNNLayer, f'  # test_training_memory tests the others
    monkeypatch.setattr(training_memory, '_STEPS_OF', {
        name: training_memory._STEPS_OF[name]})
    monkeypatch.setattr(training_memory, '_SIZE', 64)
    config = Config(n_units=4, zoneout=.1, batch_size=2, n_steps=3)
    monkeypatch.setattr(ptb_step, 'CONFIGS', {'qrnn-zoneout': config})
    monkeypatch.setattr(ptb_step, '_N_WORDS', 7)
    monkeypatch.setattr(ptb_step, '_N_PARAMETERS', 279)


@pytest.mark.parametrize('name', sorted(BENCHMARKS))
def test_run(name, tmp_path, capsys):
    run.main([name, '--repeats', '2', '--out', str(tmp_path)])
    written = json.loads((tmp_path / (name + '.json')).read_text())
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


def test_draw_existing_results(tmp_path):
    run.main(['pooling', '--repeats', '1', '--out', str(tmp_path)])
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
    first = next(layer.layer(device))
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
def test_breakdown_counts_everything_once(name, tmp_path, monkeypatch):
    """The sum of the parts is the total number of clock readings."""
    class Counting(timing.Clock):
        readings = 0

        def now(self):
            Counting.readings += 1
            return Counting.readings / 1e3

    monkeypatch.setattr(step, 'Clock', Counting)
    run.main([f'{name}-step', '--repeats', '1', '--out', str(tmp_path)])
    rows = json.loads((tmp_path / f'{name}-step.json').read_text())['rows']
    parts = rows[0]['breakdown']
    assert all(parts[part] > 0 for part in (
        'forward EmbedIDFunction', 'backward EmbedIDFunction', 'update',
        'between nodes', "optimizer's hooks"))
    # From the first to the last reading of each of two intervals.
    assert sum(parts.values()) == pytest.approx(Counting.readings / 5 - 2)
    if name == 'ptb':
        assert not any('Softmax' in part for part in parts)
        assert sum(ptb_step._parts(rows[0]).values()) == pytest.approx(
            sum(parts.values()))


def test_a_wrong_result_is_not_timed(monkeypatch, tmp_path):
    monkeypatch.setattr(recurrence.qrnn, 'strnn_ref',
                        lambda f, *args, **kwargs: f + 1)
    with pytest.raises(AssertionError):
        run.main(['strnn', '--out', str(tmp_path)])


@pytest.mark.parametrize('n_bytes', [0, 8, 800, 808])
def test_copy_moves_as_many_bytes(n_bytes, monkeypatch):
    monkeypatch.setattr(memory, '_BUFFER', 80)
    moved = []

    class Counting:
        arange, empty_like = numpy.arange, numpy.empty_like

        @staticmethod
        def copyto(target, source):
            moved.append(target.nbytes + source.nbytes)

    memory.copy_of(n_bytes, 3, Counting)()
    assert sum(moved) == 3 * n_bytes


def test_pytorch_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    assert lstm.find_torch(chainer.get_device('@numpy')) is None
