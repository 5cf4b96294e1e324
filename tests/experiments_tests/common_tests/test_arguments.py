import chainer
from chainer.backends import cuda
import numpy
import pytest

from experiments.common import arguments
from experiments.common.errors import Problem


@pytest.fixture
def parse():
    parser = arguments.training_parser('ptb', {'a': 1, 'b': 2}, 'b')
    return lambda *arguments: parser.parse_args(arguments)


def test_defaults(parse):
    args = parse()
    assert (args.config, args.device, args.seed) == ('b', '-1', 0)
    assert args.out is args.resume is args.epoch is None
    assert not args.test and not args.overwrite


def test_resume(parse):
    assert parse('--resume').resume is True
    assert parse('-r', 'snapshot_iter_3').resume == 'snapshot_iter_3'


def test_error_is_one_line(parse, capsys):
    with pytest.raises(SystemExit) as info:
        parse('--epoch', 'many')
    assert info.value.code == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and "not 'many'" in err


@pytest.mark.parametrize('specifier', ['-1', '@numpy'])
def test_cpu(specifier):
    assert arguments.get_device(specifier).xp is numpy


@pytest.mark.parametrize('specifier', [
    '', 'native', '@intel64', '@numpy:1', '@cupy', '@cupy:x', '@cupy:-1',
    '-2x', '10000', '@cupy:10000'])
def test_not_there(specifier):
    with pytest.raises(Problem, match='device'):
        arguments.get_device(specifier)


def test_cupy_without_gpu(monkeypatch):
    """CuPy imports where there is no GPU, and Chainer calls that available."""
    class Runtime(object):
        CUDARuntimeError = RuntimeError

        def getDeviceCount(self):
            raise RuntimeError('no CUDA-capable device is detected')

    cupy = type('cupy', (), {})
    cupy.cuda = type('cuda', (), {'runtime': Runtime()})
    monkeypatch.setattr(cuda, 'available', True)
    monkeypatch.setattr(cuda, 'cupy', cupy)
    with pytest.raises(Problem, match='this machine has no GPU;'):
        arguments.get_device('0')


@pytest.mark.gpu
def test_gpu():
    for specifier in '0', '@cupy:0':
        assert arguments.get_device(specifier) == chainer.get_device(
            '@cupy:0')
