import json

import pytest

from experiments import report
from experiments.paper import TABLES


def make_result(experiment='ptb', config='qrnn-zoneout', **others):
    """Return the ``result.json`` of a run with the paper's settings."""
    paper = TABLES[experiment]
    settings = {name: value
                for name, value in paper.settings.get(config, {}).items()
                if not name.startswith('beam')}
    return {
        'experiment': experiment, 'config': config, 'seed': 0,
        'settings': dict(
            settings, n_epochs=paper.settings['qrnn']['n_epochs'] or 5),
        'data': {'source': 'folder', 'fingerprint': paper.fingerprints[0],
                 'pairs': {'train': 209772}, 'characters': 188},
        'parameters': 17729040, 'epochs': 72, 'best_epoch': 70,
        'finished': True,
        'test_search': {'width': 8, 'alpha': .6},
        'test_perplexity': 79.04, 'seconds_per_epoch': 512.3,
        'starts': [make_start()], 'curve': make_curve(
            paper, [152.46 - epoch for epoch in range(1, 71)] + [90., 90.]),
        **others}


def make_start(**others):
    return {'command': 'python -m anything', 'minutes': 720.,
            'hardware': {'cpu': 'Some CPU', 'cores': 2},
            'blas': [{'num_threads': 1}], 'versions': {'numpy': '2.5'},
            'git': {'revision': '0123456789abcdef', 'dirty': True}, **others}


def make_curve(paper, scores, seconds=600.):
    return [{'epoch': epoch, 'elapsed_time': seconds * epoch,
             paper.validation[0]: score / paper.validation[1]}
            for epoch, score in enumerate(scores, 1)]


def test_no_folder(tmp_path, error_of):
    assert 'there is no folder' in error_of(
        report.main, '--results', tmp_path / 'nothing')


@pytest.fixture
def written(tmp_path):
    """Return a function that writes results and returns the report."""
    def write(**runs):
        for name, result in runs.items():
            folder = tmp_path / 'results' / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / 'result.json').write_text(json.dumps(result))
        report.main(['--results', str(tmp_path / 'results'),
                     '--write', str(tmp_path / 'all.md')])
        return (tmp_path / 'all.md').read_text()
    return write


def rows(text, heading):
    """Return the cells of the table below a heading."""
    lines = text.partition(heading)[2].strip().splitlines()
    end = next(i for i, line in enumerate(lines + ['']) if not line)
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in lines[:end]]


def test_table_compares_runs_with_the_paper(written, tmp_path, capsys):
    text = written(one=make_result())
    expected = [
        ['run', 'configuration', 'seed', 'validation perplexity',
         'test perplexity', 's / epoch', 'epochs', 'best', 'minutes',
         'device'],
        ['one', 'qrnn-zoneout', '0', '82.46 (82.1)', '79.04 (78.3)', '512.30',
         '72', '70', '720', 'Some CPU, 1 core'],
        ['not run', 'qrnn', '', '- (82.9)', '- (79.9)', '-'] + 4 * [''],
        ['not run', 'lstm', '', '- (85.7)', '- (82.0)', '-'] + 4 * ['']]
    table = rows(text, f'## {TABLES["ptb"].title}')
    assert table[:1] + table[2:] == expected
    report.main(['--results', str(tmp_path / 'results')])
    printed = rows(capsys.readouterr().out.partition(TABLES['ptb'].title)[2],
                   'as reported by the paper')
    assert printed == table


def test_runs_scored_twice_are_not_in_the_table(written):
    """A run is not in the table if training continued after its test score."""
    text = written(
        once=make_result(scored=[{'epochs': 72}]),
        twice=make_result(scored=[{'epochs': 2}, {'epochs': 72}]))
    assert [row[0] for row in rows(text, '(perplexity per word)')[2:]] == [
        'once', 'not run', 'not run']
    assert ('- the test part was scored 2 times, after epochs 2, 72' in
            text.partition('### `twice`')[2].splitlines())


def test_environment_and_settings(written):
    lines = written(one=make_result(
        parameters=1234, starts=[
            make_start(minutes=7.), make_start(), make_start(
                git={'revision': 'fedcba', 'dirty': False})])).splitlines()
    for line in (
            '- `python -m anything`, revision 0123456789ab with changes, '
            'numpy 2.5, Some CPU, 1 core; starts: 2, minutes: 727',
            '- `python -m anything`, revision fedcba, numpy 2.5, Some CPU, '
            '1 core; starts: 1, minutes: 720',
            '- 1,234 parameters',
            '- differs from the paper: parameters 0M (paper: 18M)',
            '- not given by the paper: dropout (here None); init_scale (here '
            'None); sum_over (here None); L2 acts on (here all parameters); '
            'zoneout_expectation (here None)'):
        assert line in lines


