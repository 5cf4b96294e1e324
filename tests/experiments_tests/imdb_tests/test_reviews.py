import gzip
import hashlib
import io
import json
import shutil
import tarfile

import chainer
from hypothesis import given
from hypothesis import strategies as st
import numpy
import pytest

from experiments.common.cli import UserError
from experiments.imdb import reviews


# Reviews are sorted by label and number, as in the data set of Maas et al.
READ = {'train': [('bad', 0), ('awful', 0), ('dull', 0), ('good', 1)],
        'test': [('weak', 0), ('fine', 1)]}
TREE = {
    'aclImdb/test/pos/0_8.txt': 'fine', 'aclImdb/test/neg/0_2.txt': 'weak',
    'aclImdb/train/pos/0_9.txt': 'good', 'aclImdb/train/neg/10_2.txt': 'dull',
    'aclImdb/train/neg/2_1.txt': 'awful', 'aclImdb/train/neg/0_3.txt': 'bad'}
OTHERS = {
    'aclImdb/train/unsup/0_0.txt': 'unlabelled',
    'aclImdb/train/pos/README': 'no review',
    'aclImdb/train/pos/deeper/1_9.txt': 'no review',
    'aclImdb/train/labeledBow.feat': '9 0:9',
    'constrain/pos/1_9.txt': 'no review',
    # macOS adds such files to archives.
    'aclImdb/train/pos/._0_9.txt': '\0\5\26\7'}


def read(source):
    return reviews.read(reviews.find_files(str(source)))


def test_no_reviews(tmp_path):
    for source in tmp_path, tmp_path / 'nowhere':
        with pytest.raises(UserError, match=f'no reviews in {source}; --data'):
            read(source)


class TestTree:

    @pytest.fixture
    def folder(self, tmp_path):
        # The brackets must not be interpreted as a pattern.
        root = tmp_path / 'reviews [1]'
        for name, text in (TREE | OTHERS).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    def test_read(self, folder):
        assert read(folder) == read(folder / 'aclImdb') == READ

    def test_invalid(self, folder):
        for name in TREE:
            if 'test' in name:
                (folder / name).unlink()
        with pytest.raises(UserError, match='no test reviews in .*reviews'):
            read(folder)
        (folder / 'aclImdb/train/neg/0_3.txt').write_bytes(b'caf\xe9')
        with pytest.raises(UserError, match='neg.0_3.txt is not UTF-8 text'):
            read(folder)

    def test_two_copies(self, folder):
        shutil.copytree(folder / 'aclImdb' / 'train', folder / 'train')
        with pytest.raises(UserError, match='both contain reviews; remove'):
            read(folder)


def write_archive(path, members, mode='w:gz'):
    """Write a tar archive.

    ``members`` maps each name to a text, or to a type and a link target.
    """
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
        """Members of the archive that are not reviews are ignored."""
        path = write_archive(tmp_path / 'a', TREE | OTHERS | {
            'aclImdb/train/pos/2_9.txt': (tarfile.SYMTYPE, '/etc/passwd'),
            'aclImdb/train/pos/6_9.txt': (tarfile.DIRTYPE, '')}, mode)
        assert read(path) == READ
        assert list(tmp_path.iterdir()) == [path]

    @modes
    def test_truncated(self, tmp_path, mode):
        random = numpy.random.RandomState(0)
        path = write_archive(tmp_path / 'a', {
            name: random.bytes(300).hex() for name in TREE}, mode)
        whole = path.read_bytes()
        # In plain tar, a member is a header of 512 bytes and a text of 1024
        # bytes. Some of these cuts are within a header, and some are between
        # two members.
        end = 6 * 1536 if mode == 'w' else len(whole) - 200
        for n in range(0, end + 1, 256):
            path.write_bytes(whole[:n])
            with pytest.raises(UserError, match='cannot read the archive .*a'):
                read(path)

    def test_two_copies(self, tmp_path):
        path = write_archive(tmp_path / 'a', TREE | {
            f'backup/{name}': text for name, text in TREE.items()})
        with pytest.raises(UserError, match='in several folders, aclImdb, '
                                            'backup/aclImdb; remove'):
            read(path)
        # tar can append a newer copy of a file to an archive.
        path = write_archive(tmp_path / 'b', TREE | {
            f'./{name}': text for name, text in TREE.items()})
        assert read(path) == READ

    def test_other_file(self, tmp_path):
        (tmp_path / 'a.zip').write_bytes(b'no archive')
        with pytest.raises(UserError, match='a.zip: it is damaged or not a '
                           'tar archive; --data accepts [^\n]*review'):
            read(tmp_path / 'a.zip')

    def test_not_text(self, tmp_path):
        path = write_archive(tmp_path / 'a', {'train/pos/0_9.txt': 'a\nb\0'})
        with pytest.raises(UserError, match='train/pos/0_9.txt of .*a is not '
                           'UTF-8 text: line 2 contains the byte 0x00'):
            read(path)

    def test_git_lfs_pointer(self, tmp_path):
        path = tmp_path / 'aclImdb_v1.tar.gz'
        path.write_text('version https://git-lfs.github.com/spec/v1\n')
        with pytest.raises(UserError, match='v1.tar.gz is a Git LFS pointer'):
            read(path)

    def test_no_reviews(self, tmp_path):
        path = write_archive(tmp_path / 'a.tar.gz', OTHERS)
        with pytest.raises(UserError, match='no train reviews in .*a.tar.gz'):
            read(path)

    def test_download(self, tmp_path, monkeypatch):
        path = write_archive(tmp_path / '0123abcd', TREE)
        monkeypatch.setattr(
            chainer.dataset, 'cached_download', lambda url: str(path))
        monkeypatch.setattr(
            reviews, '_MD5', hashlib.md5(path.read_bytes()).hexdigest())
        assert read('download') == READ


