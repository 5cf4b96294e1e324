"""Files that are damaged, or made to harm: each is refused in one line."""
import bz2
import gzip
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import time
import zipfile

import chainer
import numpy
import pytest

from experiments.imdb import data as imdb_data
from experiments.imdb import evaluate as imdb_evaluate
from experiments.imdb import predict as imdb_predict
from experiments.imdb import train as imdb_train
from experiments.iwslt import evaluate as iwslt_evaluate
from experiments.iwslt import train as iwslt_train
from experiments.iwslt import translate as iwslt_translate
from experiments.ptb import evaluate as ptb_evaluate
from experiments.ptb import generate as ptb_generate
from experiments.ptb import train as ptb_train


TRAIN = {'ptb': ptb_train, 'imdb': imdb_train, 'iwslt': iwslt_train}
EVALUATE = {'ptb': ptb_evaluate, 'imdb': imdb_evaluate,
            'iwslt': iwslt_evaluate}
USE = [('ptb', ptb_generate), ('imdb', imdb_predict),
       ('iwslt', iwslt_translate)]
SNAPSHOT = 'snapshot_iter_5'
DEEP = '[' * 100000

MANY = 2 ** 26 + 2 ** 20  # bytes that a small file unpacks to


class Harm(object):

    """Does harm when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('harm',)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to be in, in which nothing may appear by itself."""
    (tmp_path / 'here').mkdir()
    (tmp_path / 'file').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    root = chainer.dataset.get_dataset_root()
    chainer.dataset.set_dataset_root(str(tmp_path / 'cache'))
    yield tmp_path / 'file'
    chainer.dataset.set_dataset_root(root)
    assert not os.listdir(tmp_path / 'here')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folders of tiny runs, by experiment."""
    folders = {name: tmp_path_factory.mktemp(name) for name in TRAIN}
    for name, folder in folders.items():
        shutil.rmtree(folder)
        TRAIN[name].main(['--test', '--epoch', '1', '--snapshot-every', '5',
                          '--out', str(folder)])
        # The name of a snapshot is all that says its iteration.
        newest = max(folder.glob('snapshot_iter_*'), key=lambda path: int(
            path.name.rpartition('_')[2]))
        newest.rename(folder / SNAPSHOT)
    return folders


@pytest.fixture
def copy(trained, folder):
    """Copies a run, to be damaged."""
    return lambda name: shutil.copytree(trained[name], folder / 'run')


# ``.npz`` files: functions from the old file's arrays to what is in the new

def npy(array):
    f = io.BytesIO()
    numpy.lib.format.write_array(f, numpy.asarray(array))
    return f.getvalue()


def header(text, contents=b''):
    text = text.encode()
    return (b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text
            + contents)


def zipped(members, compression=zipfile.ZIP_STORED):
    f = io.BytesIO()
    with zipfile.ZipFile(f, 'w', compression) as archive:
        for name, contents in members:
            archive.writestr(name, contents)
    return f.getvalue()


def with_member(contents):
    """All arrays, but something else in the place of the first."""
    def make(arrays):
        first, *others = arrays
        return zipped([(first + '.npy', contents)] + [
            (name + '.npy', npy(arrays[name])) for name in others])
    return make


def flipped(contents):
    contents = bytearray(contents)
    contents[len(contents) // 2] ^= 1
    return bytes(contents)


def shape(text, dtype='<f4'):
    return header("{'descr': '%s', 'fortran_order': False, 'shape': %s, }"
                  % (dtype, text))


def all_arrays(arrays):
    return zipped([(name + '.npy', npy(each))
                   for name, each in arrays.items()])


ARCHIVES = {
    'nothing': lambda arrays: b'',
    'text': lambda arrays: b'no archive',
    'a pickle': lambda arrays: pickle.dumps(Harm()),
    'half': lambda arrays: all_arrays(arrays)[:3000],
    'a bit flipped': lambda arrays: flipped(all_arrays(arrays)),
    'a pickled array': with_member(npy([1]).replace(b'<i8', b'|O ')
                                   + pickle.dumps(Harm())),
    'a pickle in the place of an array': with_member(pickle.dumps(Harm())),
    'code in a header': with_member(header(
        "{'descr': __import__('os').mkdir('harm'), 'fortran_order': False, "
        "'shape': (1,)}")),
    'a header without an end': with_member(header('[' * 9000)),
    'a shape of exabytes': with_member(shape('(%d,)' % 2 ** 58)),
    'a shape that overflows': with_member(shape('(%d, 8)' % 2 ** 61)),
    'a negative shape': with_member(shape('(-1, -4)')),
    'a structured dtype': with_member(npy(numpy.zeros(3, 'i4,f4'))),
    'dates': with_member(npy(numpy.zeros(3, 'M8[s]'))),
    'complex numbers': with_member(npy(numpy.zeros(3, 'c8'))),
    'more in a member than its array': with_member(npy([1.]) + b'more'),
    'two arrays of a name': lambda arrays: zipped([
        ('a.npy', npy(1)), ('a', npy(2))]),
    'a bomb': lambda arrays: zipped(
        [('a.npy', npy(numpy.zeros(MANY, 'u1')))], zipfile.ZIP_DEFLATED),
    'another compression': lambda arrays: zipped([
        ('a.npy', npy(1))]).replace(b'PK\1\2\x14\x03\x14\0\0\0\0\0',
                                    b'PK\1\2\x14\x03\x14\0\0\0\x63\0'),
    'an encrypted member': lambda arrays: zipped([
        ('a.npy', npy(1))]).replace(b'PK\1\2\x14\x03\x14\0\0\0',
                                    b'PK\1\2\x14\x03\x14\0\1\0'),
}


def arrays_of(path):
    with numpy.load(path) as arrays:
        return dict(arrays)


@pytest.mark.filterwarnings('ignore:Duplicate name')
@pytest.mark.parametrize('what', ARCHIVES)
class TestArchives(object):

    def test_model(self, copy, complaint, what):
        out = copy('ptb')
        path = out / 'model.npz'
        path.write_bytes(ARCHIVES[what](arrays_of(path)))
        said = complaint(ptb_evaluate.main, '--model', out)
        print('model.npz, {}: {}'.format(what, said))
        assert '{} is damaged'.format(path) in said or (
            'unpacks to more' in said)

    def test_snapshot(self, copy, complaint, what):
        out = copy('ptb')
        path = out / SNAPSHOT
        path.write_bytes(ARCHIVES[what](arrays_of(path)))
        said = complaint(ptb_train.main, '--test', '--out', out,
                         '--resume', path)
        print('snapshot, {}: {}'.format(what, said))
        assert '{} is damaged'.format(path) in said

    def test_vectors(self, folder, complaint, what):
        path = folder / 'vectors.npz'
        path.write_bytes(ARCHIVES[what](
            {'words': numpy.array(['it']), 'vectors': numpy.ones((1, 999))}))
        said = complaint(imdb_train.main, '--test', '--glove', path)
        print('vectors, {}: {}'.format(what, said))
        assert '{} is damaged'.format(path) in said

    def test_cache(self, folder, capsys, write_lines, what):
        """It is made anew."""
        source = str(write_lines(folder, train=20 * [('a b', 1)],
                                 test=[('c', 0)]))
        expected = imdb_data.load(source).fingerprint
        path, = (folder.parent / 'cache').rglob('*.npz')
        good = path.read_bytes()
        path.write_bytes(ARCHIVES[what](arrays_of(path)))
        assert imdb_data.load(source).fingerprint == expected
        assert arrays_of(path).keys() == numpy.load(io.BytesIO(good)).keys()


def changed(**changes):
    def change(description):
        for path, value in changes.items():
            where, *names = path.split('__')
            if not names:
                description[where] = value
            else:
                description[where][names[0]] = value
        return json.dumps(description)
    return change


DESCRIPTIONS = {
    'nothing': lambda facts: '',
    'half': lambda facts: json.dumps(facts)[:99],
    'bytes': lambda facts: b'\xff\xfe\0',
    'brackets without an end': lambda facts: DEEP,
    'a list': lambda facts: '[]',
    'another experiment': changed(experiment='vision'),
    'no settings': changed(settings=None),
    'settings that are none': changed(settings=[1]),
    'an unknown setting': changed(settings__colour=1),
    'a huge size': changed(settings__n_units=10 ** 9),
    'a size of many digits': lambda facts: json.dumps(facts).replace(
        '"n_units": 8', '"n_units": ' + 9999 * '9'),
    'a negative size': changed(settings__n_units=-8),
    'a size that is text': changed(settings__n_units='8'),
    'a size that is infinite': changed(settings__n_units=float('inf')),
    'another size': changed(settings__n_units=9),
    'data that is none': changed(data=7),
    'a source that is none': changed(data__source=['/etc']),
    'no words': changed(words=None, characters=None),
    'a word that is none': changed(words=[['a']], characters=[['a']]),
    'fewer words': changed(words=['<eos>', 'a'], characters=['\n', 'a']),
    'words without an end': changed(words=['a'], characters=['a']),
}


@pytest.mark.parametrize('name', sorted(EVALUATE))
@pytest.mark.parametrize('what', DESCRIPTIONS)
def test_description(copy, complaint, name, what):
    out = copy(name)
    path = out / 'model.json'
    contents = DESCRIPTIONS[what](json.loads(path.read_text()))
    path.write_bytes(contents if isinstance(contents, bytes)
                     else contents.encode())
    for main in EVALUATE[name].main, dict(USE)[name].main:
        said = complaint(main, '--model', out)
        assert any(each in said for each in (
            'is damaged', 'do not fit the model', 'does not describe'))
    print('model.json of {}, {}: {}'.format(name, what, said))


@pytest.mark.parametrize('name', sorted(EVALUATE))
@pytest.mark.parametrize('change', [
    lambda arrays: {},
    lambda arrays: dict(arrays, more=numpy.zeros(1)),
    lambda arrays: {key: each[..., None] for key, each in arrays.items()},
    lambda arrays: {key: each.astype('U9') for key, each in arrays.items()},
], ids=['none', 'one more', 'other shapes', 'text'])
def test_other_parameters(copy, complaint, name, change):
    path = copy(name) / 'model.npz'
    numpy.savez(path, **change(arrays_of(path)))
    said = complaint(EVALUATE[name].main, '--model', path.parent)
    assert 'do not fit the model' in said or 'model.json is damaged' in said


UPDATER = 'updater/iterator:main/'
RANDOM = 'extensions/random_state/'
STATES = {
    'no facts': {'extensions/identity/facts': None},
    'facts that are none': {'extensions/identity/facts': 7},
    'facts without an end': {'extensions/identity/facts': DEEP},
    'facts that are a list': {'extensions/identity/facts': '[]'},
    'no parameters': {'updater/model:main/output/W': None},
    'parameters that are text': {'updater/model:main/output/W': 'text'},
    'another shape': {'updater/model:main/output/W': numpy.zeros((2, 2))},
    'no iteration': {'updater/iteration': 'text'},
    'a position past the end': {UPDATER + 'current_position': 10 ** 9},
    'a negative position': {UPDATER + 'current_position': -1},
    'random numbers of no generator': {
        RANDOM + 'states': '[["x", [1], 2, 0, 0.0], []]'},
    'a generator without an end': {RANDOM + 'states': DEEP},
    'a log that is none': {'extensions/LogReport/_log': '[1]'},
    'a log without an end': {'extensions/LogReport/_log': DEEP},
    'a log that is text': {'extensions/LogReport/_log': 'text'},
}
STATES_OF = {
    'ptb': {
        'a state of other rows': {
            'updater/state/0/c': numpy.zeros((3, 8), 'f')},
        'a state of another size': {
            'updater/state/0/c': numpy.zeros((4, 9), 'f')},
        'a state that is text': {'updater/state/1/c': 'text'},
    },
    'imdb': {
        'an order of no examples': {UPDATER + 'order': numpy.full(90, 999)},
        'an order of too few': {UPDATER + 'order': numpy.arange(5)},
    },
}


@pytest.mark.parametrize('name, what', [
    (name, what) for name in STATES_OF
    for what in list(STATES) + list(STATES_OF[name])])
def test_state(copy, complaint, name, what):
    path = copy(name) / SNAPSHOT
    arrays = arrays_of(path)
    for key, value in dict(STATES, **STATES_OF[name])[what].items():
        assert key in arrays
        if value is None:
            del arrays[key]
        else:
            arrays[key] = value
    path.write_bytes(all_arrays(arrays))
    said = complaint(TRAIN[name].main, '--test', '--out', path.parent,
                     '--resume', path)
    print('snapshot of {}, {}: {}'.format(name, what, said[:300]))
    assert 'does not fit this program' in said or (
        'is not a snapshot of a training run' in said)


# Files of data: a name, what is in it, and what is said

def _short(value):
    return value if isinstance(value, str) else repr((value or b'')[:9])


GOOD_LINE = b'{"text": "good", "label": 1}\n'
BOMB = gzip.compress(bytes(MANY))


def tarred(*members, mode='w'):
    f = io.BytesIO()
    with tarfile.open(fileobj=f, mode=mode) as archive:
        for name, contents, changes in members:
            info = tarfile.TarInfo(name)
            info.size = len(contents)
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(contents))
    return f.getvalue()


def negative_size():
    contents = bytearray(tarred(('train/pos/1_1.txt', b'good', {})))
    contents[124:136] = b'\xff' * 10 + b'\xfe\x00'  # base 256
    contents[148:156] = 8 * b' '
    contents[148:156] = b'%06o\0 ' % sum(contents[:512])
    return bytes(contents)


DATA = [
    ('ptb', 'ptb.train.txt', b'', 'holds no words'),
    ('ptb', 'ptb.train.txt', b'\xff\xfe', 'is not UTF-8 text'),
    ('ptb', 'ptb.train.txt', b'a b\0c', 'is not UTF-8 text'),
    ('ptb', 'ptb.train.txt', None, 'Is a directory'),
    ('ptb', 'ptb.train.txt.gz', b'no gzip', 'cannot read'),
    ('ptb', 'ptb.train.txt.gz', gzip.compress(b'a b')[:-4], 'cannot read'),
    ('ptb', 'ptb.train.txt.gz', flipped(gzip.compress(b'a b')),
     'cannot read'),
    ('ptb', 'ptb.train.txt.gz', BOMB, 'unpacks to more than 200 times'),
    ('imdb', 'train.jsonl', b'{"text": "good", "lab', 'line 1 of'),
    ('imdb', 'train.jsonl', GOOD_LINE + DEEP.encode(), 'line 2 of'),
    ('imdb', 'train.jsonl', b'[1]', 'line 1 of'),
    ('imdb', 'train.jsonl', b'{"text": 7, "label": 1}', 'line 1 of'),
    ('imdb', 'train.jsonl', b'{"text": "a", "label": 2}', 'line 1 of'),
    ('imdb', 'train.jsonl', b'{"text": "\\ud800", "label": 1}', 'line 1 of'),
    ('imdb', 'train.jsonl', b'', 'there are no train reviews'),
    ('imdb', 'train.jsonl.gz', gzip.compress(GOOD_LINE)[:-4], 'cannot read'),
    ('imdb', 'train.jsonl.gz', BOMB, 'unpacks to more than 200 times'),
    ('iwslt', 'train.de', b'\xff', 'is not UTF-8 text'),
    ('iwslt', 'train.de', b'', 'has 0 lines'),
    ('iwslt', 'train.de.gz', gzip.compress(b'a')[:-4], 'cannot read'),
    ('iwslt', 'train.de.gz', BOMB, 'unpacks to more than 200 times'),
    ('iwslt', 'IWSLT16.TED.tst2014.de-en.de.xml', b'<seg id="1">' * 20000,
     'holds no <seg>'),
    ('iwslt', 'IWSLT16.TED.tst2014.de-en.de.xml', b'<seg id="' * 20000,
     'holds no <seg>'),
    ('iwslt', 'IWSLT16.TED.tst2014.de-en.de.xml', b'<seg ' + b'a' * 200000,
     'holds no <seg>'),
    ('iwslt', 'IWSLT16.TED.tst2014.de-en.de.xml', b'<doc ' * 40000,
     'holds no <seg>'),
]
ARCHIVED = [
    (b'no archive', 'cannot read the archive'),
    (tarred(('train/pos/1_1.txt', b'good', {}), mode='w:gz')[:-40],
     'cannot read the archive'),
    (gzip.compress(tarred(('train/pos/1_1.txt', b'good', {}))[:600]),
     'cannot read the archive'),
    (bz2.compress(b'no archive'), 'cannot read the archive'),
    (b'\xfd7zXZ\0' + b'damage', 'cannot read the archive'),
    (BOMB, 'there are no train reviews'),
    (tarred(('train/pos/1_1.txt', bytes(2 ** 21), {})),
     'is longer than any review'),
    (tarred(('train/pos/1_1.txt', b'\xff', {})), 'is not UTF-8 text'),
    (tarred(('a/train/pos/1\n\x1b[2J.txt', b'\xff', {})),
     'a/train/pos/1??[2J.txt is not UTF-8'),
    (tarred(('train/pos/' + 9999 * '1' + '.txt', b'good', {})),
     'there are no train reviews'),
    (tarred(('train/pos/a\\b.txt', b'good', {})),
     'there are no test reviews'),
    (negative_size(), 'cannot read the archive'),
] + [
    # What is not a file is not read, whatever it leads to.
    (tarred(('train/pos/1_1.txt', b'', {
        'type': kind, 'linkname': '/etc/passwd'})),
     'there are no train reviews')
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE,
                 tarfile.CHRTYPE, tarfile.DIRTYPE)]


@pytest.mark.parametrize('name, file, contents, says', DATA, ids=_short)
def test_data(folder, complaint, name, file, contents, says):
    others = {'ptb': ['ptb.{}.txt'.format(part)
                      for part in ('train', 'valid', 'test')],
              'imdb': ['train.jsonl', 'test.jsonl'],
              'iwslt': [part + language for part in ('train', 'dev', 'test')
                        for language in ('.de', '.en')]}[name]
    if file.endswith('.xml'):
        others = others[:4]
        (folder / file.replace('.de.', '.en.')).write_text(
            '<seg id="1">a</seg>')
    for each in others:
        if file not in (each, each + '.gz'):
            (folder / each).write_bytes(
                GOOD_LINE if name == 'imdb' else b'a b\n')
    if contents is None:
        (folder / file).mkdir()
    else:
        (folder / file).write_bytes(contents)
    start = time.time()
    said = complaint(TRAIN[name].main, '--data', folder)
    print('{}, {!r}...: {}'.format(file, (contents or b'')[:20], said))
    assert says in said
    assert time.time() - start < 60


@pytest.mark.parametrize('contents, says', ARCHIVED, ids=_short)
def test_archive(folder, complaint, contents, says):
    path = folder / 'aclImdb.tar.gz'
    path.write_bytes(contents)
    said = complaint(imdb_train.main, '--data', path)
    print('archive, {!r}...: {}'.format(contents[:30], said))
    assert says in said


def test_nothing_leaves_an_archive(folder):
    """Whatever its members are called, they are read, never unpacked."""
    path = folder / 'aclImdb.tar'
    names = ['../../{}/pos/{}_1.txt', '/tmp/{}/pos/{}_1.txt',
             'aclImdb/../{}/pos/{}_1.txt']
    path.write_bytes(tarred(*(
        (each.format(part, number), b'good', {})
        for part in ('train', 'test') for number in range(10)
        for each in names)))
    before = sorted(folder.parent.rglob('*.txt'))
    corpus = imdb_data.load(str(path))
    assert len(corpus.train) + len(corpus.dev) == 30
    assert sorted(folder.parent.rglob('*.txt')) == before == []


VECTORS = [
    ('a.txt', b'it 1 2\nis 1\n', 'line 2 of'),
    ('a.txt', b'it one two\n', 'line 1 of'),
    ('a.txt', b'it nan 1\n', 'line 1 of'),
    ('a.txt', b'it\n', 'line 1 of'),
    ('a.txt', b'', 'has no vector'),
    ('a.txt', bytes(2 ** 17), 'has more than 65536 bytes'),
    ('a.txt', b'it' + 10 ** 6 * b' 1', 'has more than 65536 bytes'),
    ('a.zip', b'no archive', 'cannot read'),
    ('a.zip', zipped([('../a', b'it 1\n'), ('b', b'')]), 'must hold one'),
    ('a.zip', zipped([('a', b'it 1 2\n')])[:-30], 'cannot read'),
    ('a.zip', flipped(zipped([('a', b'it 1 2 3 4 5 6\n' * 99)])),
     'cannot read'),
    ('a.zip', zipped([('a', bytes(MANY))], zipfile.ZIP_DEFLATED),
     'unpacks to more than 200 times'),
]


@pytest.mark.parametrize('file, contents, says', VECTORS, ids=_short)
def test_vectors(folder, complaint, file, contents, says):
    path = folder / file
    path.write_bytes(contents)
    said = complaint(imdb_train.main, '--test', '--glove', path)
    print('{}, {!r}...: {}'.format(file, contents[:20], said))
    assert says in said
