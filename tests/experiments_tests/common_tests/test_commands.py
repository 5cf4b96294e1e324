import json
import os

from chainer import serializers
import chainer.links as L
import numpy
import pytest

from experiments.common import cli
from experiments.common import commands
from experiments.common.cli import UserError


class TestLoadModel:

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / 'model.json').write_text(
            '{"experiment": "toy", "dtype": "float32", "size": 3}')
        serializers.save_npz(
            tmp_path / 'model.npz', L.Linear(3, 2), compression=False)
        return tmp_path

    def load(self, folder, experiment='toy'):
        return commands.load_model(
            str(folder), experiment, lambda description: L.Linear(
                description['size'], 2))

    def test_valid(self, folder):
        model, description = self.load(folder)
        assert model.W.shape == (2, 3) and description['size'] == 3

    @pytest.mark.parametrize('name', ['model.json', 'model.npz'])
    def test_missing(self, folder, name):
        os.remove(folder / name)
        with pytest.raises(UserError, match=f'{name} is missing'):
            self.load(folder)

    def test_another_experiment(self, folder):
        with pytest.raises(UserError, match='belongs to another experiment'):
            self.load(folder, 'ptb')

    @pytest.mark.parametrize('description', [
        [], {'experiment': 'toy'}, {'experiment': 'toy', 'dtype': 'int8'},
        {'experiment': 'toy', 'dtype': 'float32'},
        {'experiment': 'toy', 'dtype': 'float32', 'size': 4},
        {'experiment': 'toy', 'dtype': 'float32', 'size': 'many'}])
    def test_invalid_description(self, folder, description):
        (folder / 'model.json').write_text(json.dumps(description))
        with pytest.raises(UserError, match='does not contain a model of'):
            self.load(folder)

    def test_other_parameters(self, folder):
        numpy.savez(folder / 'model.npz', W=numpy.zeros((2, 3)))
        with pytest.raises(UserError, match='npz belongs to another model'):
            self.load(folder)


def test_text_that_is_not_utf_8(capsys):
    parser = cli.Parser('x')
    parser.add_argument('review', type=commands.text)
    with pytest.raises(SystemExit):
        parser.parse_args([os.fsdecode(b'caf\xe9')])
    assert 'is not UTF-8 text' in capsys.readouterr().err


@pytest.mark.parametrize('is_terminal', [False, True])
def test_report_rate(is_terminal, monkeypatch, capsys):
    monkeypatch.setattr('sys.stderr.isatty', lambda: is_terminal)
    monkeypatch.setattr('time.perf_counter', lambda: 14.)
    commands.report_rate(6, 'words', start=10.)
    commands.report_rate(0, 'words', start=14.)
    assert capsys.readouterr().err == is_terminal * (
        '6 words in 4.0 s, 1.5 per second\n')
