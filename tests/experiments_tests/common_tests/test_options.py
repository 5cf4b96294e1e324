import dataclasses
from typing import Literal

import pytest

from experiments.common.options import TrainingParser


@dataclasses.dataclass
class Config:
    layer: Literal['qrnn', 'lstm'] = 'qrnn'
    sizes: tuple[int, ...] = (6, 2)
    scale: float | None = None
    is_dense: bool = False
    name: str = ''
    lr: float = 1.
    batch_size: int = 20
    n_epochs: int = 5


def make_parser():
    return TrainingParser('toy', {
        'small': Config(), 'large': Config(lr=2.)}, Config(n_epochs=1))


def parse(*arguments):
    return make_parser().parse_args(arguments)


def test_configuration():
    assert parse().settings == Config()
    assert parse().out == 'out/toy-small'
    args = parse('--config', 'large', '--epoch', '7', '--batch-size', '4')
    assert args.settings == Config(lr=2., n_epochs=7, batch_size=4)
    assert args.facts == {
        'experiment': 'toy', 'config': 'large', 'seed': 0, 'patience': None,
        'dtype': 'float32',
        # n_epochs has the configured value. --epoch does not change it.
        'settings': dataclasses.asdict(Config(lr=2., batch_size=4))}


def test_test(capsys):
    args = parse('--test')
    assert args.settings == Config(n_epochs=1)
    assert args.out == 'out/toy-test' and args.overwrite
    assert not parse('--test', '--resume').overwrite
    assert not parse('--test', '--out', 'folder').overwrite
    assert not capsys.readouterr().err
    parser = make_parser()
    parser.add_argument('--data')
    parser.parse_args(['--test', '--data', 'folder'])
    assert capsys.readouterr().err == 'warning: --test ignores --data\n'


def test_set():
    settings = parse(
        '--set', 'layer=lstm', 'sizes=3,4,5', 'scale=0.5', 'lr=1e-3',
        '--set', 'is_dense=True', 'name=a=b', 'n_epochs=9').settings
    assert settings == Config(
        layer='lstm', sizes=(3, 4, 5), scale=.5, is_dense=True, name='a=b',
        lr=1e-3, n_epochs=9)
    assert parse('--set', 'scale=none').settings.scale is None


@pytest.mark.parametrize('argument, message', [
    ('size=3', "'size' is not a setting; choose from layer, sizes, scale"),
    ('lr', "lr must be a number from 0, not ''"),
    ('lr=nan', "lr must be a number from 0, not 'nan'"),
    ('lr=-1', "lr must be a number from 0, not '-1'"),
    ('batch_size=2.5', "batch_size must be a whole number from 1, not '2.5'"),
    ('batch_size=0', "batch_size must be a whole number from 1, not '0'"),
    ('layer=gru', "layer must be Literal['qrnn', 'lstm'], not 'gru'"),
    ('sizes=3,x', "sizes must be tuple[int, ...], not '3,x'"),
    ('scale=x', "scale must be float | None, not 'x'"),
    ('is_dense=1', "is_dense must be bool, not '1'")])
def test_invalid_settings(argument, message, capsys):
    with pytest.raises(SystemExit) as info:
        parse('--set', argument)
    assert info.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f'error: argument --set: {message}')
    assert error.count('\n') == 1
