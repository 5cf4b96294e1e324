"""The command for machines without network, with steps of our own."""
import pathlib
import sys
import time
import zipfile

import pytest

from benchmarks import offline


@pytest.fixture
def folder(tmp_path, monkeypatch):
    wheels = tmp_path / 'wheels'
    wheels.mkdir()
    with zipfile.ZipFile(wheels / 'a-1-py3-none-any.whl', 'w') as wheel:
        wheel.writestr('carried.py', 'name = "carried"')
    monkeypatch.setattr(offline, '_WHAT_IS_THERE', 'print("is there")')
    return tmp_path


def main(folder, *arguments):
    status = offline.main([
        *arguments, '--wheels', str(folder / 'wheels'),
        '--out', str(folder / 'out')])
    return status, (folder / 'out' / 'log.txt').read_text()


def test_unpacks_and_says_what_is_there(folder):
    status, log = main(folder, 'unpack')
    assert not status and 'is there' in log and log.endswith('done\n')
    with open(folder / 'log', 'w') as f:
        outcome = offline.run(
            [sys.executable, '-c', 'import carried; print(carried.name)'],
            folder / 'wheels' / 'unpacked', 60, f)
    assert outcome == 'done'
    assert (folder / 'log').read_text().endswith('carried\n')


def test_goes_on_when_a_step_fails(folder):
    status, log = main(folder, 'strnn', 'unpack', '--device', '99')
    assert status
    failed, done = log.rstrip().split('\n')[-2:]
    assert 'strnn' in failed and 'failed with status' in failed
    assert 'unpack' in done and done.endswith('done')


def test_without_wheels(folder):
    for path in (folder / 'wheels').iterdir():
        path.unlink()
    status, log = main(folder, 'unpack')
    assert status and 'gather.sh' in log


@pytest.mark.parametrize('code, tells', [
    ('time.sleep(60)', 'KeyboardInterrupt'),
    ('signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)', '')])
def test_ends_what_takes_too_long(folder, code, tells, monkeypatch):
    monkeypatch.setattr(offline, '_GRACE', 2)
    start = time.monotonic()
    with open(folder / 'log', 'w') as f:
        outcome = offline.run(
            [sys.executable, '-c', 'import signal, time; ' + code],
            folder, 2, f)
    assert 'ended after' in outcome and time.monotonic() - start < 40
    assert tells in (folder / 'log').read_text()


def test_limits_are_within_nine_minutes():
    assert sum(offline.LIMITS.values()) <= 540


def test_no_test_for_a_gpu_is_left_out():
    folders = [offline.ROOT / folder for folders in offline.GPU_TESTS.values()
               for folder in folders]
    marked = [path for path in (offline.ROOT / 'tests').rglob('test_*.py')
              if path != pathlib.Path(__file__).resolve() and any(
                  word in path.read_text(encoding='utf-8')
                  for word in ('pytest.mark.gpu', 'helpers.backends'))]
    assert marked
    for path in marked:
        assert any(path.is_relative_to(folder) for folder in folders), path


def test_unknown_step(folder, capsys):
    with pytest.raises(SystemExit):
        main(folder, 'nothing')
    assert 'there is no step nothing' in capsys.readouterr().err
