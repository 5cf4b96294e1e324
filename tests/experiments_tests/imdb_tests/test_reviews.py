import gzip
import hashlib
import io
import json
import tarfile

import chainer
import numpy
import pytest

from experiments.common.errors import Problem
from experiments.imdb import reviews


TREE = {
    'train/neg/0_3.txt': 'bad', 'train/neg/2_1.txt': 'awful',
    'train/neg/10_2.txt': 'dull', 'train/pos/0_9.txt': 'good',
    'test/neg/0_2.txt': 'weak', 'test/pos/0_8.txt': 'fine',
}
# Negative before positive, each by number, as the parts of Maas et al. are.
READ = {'train': [('bad', 0), ('awful', 0), ('dull', 0), ('good', 1)],
        'test': [('weak', 0), ('fine', 1)]}


def read(source):
    return reviews.read(reviews.files(str(source)))


class TestTree(object):

    @pytest.fixture
    def folder(self, tmp_path):
        # Nothing in a folder's name is a pattern.
        root = tmp_path / 'reviews [1]' / 'aclImdb'
        for name, text in TREE.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / 'train' / 'unsup').mkdir()
        (root / 'train' / 'unsup' / '0_0.txt').write_text('unlabelled')
        (root / 'train' / 'labeledBow.feat').write_text('9 0:9')
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
    """Writes a tar archive of names with texts, or with a type and target."""
    with tarfile.open(str(path), mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                member.type, member.linkname = content
                archive.addfile(member)
            else:
                contents = content if isinstance(
                    content, bytes) else content.encode()
                member.size = len(contents)
                archive.addfile(member, io.BytesIO(contents))
    return path


class TestArchive(object):

    members = {'aclImdb/' + name: text
               for name, text in reversed(list(TREE.items()))}

    @pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
    def test_read(self, tmp_path, mode):
        path = write_archive(tmp_path / 'reviews', self.members, mode)
        assert read(path) == READ

    def test_without_the_folder(self, tmp_path):
        assert read(write_archive(tmp_path / 'a.tar.gz', TREE)) == READ

    def test_nothing_is_written_or_followed(self, tmp_path):
        secret = tmp_path / 'secret.txt'
        secret.write_text('secret')
        inner = tmp_path / 'inner'
        inner.mkdir()
        path = write_archive(inner / 'a.tar', dict({
            '../../x': 'outside',
            '../../evil/train/pos/1_9.txt': 'climbing',
            str(tmp_path / 'test/pos/1_8.txt'): 'absolute',
            'aclImdb/train/pos/2_9.txt': (tarfile.SYMTYPE, str(secret)),
            'aclImdb/train/pos/3_9.txt': (tarfile.LNKTYPE, str(secret)),
            'aclImdb/train/pos/4_9.txt': (tarfile.CHRTYPE, ''),
            'aclImdb/train/pos/5_9.txt': (tarfile.FIFOTYPE, ''),
            'aclImdb/train/pos/6_9.txt': (tarfile.DIRTYPE, ''),
            'aclImdb/train/unsup/0_0.txt': 'unlabelled',
            'aclImdb/train/pos/README': 'no review',
            'aclImdb/train/pos/deeper/1_9.txt': 'no review',
            'constrain/pos/1_9.txt': 'no review',
        }, **self.members), 'w')
        before = sorted(map(str, tmp_path.rglob('*')))
        texts = {text for part in read(path).values() for text, _ in part}
        assert texts == set(TREE.values()) | {'climbing', 'absolute'}
        assert sorted(map(str, tmp_path.rglob('*'))) == before

    @pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
    def test_truncated(self, tmp_path, mode):
        random = numpy.random.RandomState(0)
        path = write_archive(tmp_path / 'a', {
            name: random.bytes(300).hex() for name in self.members}, mode)
        whole = path.read_bytes()
        # A member of plain tar is a header of 512 bytes and 1024 of text;
        # some of these cuts are within a header and between two members.
        end = 6 * 1536 if mode == 'w' else len(whole) - 200
        for n in range(256, end + 1, 256):
            path.write_bytes(whole[:n])
            with pytest.raises(Problem, match='cannot read the archive'):
                read(path)

    @pytest.mark.parametrize('mode', ['w:gz', 'w:bz2', 'w:xz'])
    def test_damaged(self, tmp_path, mode):
        random = numpy.random.RandomState(0)
        path = write_archive(tmp_path / 'a', {
            name: random.bytes(3000).hex() for name in self.members}, mode)
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + b'\xff' * 99 + whole[middle + 99:])
        with pytest.raises(Problem, match='cannot read the archive'):
            read(path)

    @pytest.mark.parametrize('contents', [b'', b'no archive', b'\0' * 2000])
    def test_no_archive(self, tmp_path, contents):
        (tmp_path / 'a.tar.gz').write_bytes(contents)
        with pytest.raises(Problem) as info:
            read(tmp_path / 'a.tar.gz')
        assert '\n' not in str(info.value) and 'a.tar.gz' in str(info.value)

    def test_no_reviews(self, tmp_path):
        path = write_archive(tmp_path / 'a.tar.gz', {'README': 'hello'})
        with pytest.raises(Problem, match='no train reviews in .*a.tar.gz'):
            read(path)

    def test_not_utf8(self, tmp_path):
        path = write_archive(tmp_path / 'a.tar.gz', dict(
            self.members, **{'aclImdb/test/pos/7_8.txt': b'caf\xe9'}))
        with pytest.raises(Problem, match='test/pos/7_8.txt is not UTF-8'):
            read(path)


