import gzip
import hashlib
import os

import chainer
import pytest

from experiments.common import checkpoint
from experiments.common import text
from experiments.common.cli import describe
from experiments.common.cli import UserError


BOM = b'\xef\xbb\xbf'


@pytest.mark.parametrize('pack', [bytes, gzip.compress])
@pytest.mark.parametrize('contents, lines', [
    (b'', []),
    (b'\n', ['']),
    (b'a\n\nb', ['a', '', 'b']),
    (b'a\r\nb\r\n', ['a', 'b']),
    (BOM + b'a\n', ['a']),
    ('a\x85b\u2028c\x0cd\x1ce\rf\ng'.encode(),
     ['a\x85b\u2028c\x0cd\x1ce\rf', 'g'])])
def test_lines(tmp_path, contents, lines, pack):
    """Lines end only at line feeds; any file may be gzipped."""
    (tmp_path / 'a').write_bytes(pack(contents))
    path = str(tmp_path / 'a')
    assert list(text.read_lines(path)) == lines
    assert text.read_text(path) == contents.decode('utf-8-sig')


@pytest.mark.parametrize('read', [
    text.read_text, lambda path: list(text.read_lines(path))],
    ids=['text', 'lines'])
@pytest.mark.parametrize('contents, message', [
    (b'\x89PNG\r\n', 'line 1 contains the byte 0x89, at offset 0;'),
    (b'a b\n\ncaf\xe9\n', 'line 3 contains the byte 0xe9, at offset 8;'),
    (b'a\r\nb\0c\n', 'line 2 contains the byte 0x00, at offset 4;'),
    (BOM + b'a\n\xff', 'line 2 contains the byte 0xff, at offset 5;'),
    ('a\n'.encode('utf-16'), 'line 1 contains the byte 0xff, at offset 0;')])
def test_not_text(tmp_path, read, contents, message):
    (tmp_path / 'a.txt').write_bytes(contents)
    with pytest.raises(
            UserError, match='a.txt is not UTF-8 text: ' + message):
        read(str(tmp_path / 'a.txt'))


@pytest.mark.parametrize('name, contents, message', [
    ('a.gz', gzip.compress(b'a b c\n' * 99, mtime=0)[:-9], 'cannot read'),
    ('a.gz', gzip.compress(b'a b c\n' * 99, mtime=0)[:12] + b'\xff' * 20,
     'cannot read'),
    ('missing', None, 'No such file')])
def test_damaged(tmp_path, name, contents, message):
    if contents is not None:
        (tmp_path / name).write_bytes(contents)
    with pytest.raises((UserError, OSError), match=message) as info:
        text.read_text(str(tmp_path / name))
    assert describe(info.value).count('/' + name) == 1


def test_json(tmp_path):
    path = tmp_path / 'value.json'
    # The last value is a file name with a byte that is not UTF-8.
    value = {'a': [1, .1, None, 'ä'], 'b': {}, 'c': os.fsdecode(b'l\xe4m')}
    checkpoint.write_json(str(path), value)
    assert text.read_json(str(path)) == value
    contents = path.read_bytes()
    for variant in BOM + contents, gzip.compress(contents):
        path.write_bytes(variant)
        assert text.read_json(str(path)) == value
    for contents in b'{', b'[' * 100000:
        path.write_bytes(contents)
        with pytest.raises(UserError, match='is damaged'):
            text.read_json(str(path))


class TestDownload:

    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        """Return a local file that is used instead of a download."""
        path = tmp_path / 'file'
        path.write_text('good')
        monkeypatch.setattr(
            chainer.dataset, 'cached_download', lambda url: str(path))
        return path

    def test_valid(self, file):
        md5 = hashlib.md5(b'good').hexdigest()
        assert text.download('http://a', md5) == str(file)

    def test_damaged(self, file):
        with pytest.raises(UserError, match='damaged and has been removed'):
            text.download('http://a', 'another')
        assert not file.exists()

    def test_unreachable(self, monkeypatch):
        def cached_download(url):
            raise OSError('no route to host')
        monkeypatch.setattr(
            chainer.dataset, 'cached_download', cached_download)
        with pytest.raises(UserError, match='cannot download .*no route'):
            text.download('http://a', '')
