import json

import pytest

from experiments import report
from experiments.ptb import paper


@pytest.fixture
def result():
    return {
        'experiment': 'ptb', 'config': 'qrnn-zoneout', 'epochs': 72,
        'best_epoch': 70, 'validation_perplexity': 82.46,
        'test_perplexity': 79.04, 'seconds_per_epoch': 512.3,
        'data': {'source': 'folder', 'fingerprint': paper.FINGERPRINT},
        'hardware': {'cpu': 'Some CPU', 'cores': 2},
    }


def write(folder, result):
    folder.mkdir(parents=True)
    (folder / 'result.json').write_text(json.dumps(result))


def cells(out):
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in out.splitlines() if line.startswith('|')]


def test_ours_beside_the_papers(tmp_path, result, capsys):
    write(tmp_path / 'ptb' / 'one', result)
    report.main(['--results', str(tmp_path)])
    out = capsys.readouterr().out
    assert 'as reported by the paper' in out
    assert cells(out)[0][3:7] == [
        'validation perplexity: paper', 'ours',
        'test perplexity: paper', 'ours']
    assert cells(out)[2] == [
        'ptb/one', 'qrnn-zoneout', 'Penn Treebank', '82.1', '82.5', '78.3',
        '79.0', '70 of 72', '512.3', 'Some CPU, 2 cores']


def test_other_text_does_not_compare(tmp_path, result, capsys):
    result['data'] = {'source': 'sample', 'fingerprint': '0'}
    result['hardware']['gpu'] = 'Some GPU'
    write(tmp_path / 'sample', result)
    report.main(['--results', str(tmp_path)])
    assert cells(capsys.readouterr().out)[2] == [
        'sample', 'qrnn-zoneout', 'sample', '-', '82.5', '-', '79.0',
        '70 of 72', '512.3', 'Some GPU']


def test_nothing_there(tmp_path, capsys):
    report.main(['--results', str(tmp_path)])
    assert 'There are no results in' in capsys.readouterr().out


def test_bad_result(tmp_path, result, capsys, complaint):
    write(tmp_path / 'bad', {'experiment': 'chess'})
    write(tmp_path / 'broken', [])
    (tmp_path / 'broken' / 'result.json').write_text('{')
    write(tmp_path / 'good', result)
    line = complaint(report.main, '--results', tmp_path)
    assert 'broken/result.json is damaged' in line
    assert 'bad/result.json is not the result of an experiment' in line


def test_every_configuration_of_the_paper():
    from experiments.ptb.model import CONFIGS
    assert set(paper.REPORTED) == set(CONFIGS) - {'small'}