@pytest.mark.parametrize('result, differs', [
    (make_result(dtype='mixed16', epochs=100),
     'n_epochs 100 (paper: 72); lr 5.25 (paper: 1.0); dtype mixed16 (paper: '
     'float32)'),
    (make_result('iwslt', 'lstm', epochs=1, data={
        'pairs': {'train': 20977}, 'characters': 140}, test_search={
            'width': 4, 'alpha': .6}),
     'n_epochs 1 (paper: 10); training pairs 20977 (paper: 209772); '
     'characters 139 (paper: 187); beam width 4 (paper: 8)'),
    (make_result('iwslt', 'lstm', epochs=1, finished=False, test_search={},
                 data={'pairs': {'train': 209772}, 'characters': 188}),
     'n_epochs 1 (paper: 10)'),
    (make_result('imdb', 'qrnn-k4', epochs=3, glove={
        'vectors': 11088, 'coverage': .847, 'size': 300}),
     'word vectors of 11,088 words, 84.7 % of the running words, 300 '
     'dimensions (paper: GloVe 840B, 300 dimensions, cased)'),
])
def test_different_settings(result, differs):
    if result['experiment'] == 'ptb':
        result['settings']['lr'] = 5.25
    text = report.about(result, TABLES[result['experiment']])
    assert f'- differs from the paper: {differs}' in text.splitlines()


def test_settings_that_the_paper_does_not_give():
    """The paper gives only the number of parameters of its LSTM model."""
    result = make_result(config='lstm', parameters=19368720)
    result['settings']['lr_decay'] = 1 / 1.2
    text = report.about(result, TABLES['ptb'])
    assert 'lr_decay (here 0.8333); ' in text
    assert '- differs from the paper: parameters 19M (paper: 20M)\n' in text


def test_order(written, tmp_path):
    """In a section, the order is: command, settings, curve, score, comment."""
    folder = tmp_path / 'results' / 'one'
    folder.mkdir(parents=True)
    (folder / 'README.md').write_text('Shows little.\n')
    (folder / 'curves.png').write_bytes(b'')
    (tmp_path / 'results' / 'ptb').mkdir()
    (tmp_path / 'results' / 'ptb' / 'README.md').write_text('One seed.\n')
    text = written(one=make_result())
    assert '|\n\nOne seed.\n\n### `one`' in text
    section = text.partition('### `one`')[2]
    places = [section.index(text) for text in (
        '- `python -m anything`, revision', '- differs from the paper',
        '![one/curves.png]', '- after epoch 70: validation perplexity 82.46 '
        '(82.1), test perplexity 79.04 (78.3)', '\n\nShows little.\n\n')]
    assert places == sorted(places)


def test_ended_by_hand(written):
    text = written(by_hand=make_result(epochs=40),
                   by_patience=make_result(epochs=41, patience=9))
    table = rows(text, '(perplexity per word)')
    assert [row[6] for row in table[2:4]] == ['40 of 72', '41 of 72']
    assert '- ended by hand after 40 of 72 epochs' in text.splitlines()
    assert text.count('ended by hand after') == 1


def test_unfinished_runs_other_data_and_models(written):
    unfinished = make_result(epochs=3, best_epoch=2, finished=False)
    unfinished['curve'] = unfinished['curve'][:2]
    del unfinished['test_perplexity']
    text = written(unfinished=unfinished, overfit=make_result(
        data={'fingerprint': '0'}), pqrnn=make_result(
            'imdb', 'pqrnn', test_accuracy=87.69,
            bag_of_words_test_accuracy=88.26))
    table = rows(text, '(perplexity per word)')
    assert [row[0] for row in table[2:]] == ['unfinished', 'not run',
                                             'not run']
    assert table[2][3:8] == ['150.46 (82.1)', '- (78.3)', '512.30', '3 of 72',
                             '2']
    for line in (
            '- not finished: 3 of 72 epochs, not scored on the test part',
            '- uses data other than Penn Treebank; not included in the table',
            '- test accuracy of a bag of words: 88.26',
            '- the paper does not include this model'):
        assert line in text.splitlines()


def test_equal_epochs(written):
    paper = TABLES['iwslt']
    text = written(
        qrnn=make_result('iwslt', 'qrnn', epochs=3,
                         test_sacrebleu_signature='v:2',
                         curve=make_curve(paper, [3.9, 3.8, 3.7])),
        lstm=make_result('iwslt', 'lstm', epochs=2,
                         curve=make_curve(paper, [5.9, 5.8])))
    assert ('Best development perplexity by equal epochs:\n\n'
            '- by epoch 2: 3.80 (`qrnn`), 5.80 (`lstm`)\n') in text
    assert text.count('by equal epochs') == 1
    assert '- sacreBLEU: `v:2`' in text


def test_figures(written, tmp_path):
    """Links to figures are relative to the folder of the report."""
    speed = tmp_path / 'results' / 'benchmarks' / 'cpu'
    for folder in speed, tmp_path / 'results' / 'one':
        folder.mkdir(parents=True)
    (speed / 'layer.json').write_text(json.dumps(
        make_start(summary='twice as fast')))
    (speed / 'layer.png').write_bytes(b'')
    (speed / 'layer.md').write_text('One outlier.')
    (tmp_path / 'results' / 'one' / 'states.png').write_bytes(b'')
    text = written(one=make_result())
    assert '(results/one/states.png)' in text
    assert '```\ntwice as fast\n```' in text
    assert '(results/benchmarks/cpu/layer.png)\n\nOne outlier.\n' in text


@pytest.mark.parametrize('contents, message', [
    ('{', 'is damaged'),
    ('[]', 'is not the result of an experiment'),
    ('{"experiment": "ptb"}', 'is from another version of this program'),
])
def test_invalid_result(tmp_path, error_of, contents, message):
    (tmp_path / 'result.json').write_text(contents)
    line = error_of(report.main, '--results', tmp_path)
    assert str(tmp_path / 'result.json') in line and message in line
