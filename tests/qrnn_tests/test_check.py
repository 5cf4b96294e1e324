"""Tests of the command ``python -m qrnn.check``."""
import subprocess
import sys
from unittest import mock

from chainer.backends import cuda
import pytest

from qrnn import check
from qrnn.kernels import cpu


@pytest.fixture
def few(monkeypatch):
    """Limit the checks to float64, few steps and the CPU."""
    monkeypatch.setattr(check, 'TOLERANCE', {'float64': 1e-12})
    monkeypatch.setattr(check, 'STEPS', (8, 40))
    monkeypatch.setattr(cuda, 'available', False)


def run(capsys):
    """Return the exit status, and a dict with the result of each check."""
    try:
        check.main()
        status = 0
    except SystemExit as error:
        status = error.code
    lines = capsys.readouterr().out.splitlines()
    return status, dict(line.split(': ', 1) for line in lines if ': ' in line)


def test_cpu():
    done = subprocess.run(
        [sys.executable, '-c', 'from qrnn import check; '
         'check.cuda.available = False; check.main()'],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == 'All checks passed.'
    for dtype in 'float16', 'float32', 'float64':
        for name in 'recurrence', 'fo-pooling', 'zoneout', 'loss':
            assert f'CPU, {dtype}, {name}: passed (' in done.stdout


def inverted(name):
    function = getattr(cpu, name)
    return lambda *args, **kwargs: 1 - function(*args, **kwargs)


def failing(name):
    def fail(*args):
        raise OSError('no such file\nand more')

    return fail


@pytest.mark.parametrize('name, replace, checks, message', [
    ('strnn_forward', inverted, ['recurrence', 'reversed recurrence'],
     'AssertionError: the error is'),
    ('dropout', inverted, ['dropout'], 'AssertionError: the mask differs'),
    ('lstm_backward', failing, ['LSTM'], 'OSError: no such file')])
def test_failure(few, capsys, monkeypatch, name, replace, checks, message):
    monkeypatch.setattr(cpu, name, replace(name))
    status, lines = run(capsys)
    failed = {name: line for name, line in lines.items()
              if name.startswith('CPU') and not line.startswith('passed (')}
    assert failed.keys() == {f'CPU, float64, {name}' for name in checks}
    assert all(line.startswith(message) for line in failed.values())
    assert status == 1


def test_gradient_of_float64(monkeypatch):
    strnn_backward = cpu.strnn_backward
    monkeypatch.setattr(cpu, 'strnn_backward', lambda *args: tuple(
        g * 1.001 for g in strnn_backward(*args)))
    operations = list(map(next, map(check._operations, check.STEPS)))
    with pytest.raises(AssertionError):
        check._check_with_reference(
            operations, check.chainer.get_device('@numpy'), 'float64')


def test_cupy_without_gpu(few, capsys, monkeypatch):
    runtime = mock.Mock(CUDARuntimeError=OSError, getDeviceCount=mock.Mock(
        side_effect=OSError('cudaErrorNoDevice')))
    monkeypatch.setattr(cuda, 'available', True)
    monkeypatch.setattr(cuda, 'cupy', mock.Mock(
        __version__='14.2', cuda=mock.Mock(runtime=runtime)), raising=False)
    monkeypatch.setattr(check, '_check_device', lambda name, device: True)
    status, lines = run(capsys)
    assert status == 1
    assert lines['CuPy 14.2 finds no usable GPU'].startswith(
        'cudaErrorNoDevice; check the driver')


@pytest.mark.gpu
@pytest.mark.timeout(1800)
def test_gpu():
    done = subprocess.run([sys.executable, '-m', 'qrnn.check'],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'CuPy {cuda.cupy.__version__}' in done.stdout
    assert 'GPU, float16, ifo-pooling: passed' in done.stdout
    assert done.stdout.splitlines()[-1] == 'All checks passed.'
