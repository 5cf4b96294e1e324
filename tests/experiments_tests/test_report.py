import json
import os

import pytest

from experiments import report
from experiments import runs
from experiments.iwslt import paper as translation
from experiments.ptb import paper


@pytest.fixture
def result():
    return {
        'experiment': 'ptb', 'config': 'qrnn-zoneout', 'epochs': 72,
        'settings': {'n_epochs': 72, 'layer': 'qrnn'}, 'seed': 0,
        'best_epoch': 70, 'validation_perplexity': 82.46,
        'test_perplexity': 79.04, 'seconds_per_epoch': 512.3,
        'data': {'source': 'folder', 'fingerprint': paper.FINGERPRINTS[0]},
        'hardware': {'cpu': 'Some CPU', 'cores': 2},
        'command': 'python -m anything', 'versions': {'numpy': '2.5'},
        'git': {'revision': '0123456789abcdef', 'dirty': True},
        'curve': [log_entry(72)],
    }


def log_entry(epoch, perplexity=99.):
    return {'epoch': epoch, 'iteration': 443 * epoch,
            'elapsed_time': 600. * epoch, 'validation/main/loss': perplexity,
            'validation/perplexity': perplexity}


def write(folder, result, name='result.json'):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(result))


def cells(out):
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in out.splitlines() if line.startswith('|')]


def test_ours_beside_the_papers(tmp_path, result, capsys):
    write(tmp_path / 'ptb' / 'one', result)
    report.main(['--results', str(tmp_path)])
    out = capsys.readouterr().out
    assert 'as reported by the paper' in out and 'Table 1' not in out
    assert cells(out)[0][4:8] == [
        'validation perplexity: paper', 'ours',
        'test perplexity: paper', 'ours']
    assert cells(out)[2:] == [
        ['ptb/one', 'qrnn-zoneout', '0', 'Penn Treebank', '82.1', '82.46',
         '78.3', '79.04', '72', '70', '512.3', '720', 'Some CPU, 2 cores'],
        ['not run', 'qrnn', '-', 'Penn Treebank', '82.9', '-', '79.9']
        + 6 * ['-'],
        ['not run', 'lstm', '-', 'Penn Treebank', '85.7', '-', '82.0']
        + 6 * ['-']]


def test_other_text_does_not_compare(tmp_path, result, capsys):
    result['data'] = {'source': 'sample', 'fingerprint': '0'}
    result['hardware']['gpu'] = 'Some GPU'
    write(tmp_path / 'sample', result)
    report.main(['--results', str(tmp_path)])
    rows = cells(capsys.readouterr().out)
    assert [row[0] for row in rows[2:]] == 3 * ['not run'] + ['sample']
    assert rows[-1] == [
        'sample', 'qrnn-zoneout', '0', 'sample', '-', '82.46', '-', '79.04',
        '72', '70', '512.3', '720', 'Some GPU']


def test_seeds(tmp_path, result, capsys):
    """The mean is over those that differ in nothing but the seed."""
    for seed, perplexity in enumerate((79., 80., 81.)):
        result.update(seed=seed, test_perplexity=perplexity)
        result['data']['source'] = 'folder {}'.format(seed)
        write(tmp_path / str(seed), result)
    result.update(seed=3, epochs=6)
    write(tmp_path / 'shorter', result)
    report.main(['--results', str(tmp_path)])
    rows = cells(capsys.readouterr().out)[2:-2]
    assert [(row[0], row[2], row[7]) for row in rows] == [
        ('shorter', '3', '81.00'), ('0', '0', '79.00'), ('1', '1', '80.00'),
        ('2', '2', '81.00'), ('mean of 3', '-', '80.00')]


class TestUnfinished(object):

    @pytest.fixture
    def folder(self, tmp_path, result):
        """A run whose log says three epochs, and no result."""
        facts = ('experiment', 'config', 'settings', 'data', 'seed')
        write(tmp_path, dict({name: result[name] for name in facts},
                             words=['a']), 'model.json')
        write(tmp_path, [log_entry(1, 99.), log_entry(2, 95.),
                         log_entry(3, 97.)], 'log')
        return tmp_path

    def row(self, folder, capsys):
        report.main(['--results', str(folder)])
        return cells(capsys.readouterr().out)[2][4:]

    def test_what_is_known(self, folder, capsys):
        assert self.row(folder, capsys) == [
            '82.1', '95.00', '78.3', '-', '3 of 72', '2', '600.0', '30', '-']

    def test_gone_on_since(self, folder, result, capsys):
        write(folder, dict(result, epochs=2))
        assert self.row(folder, capsys)[4] == '3 of 72'

    def test_begun_anew(self, folder, result, capsys):
        """The longer run counts until the new one is as long."""
        write(folder, dict(result, epochs=4))
        assert self.row(folder, capsys)[3:5] == ['79.04', '4 of 72']

    def test_without_a_description(self, folder, result, capsys, complaint):
        (folder / 'model.json').unlink()
        assert 'does not hold the result of an experiment' in complaint(
            report.main, '--results', folder)
        write(folder, dict(result, epochs=2))
        assert self.row(folder, capsys)[4] == '2 of 72'

    @pytest.mark.parametrize('name', ['ptb', 'imdb', 'iwslt'])
    def test_every_experiment(self, name):
        """A log's best epoch is the one that the training would choose."""
        curve = [{'epoch': epoch, 'validation/main/loss': loss,
                  'validation/main/accuracy': accuracy,
                  'validation/perplexity': 10 * loss, 'elapsed_time': epoch}
                 for epoch, loss, accuracy in (
                     (1, 3., .7), (2, 2., .8), (3, 4., .9))]
        found = runs._unfinished(
            {'experiment': name, 'data': {'pairs': {'train': 5}}}, curve)
        assert found['best_epoch'] == (3 if name == 'imdb' else 2)
        columns = runs.papers()[name].COLUMNS.values()
        assert {90., 20.} & {found[key] for key in columns if key in found}


