import gzip
import hashlib
import sys

import chainer
import pytest

from experiments.common import cli
from experiments.common.cli import UserError


def raising(exception):
    def main():
        raise exception
    return main


@pytest.mark.parametrize('exception, line, status', [
    (UserError('a, so do b'), 'error: a, so do b', 1),
    (OSError(28, 'No space left on device', '/full'),
     'error: /full: No space left on device', 1),
    (OSError('odd\nthings'), 'error: odd things', 1),
    (MemoryError(), 'error: out of memory; choose a smaller configuration '
                    'or a machine with more', 1),
    (KeyboardInterrupt(), 'interrupted by Ctrl-C', 130),
    (cli.Interrupted(15, 'so do c'), 'interrupted by SIGTERM; so do c', 143),
])
def test_one_line(capsys, monkeypatch, exception, line, status):
    monkeypatch.setattr(cli, 'die', lambda number: sys.exit(128 + number))
    with pytest.raises(SystemExit) as info:
        cli.run(raising(exception))
    assert info.value.code == status
    assert capsys.readouterr().err == line + '\n'


def test_faults_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError()))


def test_reader_that_leaves(python):
    code = ('from experiments.common import cli\n'
            'cli.run(lambda: [print("x" * 999) for _ in range(9999)])')
    process = python(
        '-c', 'import subprocess, sys\n'
        f'subprocess.run([sys.executable, "-c", {code!r}], '
        'stdout=subprocess.Popen(["true"], stdin=-1).stdin)')
    assert 'Traceback' not in process.stderr


def test_explained():
    with pytest.raises(UserError, match='cannot read {a}: too short'):
        with cli.explained('cannot read {a}: {}', ValueError):
            raise ValueError('too short')
    with pytest.raises(KeyError):
        with cli.explained('cannot read x: {}', ValueError):
            raise KeyError


@pytest.mark.parametrize('convert, good, bad', [
    (cli.positive, '3', ['0', '-1', '1.5', 'many', '9' * 20]),
    (cli.seed, '0', ['-1', str(2 ** 32)]),
    (cli.not_negative, '0.5', ['-1', 'nan', 'inf', 'x'])])
def test_numbers(capsys, convert, good, bad):
    parser = cli.Parser('x')
    parser.add_argument('--n', type=convert)
    assert str(parser.parse_args(['--n', good]).n) == good
    for each in bad:
        with pytest.raises(SystemExit) as info:
            parser.parse_args([f'--n={each}'])
        assert info.value.code == 2
        err = capsys.readouterr().err
        assert err.count('\n') == 1 and f"not '{each}'" in err


@pytest.mark.parametrize('specifier', [
    '', 'native', '@intel64', '@numpy:1', '@cupy:x', '-2x', '10000'])
def test_no_such_device(specifier):
    with pytest.raises(UserError, match=f'device {specifier} cannot be used'):
        cli.use_device(specifier)


@pytest.mark.gpu
def test_gpu():
    for specifier in '0', '@cupy:0':
        assert cli.use_device(specifier) == chainer.get_device('@cupy:0')


@pytest.mark.parametrize('name, contents, says', [
    ('a.txt', b'\x89PNG\r\n\x1a\n\xff\xfe', 'is not UTF-8 text; it must hold'),
    ('a.txt', b'a b\0c\n', 'is not UTF-8 text'),
    ('a.txt.gz', b'not gzipped', 'cannot read'),
    ('a.txt.gz', gzip.compress(b'a b c\n' * 99)[:-9], 'cannot read'),
    ('a.txt.gz', gzip.compress(b'a b c\n' * 99)[:12] + b'\xff' * 20,
     'cannot read'),
    ('missing', None, 'No such file'),
])
def test_bad_text(tmp_path, name, contents, says):
    if contents is not None:
        (tmp_path / name).write_bytes(contents)
    with pytest.raises((UserError, OSError), match=says) as info:
        cli.read_text(str(tmp_path / name), 'words')
    assert cli.describe(info.value).count('/' + name) == 1


class TestDownload:

    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        """A file that is in the cache, so nothing is fetched."""
        path = tmp_path / 'file'
        path.write_text('good')
        monkeypatch.setattr(
            chainer.dataset, 'cached_download', lambda url: str(path))
        return path

    def test_good(self, file):
        md5 = hashlib.md5(b'good').hexdigest()
        assert cli.download('http://a', md5) == str(file)

    def test_damaged(self, file):
        with pytest.raises(UserError, match='damaged and has been removed'):
            cli.download('http://a', 'another')
        assert not file.exists()

    def test_unreachable(self, monkeypatch):
        def cached_download(url):
            raise OSError('no route to host')
        monkeypatch.setattr(
            chainer.dataset, 'cached_download', cached_download)
        with pytest.raises(UserError, match='cannot download .*no route'):
            cli.download('http://a', '')


def test_import_has_no_effect_but_a_program_has(python):
    """On the allocator and the environment: before NumPy is loaded."""
    code = ('import os, sys; sys.argv = [{}]; import experiments; '
            'print(os.environ.get("OPENBLAS_THREAD_TIMEOUT"))')
    for argv, expected in ("'-c'", 'None\n'), ("'-m'", '4\n'):
        assert python('-c', code.format(argv)).stdout == expected
