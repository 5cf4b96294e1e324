import gzip
import hashlib
import io
import json
import tarfile

import chainer
from hypothesis import given
from hypothesis import strategies as st
import numpy
import pytest

from experiments.common.errors import Problem
from experiments.imdb import reviews


# Negative before positive, each by number, as the parts of Maas et al. are
READ = {'train': [('bad', 0), ('awful', 0), ('dull', 0), ('good', 1)],
        'test': [('weak', 0), ('fine', 1)]}
TREE = {
    'train/neg/0_3.txt': 'bad', 'train/neg/2_1.txt': 'awful',
    'train/neg/10_2.txt': 'dull', 'train/pos/0_9.txt': 'good',
    'test/neg/0_2.txt': 'weak', 'test/pos/0_8.txt': 'fine',
}
MEMBERS = {'aclImdb/' + name: text
           for name, text in reversed(list(TREE.items()))}


def read(source):
    return reviews.read(reviews.find_files(str(source)))


class TestTree:

    @pytest.fixture
    def folder(self, tmp_path):
        # Nothing in a folder's name is a pattern.
        root = tmp_path / 'reviews [1]' / 'aclImdb'
        for name, text in dict(TREE, **{
                'train/unsup/0_0.txt': 'unlabelled',
                'train/labeledBow.feat': '9 0:9'}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    def test_read(self, folder):
        assert read(folder) == READ
        assert read(folder.parent) == READ

    def test_missing_part(self, folder):
        for name in TREE:
            if name.startswith('test'):
                (folder / name).unlink()
        with pytest.raises(Problem, match='no test reviews in .*reviews'):
            read(folder)

    def test_not_utf8(self, folder):
        (folder / 'test' / 'neg' / '0_2.txt').write_bytes(b'caf\xe9')
        with pytest.raises(Problem, match='neg.0_2.txt is not UTF-8 text'):
            read(folder)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(Problem, match='holds neither train.jsonl'):
            read(tmp_path)
        with pytest.raises(Problem, match='there is no .*nowhere'):
            read(tmp_path / 'nowhere')


def write_archive(path, members, mode='w:gz'):
    """Write a tar archive of names with texts, or with a type and target."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                member.type, member.linkname = content
                archive.addfile(member)
            else:
                content = content.encode()
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


modes = pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])


class TestArchive:

    @modes
    def test_read(self, tmp_path, mode):
        assert read(write_archive(tmp_path / 'a', MEMBERS, mode)) == READ
        assert read(write_archive(tmp_path / 'b', TREE, mode)) == READ

    def test_nothing_is_written_or_followed(self, tmp_path):
        (tmp_path / 'inner').mkdir()
        path = write_archive(tmp_path / 'inner' / 'a.tar', {
            **MEMBERS,
            '../../evil/train/pos/1_9.txt': 'climbing',
            str(tmp_path / 'test/pos/1_8.txt'): 'absolute',
            'aclImdb/train/pos/2_9.txt': (tarfile.SYMTYPE, '/etc/passwd'),
            'aclImdb/train/pos/5_9.txt': (tarfile.FIFOTYPE, ''),
            'aclImdb/train/pos/6_9.txt': (tarfile.DIRTYPE, ''),
            'aclImdb/train/unsup/0_0.txt': 'unlabelled',
            'aclImdb/train/pos/README': 'no review',
            'aclImdb/train/pos/deeper/1_9.txt': 'no review',
            'constrain/pos/1_9.txt': 'no review'}, 'w')
        before = sorted(tmp_path.rglob('*'))
        texts = {text for part in read(path).values() for text, _ in part}
        assert texts == set(TREE.values()) | {'climbing', 'absolute'}
        assert sorted(tmp_path.rglob('*')) == before

    @modes
    def test_truncated(self, tmp_path, mode):
        random = numpy.random.RandomState(0)
        path = write_archive(tmp_path / 'a', {
            name: random.bytes(300).hex() for name in MEMBERS}, mode)
        whole = path.read_bytes()
        # A member of plain tar is a header of 512 bytes and 1024 of text;
        # some of these cuts are within a header and between two members.
        end = 6 * 1536 if mode == 'w' else len(whole) - 200
        for n in range(0, end + 1, 256):
            path.write_bytes(whole[:n])
            with pytest.raises(Problem, match='cannot read the archive .*a: '):
                read(path)

    def test_no_reviews(self, tmp_path):
        path = write_archive(tmp_path / 'a.tar.gz', {'README': 'hello'})
        with pytest.raises(Problem, match='no train reviews in .*a.tar.gz'):
            read(path)


class TestJsonLines:

    @pytest.fixture
    def folder(self, tmp_path):
        lines = {part: ''.join(
            json.dumps({'text': text, 'label': label, 'id': 'x'}) + '\n'
            for text, label in pairs) for part, pairs in READ.items()}
        (tmp_path / 'train.jsonl').write_text(lines['train'])
        (tmp_path / 'test.jsonl.gz').write_bytes(
            gzip.compress(lines['test'].encode()))
        return tmp_path

    def test_read(self, folder):
        assert read(folder) == READ

    def test_order_is_kept(self, folder):
        (folder / 'train.jsonl').write_text(
            '{"text": "c", "label": 1}\r\n\n{"label": 0, "text": "a\\u2028b"}')
        assert read(folder)['train'] == [('c', 1), ('a\u2028b', 0)]

    @given(st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3)
        | st.integers(2), lambda values: st.lists(values, max_size=2)
        | st.dictionaries(st.sampled_from(['text', 'label', 'x']), values)))
    def test_other_json(self, tmp_path_factory, value):
        """Only an object with a text and a label is a review."""
        path = tmp_path_factory.getbasetemp() / 'other.jsonl'
        path.write_text('\n' + json.dumps(value))
        if (isinstance(value, dict) and isinstance(value.get('text'), str)
                and value.get('label') in (0, 1)):
            assert len(list(reviews.read_json_lines(str(path)))) == 1
        else:
            with pytest.raises(Problem, match='line 2 of .* is not a JSON '
                                              'object with "text"'):
                list(reviews.read_json_lines(str(path)))

    @pytest.mark.parametrize('line', [
        '{"text": "a", "label": 1',
        # What is left of an emoji that was cut in two
        '{"text": "a\\ud83d", "label": 1}'])
    def test_broken_line(self, folder, line):
        with open(folder / 'train.jsonl', 'a') as f:
            f.write(line + '\n')
        with pytest.raises(Problem, match='line 5 of .*train.jsonl is not'):
            read(folder)

    def test_broken_gzip(self, folder):
        path = folder / 'test.jsonl.gz'
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(Problem, match='cannot read .*test.jsonl.gz'):
            read(folder)

    def test_empty_part(self, folder):
        (folder / 'train.jsonl').write_text('\n \n')
        with pytest.raises(Problem, match='there are no train reviews in'):
            read(folder)

    def test_missing_part(self, folder):
        with pytest.raises(Problem, match='train.jsonl is one part of'):
            read(folder / 'train.jsonl')
        (folder / 'test.jsonl.gz').unlink()
        with pytest.raises(Problem, match='holds neither'):
            read(folder)


def test_download(tmp_path, monkeypatch):
    path = write_archive(tmp_path / '0123abcd', MEMBERS)
    monkeypatch.setattr(
        chainer.dataset, 'cached_download', lambda url: str(path))
    monkeypatch.setattr(
        reviews, '_MD5', hashlib.md5(path.read_bytes()).hexdigest())
    assert read('download') == READ
