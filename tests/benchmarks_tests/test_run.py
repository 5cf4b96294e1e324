"""Every benchmark from end to end, at sizes that prove nothing but that."""
import dataclasses
import json
import sys

import chainer
import numpy
import pytest

from benchmarks import draw
from benchmarks import drop_in
from benchmarks import imdb_step
from benchmarks import layer
from benchmarks import lstm
from benchmarks import memory
from benchmarks import onnx_models
from benchmarks import pooling
from benchmarks import ptb_step
from benchmarks import recurrence
from benchmarks import run
from benchmarks import training_memory
from benchmarks.all import BENCHMARKS
from experiments.imdb import model as imdb_model
from experiments.ptb.model import Config


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(memory, '_BEYOND_CACHES', 1)
    monkeypatch.setattr(layer, '_SIZE', 3)
    monkeypatch.setattr(layer, '_ON_CPU', [(8, 32)])
    monkeypatch.setattr(pooling, '_ON_CPU', [
        ('PTB', (2, 5, 4), 0.), ('PTB, zoneout', (2, 5, 4), .5)])
    monkeypatch.setattr(onnx_models, '_CONFIGS', {
        'imdb': imdb_model.TINY, 'ptb': Config(n_units=4)})
    monkeypatch.setattr(onnx_models, '_N_WORDS', 7)
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
    monkeypatch.setattr(training_memory, '_GROWTH', {'ptb': ['--test']})
    monkeypatch.setattr(training_memory, '_WARM_UP', 1)
    monkeypatch.setattr(training_memory, '_ITERATIONS', 2)
    monkeypatch.setattr(training_memory, '_STEPS', (2, 3))
    monkeypatch.setattr(training_memory, '_SIZE', 64)
    config = Config(n_units=4, zoneout=.1, batch_size=2, n_steps=3)
    monkeypatch.setattr(ptb_step, 'CONFIGS', {'qrnn-zoneout': config})
    monkeypatch.setattr(ptb_step, '_N_WORDS', 7)
    monkeypatch.setattr(ptb_step, '_N_PARAMETERS', 279)


@pytest.mark.parametrize('name', sorted(BENCHMARKS))
def test_run(name, tmp_path, capsys):
    run.main([name, '--repeats', '2', '--out', str(tmp_path)])
    result = json.loads((tmp_path / (name + '.json')).read_text())
    assert result['benchmark'] == name and result['repeats'] == 2
    assert result['versions']['numpy'] == numpy.__version__
    for row in result['rows']:
        if name.startswith('memory'):
            assert row.get('bytes_per_element', 99) > 10
            continue
        ratio = row['ratio']
        assert 0 < ratio['min'] <= ratio['median'] <= ratio['max']
        assert 'device_ratio' not in row
    printed = capsys.readouterr().out
    assert BENCHMARKS[name].title in printed
    assert (tmp_path / (name + '.png')).exists() == bool(
        BENCHMARKS[name].draw)


def test_draws_what_was_measured_elsewhere(tmp_path):
    run.main(['pooling', '--repeats', '1', '--out', str(tmp_path)])
    (tmp_path / 'pooling.png').unlink()
    draw.main([str(tmp_path)])
    assert (tmp_path / 'pooling.png').stat().st_size > 1000


def test_shares_of_the_copy(tmp_path, capsys):
    rows = [{'size': 'PTB', 'dtype': 'float32', 'direction': 'forward',
             'pooling': p, 'gigabytes_per_second': {'ours': n, 'copy': 4}}
            for p, n in (('f', 1), ('fo', 2), ('ifo', 3))]
    assert pooling._summary(rows).split('\n')[-1].split()[-3:] == [
        '25', '50', '75']


def test_grid_of_figure_4():
    assert len(layer.PAPER) == 30 and layer.PAPER[8, 512] == 16.9
    rows = [{'B': 8, 'T': 512, 'mode': 'inference',
             'ratio': {'median': .05}, 'device_ratio': {'median': .1},
             'milliseconds': {'QRNNLayer': {}, "cuDNN's LSTM": {}}}]
    summary = layer._summary(rows)
    assert "faster than cuDNN's LSTM" in summary
    assert '20.0 (16.9)' in summary and '10.0 (16.9)' in summary


def test_breakdown_counts_everything_once(tmp_path):
    run.main(['ptb-step', '--repeats', '1', '--out', str(tmp_path)])
    row, = json.loads((tmp_path / 'ptb-step.json').read_text())['rows']
    parts = row['breakdown']
    assert all(parts[part] > 0 for part in ptb_step.PAPER)
    nodes = {name: ms for name, ms in parts.items() if name[:5] == 'node '}
    assert 0 < sum(nodes.values()) < parts['RNN']
    assert 'node EmbedIDFunction' in nodes
    assert not any('Softmax' in name for name in nodes)


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
