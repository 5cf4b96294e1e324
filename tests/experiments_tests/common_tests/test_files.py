import os

import pytest

from experiments.common import files
from experiments.common.errors import Problem


def test_replacing(tmp_path):
    path = str(tmp_path / 'file')
    for contents in b'old', b'new':
        with files.replacing(path) as f:
            f.write(contents)
            # It takes the old one's place only when complete.
            assert os.path.exists(path) == (contents == b'new')
    assert open(path, 'rb').read() == b'new'
    assert os.listdir(str(tmp_path)) == ['file']


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / 'file'
    path.write_text('old')
    with pytest.raises(OSError):
        with files.replacing(str(path)) as f:
            f.write(b'half')
            raise OSError('No space left on device')
    assert path.read_text() == 'old'
    assert os.listdir(str(tmp_path)) == ['file']


def test_json(tmp_path):
    path = str(tmp_path / 'value.json')
    value = {'a': [1, .1, None, 'ä'], 'b': {}}
    files.write_json(path, value)
    assert files.read_json(path) == value


def test_bad_json(tmp_path):
    for contents in b'{', b'\xff\xfe':
        (tmp_path / 'value.json').write_bytes(contents)
        with pytest.raises(Problem, match='is damaged'):
            files.read_json(str(tmp_path / 'value.json'))
