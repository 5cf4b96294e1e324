import json
import os

import pytest

from experiments import report
from experiments.paper import TABLES


@pytest.fixture
def result():
    return {
        'experiment': 'ptb', 'config': 'qrnn-zoneout', 'epochs': 72,
        'settings': dict(TABLES['ptb'].settings['qrnn-zoneout'],
                         layer='qrnn', sum_over='rows'),
        'seed': 0, 'dtype': 'float32', 'finished': True, 'parameters': 1234,
        'best_epoch': 70, 'test_perplexity': 79.04,
        'scored': [{'epochs': 72, 'test_perplexity': 79.04}],
        'seconds_per_epoch': 512.3,
        'data': {'source': 'folder',
                 'fingerprint': TABLES['ptb'].fingerprints[0]},
        'starts': [start()],
        'curve': [log_entry(epoch, 152.46 - epoch if epoch < 71 else 90.)
                  for epoch in range(1, 73)],
    }


def start(**others):
    return dict({
        'command': 'python -m anything', 'minutes': 720.,
        'hardware': {'cpu': 'Some CPU', 'cores': 2},
        'versions': {'numpy': '2.5'}, 'blas': [{
            'internal_api': 'openblas', 'architecture': 'SkylakeX',
            'num_threads': 1}],
        'git': {'revision': '0123456789abcdef', 'dirty': True}}, **others)


def log_entry(epoch, perplexity):
    return {'epoch': epoch, 'iteration': 443 * epoch,
            'elapsed_time': 600. * epoch,
            'validation/perplexity': perplexity}


def write(folder, result, name='result.json'):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(result))


def rows(folder, capsys):
    report.main(['--results', str(folder)])
    return cells(capsys.readouterr().out)


def cells(out):
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in out.splitlines() if line.startswith('|')]


def test_ours_beside_the_papers(tmp_path, result, capsys):
    write(tmp_path / 'ptb' / 'one', result)
    report.main(['--results', str(tmp_path)])
    out = capsys.readouterr().out
    assert 'as reported by the paper' in out and 'Table 1' not in out
    assert cells(out) == [
        ['run', 'configuration', 'seed', 'validation perplexity: paper',
         'ours', 'test perplexity: paper', 'ours', 's / epoch', 'epochs',
         'best', 'minutes', 'device'], cells(out)[1],
        ['ptb/one', 'qrnn-zoneout', '0', '82.1', '82.46', '78.3', '79.04',
         '512.30', '72', '70', '720',
         'Some CPU, 2 cores, 1 thread of openblas SkylakeX'],
        ['not run', 'qrnn', '-', '82.9', '-', '79.9'] + 6 * ['-'],
        ['not run', 'lstm', '-', '85.7', '-', '82.0'] + 6 * ['-']]


def test_speed_and_both_bleus_of_the_paper(tmp_path, result, capsys):
    write(tmp_path / 'iwslt', translation(result, 'qrnn'))
    heading, _, row, _ = rows(tmp_path, capsys)
    assert dict(zip(heading, row))['s / epoch: paper'] == '3,600'
    assert row[4:8] == ['19.41', '6.50', '19.41', '6.68']


def translation(result, config, n_epochs=10, value=4., **others):
    paper = TABLES['iwslt']
    return dict(
        result, experiment='iwslt', config=config, epochs=n_epochs,
        best_epoch=1, settings=dict(
            paper.settings[config], layer=config, n_epochs=10),
        data={'pairs': {'train': 5}, 'characters': 9,
              'fingerprint': paper.fingerprints[0]},
        test_bleu=6.68, test_sacrebleu=6.5,
        test_sacrebleu_signature='nrefs:1|v:2',
        curve=[log_entry(epoch, value - epoch / 10)
               for epoch in range(1, n_epochs + 1)], **others)


def test_other_data_is_no_row(tmp_path, result, capsys):
    write(tmp_path / 'overfit', dict(
        result, data={'source': 'sample', 'fingerprint': '0'}))
    assert [row[0] for row in rows(tmp_path, capsys)[2:]] == 3 * ['not run']
    report.write(str(tmp_path), str(tmp_path / 'all.md'))
    assert ('- on other data than Penn Treebank, and no row of the table'
            in (tmp_path / 'all.md').read_text())


def test_seeds(tmp_path, result, capsys):
    """The mean is over those that differ in nothing but the seed."""
    for seed, perplexity in enumerate((79., 80., 81.)):
        result.update(seed=seed, test_perplexity=perplexity)
        result['data']['source'] = f'folder {seed}'
        write(tmp_path / str(seed), result)
    write(tmp_path / 'shorter', dict(result, seed=3, epochs=70))
    assert [(row[0], row[2], row[4], row[6])
            for row in rows(tmp_path, capsys)[2:-2]] == [
        ('shorter', '3', '82.46', '81.00'), ('0', '0', '82.46', '79.00'),
        ('1', '1', '82.46', '80.00'), ('2', '2', '82.46', '81.00'),
        ('mean of 3', '-', '82.46', '80.00')]


def test_unfinished(tmp_path, result, capsys):
    for key in 'test_perplexity', 'scored':
        del result[key]
    result.update(epochs=3, best_epoch=2, finished=False,
                  curve=result['curve'][:3])
    write(tmp_path, result)
    assert rows(tmp_path, capsys)[2][3:10] == [
        '82.1', '150.46', '78.3', '-', '512.30', '3 of 72', '2']
    report.write(str(tmp_path), str(tmp_path / 'all.md'))
    assert 'not scored on the test part' in (tmp_path / 'all.md').read_text()