class TestLines(object):

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

    @pytest.mark.parametrize('line', [
        '{"text": "a", "label": 1', '"text"', '[]', 'null', '1', '{}',
        '{"text": "a"}', '{"label": 1}', '{"text": 1, "label": 1}',
        '{"text": null, "label": 1}', '{"text": ["a"], "label": 1}',
        '{"text": "a", "label": 2}', '{"text": "a", "label": "1"}',
        '{"text": "a", "label": -1}', '{"text": "a", "label": null}',
        '{"text": "a", "label": [1]}', '{"text": "a", "label": NaN}',
        # What is left of an emoji that was cut in two
        '{"text": "a\\ud83d", "label": 1}',
        100000 * '[',
    ])
    def test_broken_line(self, folder, line):
        with open(str(folder / 'train.jsonl'), 'a') as f:
            f.write(line + '\n')
        with pytest.raises(Problem, match='line 5 of .*train.jsonl is not a '
                                          'JSON object with "text"'):
            read(folder)

    def test_not_utf8(self, folder):
        (folder / 'train.jsonl').write_bytes(
            b'{"text": "caf\xe9", "label": 1}\n')
        with pytest.raises(Problem, match='train.jsonl is not UTF-8 text'):
            read(folder)

    def test_broken_gzip(self, folder):
        path = folder / 'test.jsonl.gz'
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(Problem, match='cannot read .*test.jsonl.gz'):
            read(folder)

    @pytest.mark.parametrize('contents', ['', '\n \n'])
    def test_empty_part(self, folder, contents):
        (folder / 'train.jsonl').write_text(contents)
        with pytest.raises(Problem, match='there are no train reviews in'):
            read(folder)

    def test_missing_part(self, folder):
        with pytest.raises(Problem, match='train.jsonl is one part of'):
            read(folder / 'train.jsonl')
        (folder / 'test.jsonl.gz').unlink()
        with pytest.raises(Problem, match='holds neither'):
            read(folder)


class TestDownload(object):

    @pytest.fixture
    def cache(self, tmp_path, monkeypatch):
        """A cache that already holds the archive, so nothing is fetched."""
        path = write_archive(tmp_path / '0123abcd', TestArchive.members)
        monkeypatch.setattr(
            chainer.dataset, 'cached_download', lambda url: str(path))
        monkeypatch.setattr(
            reviews, '_MD5', hashlib.md5(
                path.read_bytes()).hexdigest())
        return path

    def test_good(self, cache):
        assert read('download') == READ

    def test_corrupt(self, cache):
        cache.write_bytes(cache.read_bytes()[:-1])
        with pytest.raises(Problem, match='damaged and has been removed'):
            read('download')
        assert not cache.exists()