class TestJsonLines:

    @given(st.lists(st.tuples(st.text(), st.integers(0, 1)), min_size=1),
           st.booleans())
    def test_read(self, tmp_path_factory, pairs, is_gzipped):
        """The order of reviews is preserved."""
        folder = tmp_path_factory.mktemp('reviews')
        lines = '\r\n\n'.join(
            json.dumps({'text': text, 'label': label, 'id': 'x'},
                       ensure_ascii=False) for text, label in pairs).encode()
        (folder / 'train.jsonl').write_bytes(lines)
        (folder / ('test.jsonl' + '.gz' * is_gzipped)).write_bytes(
            gzip.compress(lines) if is_gzipped else lines)
        assert read(folder) == {'train': pairs, 'test': pairs}

    @given(st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3)
        | st.integers(2) | st.just('\ud83d'),  # half of an emoji
        lambda values: st.lists(values, max_size=2)
        | st.dictionaries(st.sampled_from(['text', 'label', 'x']), values)))
    def test_other_json(self, tmp_path_factory, value):
        """Only JSON objects with a text and a label are reviews."""
        path = tmp_path_factory.getbasetemp() / 'other.jsonl'
        path.write_text('\n' + json.dumps(value))
        try:
            value['text'].encode()
            is_review = value['label'] in (0, 1)
        except (TypeError, LookupError, AttributeError, ValueError):
            is_review = False
        if is_review:
            assert len(list(reviews.read_table(str(path)))) == 1
        else:
            with pytest.raises(UserError, match='line 2 of .* is not a review '
                                                'with "text"'):
                list(reviews.read_table(str(path)))

    @pytest.mark.parametrize('line', ['{', '[[' * 99999])
    def test_not_json(self, tmp_path, line):
        (tmp_path / 'a.jsonl').write_text('\n' + line)
        with pytest.raises(UserError, match='line 2 of .* is not a review'):
            list(reviews.read_table(str(tmp_path / 'a.jsonl')))

    def test_missing_part(self, tmp_path):
        (tmp_path / 'train.jsonl').write_text('{"text": "good", "label": 1}')
        with pytest.raises(UserError, match='there are no reviews in'):
            read(tmp_path)
        with pytest.raises(UserError, match='train.jsonl is one part of'):
            read(tmp_path / 'train.jsonl')
        (tmp_path / 'test.jsonl').write_text('\n \n')
        with pytest.raises(UserError, match='no test reviews in'):
            read(tmp_path)

    def test_byte_order_mark(self, tmp_path):
        for part in 'train', 'test':
            (tmp_path / f'{part}.jsonl').write_text(
                '\ufeff{"text": "\u2028", "label": 1}')
        assert read(tmp_path)['train'] == [('\u2028', 1)]


CSV = """\ufeffreview,sentiment
"A ""fine""
film.",positive
So weak,negative

"Good, great.",positive
Bad.,negative
"""


class TestTable:

    @pytest.mark.parametrize('name, contents', [
        ('IMDB Dataset.csv', CSV),
        ('a.csv', CSV.replace('\n', '\r\n')),
        ('a.tsv', CSV.replace(',', '\t').replace('Good\t', 'Good,')),
        ('a.csv', CSV.replace(',', ';').replace('Good;', 'Good,')),
        ('a.csv', CSV.replace('review,sentiment', 'text, Label').replace(
            'positive', '1').replace('negative', '0'))])
    @pytest.mark.parametrize('pack', [bytes, gzip.compress])
    def test_single(self, tmp_path, name, contents, pack):
        """A single file is always split into the same two halves."""
        path = tmp_path / (name + '.gz' * (pack is gzip.compress))
        path.write_bytes(pack(contents.encode()))
        parts = read(path)
        assert [len(parts[part]) for part in reviews.PARTS] == [2, 2]
        assert [(' '.join(text.split()), label) for text, label in sorted(
            parts['train'] + parts['test'])] == [
            ('A "fine" film.', 1), ('Bad.', 0), ('Good, great.', 1),
            ('So weak', 0)]
        assert read(path) == parts

    def test_two(self, tmp_path):
        for part in reviews.PARTS:
            (tmp_path / f'{part}.csv').write_text(
                f'sentence,label\n{part},1\n')
        assert read(tmp_path) == {'train': [('train', 1)],
                                  'test': [('test', 1)]}
        with pytest.raises(UserError, match='train.csv is one part of'):
            read(tmp_path / 'train.csv')

    @pytest.mark.parametrize('contents, message', [
        # This file has no header.
        ('A film.,positive\nBad.,negative\n', 'line 2 of'),
        ('review,sentiment\na,positive\nb, c,negative\n', 'line 3 of'),
        ('review,sentiment\na,so so\n', 'line 2 of'),
        ('review,sentiment\na\n', 'line 2 of'),
        ('review,sentiment\n' + 'a' * 200000, 'line 2 of .*field larger'),
        ('review,sentiment\n', 'no train reviews in'),
        ('', 'no train reviews in')])
    def test_invalid(self, tmp_path, contents, message):
        (tmp_path / 'a.csv').write_text(contents)
        with pytest.raises(UserError, match=message):
            read(tmp_path / 'a.csv')