def test_nothing_there(tmp_path, capsys):
    report.main(['--results', str(tmp_path)])
    out = capsys.readouterr().out
    assert out == f'There are no results in {tmp_path} yet.\n'


def test_bad_result(tmp_path, result, complaint):
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
        for name in 'bad', 'list', 'older':
            assert (f'{tmp_path / name} does not hold the result of an '
                    'experiment') in line
    assert 'layer.json is damaged, or of another version' in line
    assert '### `good`' in (tmp_path / 'all.md').read_text()


class TestDocument:

    def write(self, folder):
        path = folder / 'all.md'
        report.main(['--results', str(folder / 'results'),
                     '--write', str(path)])
        return path.read_text()

    def test_all_that_is_known(self, tmp_path, result):
        run = tmp_path / 'results' / 'ptb' / 'one'
        write(run, result)
        (run / 'perplexity.png').write_bytes(b'')
        (run / 'other.png').write_bytes(b'')
        text = self.write(tmp_path)
        assert len([row for row in cells(text) if row[0] == 'not run']) == 7
        for line in (
                '# Reproduction',
                '- `python -m anything`, 720 minutes, revision 0123456789ab '
                'with changes, NumPy 2.5, Some CPU, 2 cores, 1 thread of '
                'openblas SkylakeX',
                '- 1,234 parameters',
                '- differs from the paper: in none of the settings that it '
                'gives',
                '- not given by the paper: init_scale (here None); sum_over '
                '(here rows); L2 acts on (here all parameters)',
                '![Curve of ptb/one](results/ptb/one/perplexity.png)'):
            assert line in text.splitlines()
        assert 'other.png' not in text
        assert self.write(tmp_path) == text

    def test_several_starts(self, tmp_path, result):
        """All revisions are named, and the minutes of all."""
        result['starts'] = [start(minutes=7.), start(
            minutes=5., git={'revision': 'fedcba', 'dirty': False})]
        result['scored'] = [{'epochs': 2}, {'epochs': 72}]
        write(tmp_path / 'results', result)
        text = self.write(tmp_path)
        assert '7 minutes, revision 0123456789ab with changes' in text
        assert '5 minutes, revision fedcba,' in text
        assert cells(text)[7][0] == '.' and cells(text)[7][10] == '12'
        assert ('- the test part was scored 2 times, after epochs 2, 72'
                in text)

    def test_older_results(self, tmp_path, result):
        """Of which only the last start is known."""
        result.update(result.pop('starts')[0])
        del result['finished'], result['scored'], result['minutes']
        write(tmp_path / 'results', result)
        text = self.write(tmp_path)
        assert '- `python -m anything`, revision 0123456789ab' in text
        assert cells(text)[7][10] == '720'

    def test_what_differs(self, tmp_path, result):
        result['settings'].update(batch_size=80, lr=5.25)
        result.update(dtype='mixed16', epochs=100)
        write(tmp_path / 'results', result)
        assert ('- differs from the paper: batch_size 80 (paper: 20); '
                'n_epochs 100 (paper: 72); lr 5.25 (paper: 1.0); dtype '
                'mixed16 (paper: float32)') in self.write(tmp_path)

    def test_baselines(self, tmp_path, result):
        result.update(
            experiment='imdb', config='pqrnn', test_accuracy=87.69,
            bag_of_words_test_accuracy=88.26,
            data={'fingerprint': TABLES['imdb'].fingerprints[1]})
        for entry in result['curve']:
            entry['validation/main/accuracy'] = .9
        write(tmp_path / 'results', result)
        text = self.write(tmp_path)
        assert ('- a bag of words gets 88.26 % of the same test reviews '
                'right, more than this model') in text
        assert 'NBSVM 91.22 %' in text
        assert '- a model that the paper does not have' in text

    def test_equal_terms(self, tmp_path, result):
        """At equal epochs, and at equal minutes."""
        qrnn = translation(result, 'qrnn', 3)
        lstm = translation(result, 'lstm', 2, 6.)
        for entry in lstm['curve']:
            entry['elapsed_time'] *= 2
        write(tmp_path / 'results' / 'qrnn', qrnn)
        write(tmp_path / 'results' / 'lstm', lstm)
        write(tmp_path / 'results' / 'seed', dict(lstm, seed=1))
        text = self.write(tmp_path)
        assert (
            'Development perplexity of `qrnn` and `lstm` on equal terms: 3.80 '
            'and 5.80 after 2 epochs; 3.70 and 5.90 after 30 minutes; they '
            'train with dropout 0.0 and 0.2.') in text.splitlines()
        assert text.count('on equal terms') == 1
        assert '- sacreBLEU: `nrefs:1|v:2`' in text

    def test_figures(self, tmp_path, result):
        states = tmp_path / 'results' / 'imdb' / 'qrnn'
        speed = tmp_path / 'results' / 'benchmarks' / 'cpu' / 'threads-2'
        for folder in states, speed:
            folder.mkdir(parents=True)
        (states / 'states.png').write_bytes(b'')
        (speed / 'layer.png').write_bytes(b'')
        for name in 'layer', 'ptb-step', 'onnx':
            write(speed, dict(start(), summary=f'figures of {name}'),
                  f'{name}.json')
        text = self.write(tmp_path)
        assert '(results/imdb/qrnn/states.png)' in text
        assert '(results/benchmarks/cpu/threads-2/layer.png)' in text
        assert 'figures of layer' in text and 'figures of ptb-step' in text
        assert 'onnx' not in text

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
