import os
import pickle

import numpy
import pytest

from experiments.common import files
from experiments.common import text
from experiments.common.cli import UserError


LFS_POINTER = (b'version https://git-lfs.github.com/spec/v1\n'
               b'oid sha256:0123456789abcdef\nsize 449945\n')


@pytest.mark.parametrize('read', [
    text.read_text, lambda path: list(text.read_lines(path)),
    text.read_json, files.read_arrays], ids=['text', 'lines', 'json', 'npz'])
def test_git_lfs_pointer(tmp_path, read):
    path = tmp_path / 'a.gz'
    path.write_bytes(LFS_POINTER)
    with pytest.raises(UserError, match='a.gz is a Git LFS pointer; run git '
                                        'lfs pull'):
        read(str(path))


class Harm:
    """Object that creates a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('harm',)


@pytest.mark.parametrize('contents', [
    b'', b'text', b'PK\3\4' + 99 * b'random', pickle.dumps(Harm()),
    numpy.array([Harm()], object)], ids=type)
def test_invalid_arrays(tmp_path, monkeypatch, contents):
    """Invalid files cause an error, and pickles are not loaded."""
    monkeypatch.chdir(tmp_path)
    if isinstance(contents, bytes):
        (tmp_path / 'a.npz').write_bytes(contents)
    else:
        numpy.savez('a.npz', a=contents)
    with pytest.raises(UserError, match='a.npz is damaged'):
        files.read_arrays('a.npz')
    assert os.listdir() == ['a.npz']