def test_nothing_there(tmp_path, capsys):
    report.main(['--results', str(tmp_path)])
    out = capsys.readouterr().out
    assert out == 'There are no results in {} yet.\n'.format(tmp_path)


def test_bad_result(tmp_path, result, capsys, complaint):
    write(tmp_path / 'bad', {'experiment': 'chess'})
    write(tmp_path / 'list', [])
    write(tmp_path / 'broken', [])
    (tmp_path / 'broken' / 'result.json').write_text('{')
    write(tmp_path / 'good', result)
    write(tmp_path / 'older', {'experiment': 'ptb'})
    write(tmp_path / 'benchmarks' / 'gpu', {'benchmark': 'layer'},
          'layer.json')
    for arguments in [], ['--write', tmp_path / 'all.md']:
        line = complaint(report.main, '--results', tmp_path, *arguments)
        assert 'broken/result.json is damaged' in line
        for name in 'bad', 'list':
            assert '{} does not hold the result of an experiment'.format(
                tmp_path / name) in line
    assert 'older is damaged, or of another version' in line
    assert 'layer.json is damaged, or of another version' in line
    assert '### `good`' in (tmp_path / 'all.md').read_text()


def test_every_configuration_of_the_paper():
    from experiments.ptb.model import CONFIGS
    assert set(paper.REPORTED) == set(CONFIGS) - {'small'}


class TestDocument(object):

    def write(self, folder):
        path = folder / 'all.md'
        report.main(['--results', str(folder / 'results'),
                     '--write', str(path)])
        return path.read_text()

    def test_all_that_is_known(self, tmp_path, result):
        run = tmp_path / 'results' / 'ptb' / 'one'
        write(run, dict(result, epochs=6))
        (run / 'perplexity.png').write_bytes(b'')
        (run / 'other.png').write_bytes(b'')
        text = self.write(tmp_path)
        assert len([row for row in cells(text) if row[0] == 'not run']) == 7
        for line in (
                '# Reproduction', '- `python -m anything`',
                '- seed 0, revision 0123456789ab with changes, NumPy 2.5, '
                'Some CPU, 2 cores',
                '- differs from the paper: 6 of 72 epochs',
                '![Curve of ptb/one](results/ptb/one/perplexity.png)',
                'Not drawn yet.', 'Not measured yet.'):
            assert line in text.splitlines()
        assert 'other.png' not in text
        assert self.write(tmp_path) == text

    def test_what_differs(self, tmp_path, result):
        folder = tmp_path / 'results'
        write(folder / 'same', result)
        write(folder / 'lstm', dict(
            result, config='lstm', settings={'layer': 'lstm'}))
        write(folder / 'sample', dict(result, data={'fingerprint': '0'}))
        for name, layer, glove in (
                ('imdb', 'qrnn', {'vectors': 1234, 'coverage': .5}),
                ('bare', 'qrnn', None), ('pqrnn', 'pqrnn', None)):
            write(folder / name, dict(
                result, experiment='imdb', glove=glove,
                settings={'layer': layer}))
        write(folder / 'iwslt', dict(result, experiment='iwslt', data={
            'pairs': {'train': 20977}, 'sets': {'train': ['train', 'TED']},
            'fingerprint': translation.FINGERPRINTS[0]}, config='qrnn'))
        text = self.write(tmp_path)
        differs = {
            part.splitlines()[0].strip('`'): part.split('paper: ')[1]
            .splitlines()[0] for part in text.split('### ')[1:]}
        assert differs['same'] == 'in nothing that is known'
        assert differs['lstm'].startswith('settings of our own')
        assert differs['sample'] == 'other data than Penn Treebank'
        assert ('vectors of 1,234 words, 50.0 % of the running words'
                in differs['imdb'])
        assert 'no word vectors' in differs['bare']
        assert 'vectors' not in differs['pqrnn']
        assert differs['iwslt'] == (
            "20,977 training pairs, 10 % of the paper's 209,772, from train, "
            'TED')

    def test_figures(self, tmp_path, result):
        states = tmp_path / 'results' / 'imdb' / 'qrnn'
        speed = tmp_path / 'results' / 'benchmarks' / 'gpu'
        for folder in states, speed:
            folder.mkdir(parents=True)
        (states / 'states.png').write_bytes(b'')
        (speed / 'layer.png').write_bytes(b'')
        about = {name: result[name]
                 for name in ('git', 'command', 'versions', 'hardware')}
        for name in 'layer', 'ptb-step', 'onnx':
            write(speed, dict(about, benchmark=name, title='Speed',
                              summary=f'figures of {name}'), f'{name}.json')
        text = self.write(tmp_path)
        assert '(results/imdb/qrnn/states.png)' in text
        assert '(results/benchmarks/gpu/layer.png)' in text
        assert 'figures of layer' in text and 'figures of ptb-step' in text
        assert 'onnx' not in text and 'Not measured' not in text

    def test_elsewhere(self, tmp_path, result, monkeypatch):
        """Pictures are named from where the document is."""
        run = tmp_path / 'results' / 'ptb'
        write(run, result)
        (run / 'perplexity.png').write_bytes(b'')
        (tmp_path / 'deep').mkdir()
        monkeypatch.chdir(tmp_path)
        path = os.path.join('deep', 'all.md')
        report.main(['--results', 'results', '--write', path])
        assert '(../results/ptb/perplexity.png)' in open(path).read()
