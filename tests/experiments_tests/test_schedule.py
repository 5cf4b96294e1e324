import dataclasses
import importlib
import json
import os

import pytest

from experiments import schedule
from experiments.common.errors import Problem
from experiments.paper import TABLES
from experiments.ptb import grammar
from experiments.ptb.model import Config
from experiments.ptb.model import CONFIGS


@pytest.fixture
def setting(tmp_path):
    return schedule.Setting(
        str(tmp_path / 'results'), '-1',
        {'ptb': 'texts', 'imdb': 'reviews', 'iwslt': 'pairs',
         'glove': 'vectors'}, ['TED', 'TEDX'])


def row_of(setting, name, n_seeds=1):
    row, = [row for row in schedule.rows(setting, schedule.NAMES, n_seeds)
            if row.name == name]
    return row


def write(folder, name, value):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'w') as f:
        f.write(value if isinstance(value, str) else json.dumps(value))


def test_what_answers_most_is_first(setting):
    names = [row.name for row in schedule.rows(setting, schedule.NAMES, 2)]
    assert names[:3] == ['table2 qrnn-zoneout', 'table1 qrnn', 'figure3']
    assert names[12:15] == [
        'table3 lstm-converged', 'table2 qrnn-zoneout-seed1',
        'table1 qrnn-seed1']
    assert len(names) == len(set(names)) == 23


def test_every_row_of_the_paper(setting):
    for name, table in TABLES.items():
        configs = {row.config for row in schedule.rows(
            setting, schedule.NAMES) if getattr(
                row, 'experiment', None) == name}
        assert configs == set(table.rows)


@pytest.mark.parametrize('name, expected', [
    ('table1', ['table1 qrnn', 'table1 qrnn-k4', 'table1 lstm']),
    ('figure3', ['table1 qrnn', 'figure3']),  # it needs the model
    ('figure4', ['figure4 layer', 'figure4 ptb-step']),
])
def test_some(setting, name, expected):
    assert [row.name for row in schedule.rows(setting, [name])] == expected


def test_commands(setting):
    """They say what is wanted, and the programs take them."""
    for test in False, True:
        setting = dataclasses.replace(setting, test=test, device='0')
        for row in schedule.rows(setting, schedule.NAMES, 2):
            _, module, *arguments = row.command()
            args = importlib.import_module(module).parse(arguments)
            assert args.device == '0'
            if isinstance(row, schedule.Training):
                assert args.out == row.folder and args.resume is True
                assert args.test == test
                if not test:
                    assert args.data == setting.sources[row.experiment]
    args = row_of(setting, 'table1 lstm-seed1', 2).command()
    assert args[args.index('--seed') + 1] == '1'
    assert row_of(setting, 'figure4 layer').command()[-2:] == [
        '--repeats', '1']


def test_data_of_commands(setting):
    command = row_of(setting, 'table3 lstm').command()
    start = command.index('--extra')
    assert command[start:start + 3] == ['--extra', 'TED', 'TEDX']
    command = row_of(setting, 'table1 lstm').command()
    assert command[command.index('--glove') + 1] == 'vectors'
    # To be read, where they are not known
    setting = dataclasses.replace(setting, sources=dict.fromkeys(
        setting.sources))
    for row in schedule.rows(setting, schedule.NAMES):
        assert None not in row.command()


class TestProgress(object):

    @pytest.fixture
    def row(self, setting):
        return row_of(setting, 'table2 qrnn')

    @pytest.fixture
    def result(self):
        return {'experiment': 'ptb', 'config': 'qrnn', 'seed': 0,
                'settings': dataclasses.asdict(CONFIGS['qrnn']),
                'data': {'source': 'moved',
                         'fingerprint': TABLES['ptb'].fingerprints[0]},
                'epochs': 72}

    def test_not_begun(self, row):
        assert row.progress() == schedule.Progress('not begun', 'not begun')

    def test_no_snapshot(self, row):
        """Of what a clone has, nothing can be gone on with."""
        write(row.folder, 'log', [{'epoch': 6, 'elapsed_time': 60}])
        progress = row.progress()
        assert progress.state == 'not begun' and '6 epochs' in progress.text
        assert progress.seconds_left is None

    def test_begun(self, row):
        write(row.folder, 'snapshot_iter_200', '')
        first = row.progress()
        assert first.state == 'begun' and '0 of 72' in first.text
        write(row.folder, 'log', [{'epoch': 6, 'elapsed_time': 60}])
        write(row.folder, 'snapshot_iter_400', '')
        second = row.progress()
        assert '6 of 72' in second.text and second.mark != first.mark
        assert second.seconds_left == 660

    def test_finished(self, row, result):
        write(row.folder, 'result.json', result)
        assert row.progress().state == 'finished'
        for change in {'epochs': 71}, {'finished': False}:
            write(row.folder, 'result.json', dict(result, **change))
            assert row.progress().state == 'not begun'

    def test_older_than_a_setting(self, row, result):
        del result['settings']['l2']
        assert CONFIGS['qrnn'].l2 == Config().l2
        write(row.folder, 'result.json', result)
        assert row.progress().state == 'finished'

    @pytest.mark.parametrize('change', [
        {'seed': 1}, {'config': 'lstm'}, {'experiment': 'imdb'},
        {'settings': {'n_units': 7}},
        {'data': {'source': 'moved', 'fingerprint': '0'}}])
    def test_another_run(self, row, result, change):
        write(row.folder, 'result.json', dict(result, **change))
        progress = row.progress()
        assert progress.state == 'taken' and row.folder in progress.text

    def test_other_data_that_are_wanted(self, row, result):
        write(row.folder, 'result.json', dict(
            result, data={'source': 'texts', 'fingerprint': '0'}))
        assert row.progress().state == 'finished'

    def test_other_vectors(self, setting):
        row = row_of(setting, 'table1 qrnn')
        model = importlib.import_module('experiments.imdb.model')
        write(row.folder, 'result.json', {
            'experiment': 'imdb', 'config': 'qrnn', 'seed': 0, 'epochs': 5,
            'settings': dict(dataclasses.asdict(model.CONFIGS['qrnn']),
                             embed_size=100),
            'glove': {'size': 100}, 'data': {'source': 'reviews'}})
        assert row.progress().state == 'finished'

    @pytest.mark.parametrize('damage', ['{', '[]', '{"seed": 0}', '3'])
    def test_damaged(self, row, damage):
        write(row.folder, 'result.json', damage)
        progress = row.progress()
        assert progress.state == 'taken' and 'damaged' in progress.text

    def test_longer(self, setting, result):
        """It begins with the last snapshot of the shorter one."""
        setting = dataclasses.replace(setting, test=True)
        first = row_of(setting, 'table3 qrnn')
        longer = row_of(setting, 'table3 qrnn-converged')
        assert longer.n_epochs > first.n_epochs
        model = importlib.import_module('experiments.iwslt.model')
        write(first.folder, 'snapshot_iter_100', '')
        write(first.folder, 'snapshot_iter_99', '')
        os.utime(os.path.join(first.folder, 'snapshot_iter_99'), (0, 0))
        assert longer.command()[-1] == '--resume'
        write(first.folder, 'result.json', {
            'experiment': 'iwslt', 'config': 'qrnn', 'seed': 0, 'epochs': 2,
            'settings': dataclasses.asdict(model.TINY)})
        assert longer.command()[-1] == os.path.join(
            first.folder, 'snapshot_iter_100')
        write(longer.folder, 'model.json', {})
        assert longer.command()[-1] == '--resume'

    def test_states(self, setting):
        row = row_of(setting, 'figure3')
        assert row.waits_for.name == 'table1 qrnn'
        assert row.progress().state == 'not begun'
        folder = row.waits_for.folder
        write(folder, 'states.png', '')
        assert row.progress().state == 'finished'  # as in a clone
        write(folder, 'model.npz', '')
        os.utime(os.path.join(folder, 'states.png'), (0, 0))
        assert row.progress().state == 'not begun'

    @pytest.mark.parametrize('device, folder', [
        ('-1', 'cpu'), ('@numpy', 'cpu'), ('0', 'gpu'), ('@cupy:1', 'gpu')])
    def test_benchmarks(self, setting, device, folder):
        setting = dataclasses.replace(setting, device=device)
        row = row_of(setting, 'figure4 layer')
        assert row.progress().state == 'not begun'
        write(os.path.join(setting.out, 'benchmarks', folder), 'layer.json',
              '{}')
        assert row.progress().state == 'finished'


class TestCheck(object):

    def test_all_that_is_missing(self, setting):
        rows = schedule.rows(setting, schedule.NAMES)
        with pytest.raises(Problem) as info:
            schedule.check(rows)
        message = str(info.value)
        for part in ('ptb: there is no folder texts; ',
                     '; imdb: there is no file vectors',
                     '; iwslt: there is no folder pairs'):
            assert part in message

    def test_not_given(self, setting):
        setting = dataclasses.replace(setting, sources=dict.fromkeys(
            setting.sources))
        with pytest.raises(Problem) as info:
            schedule.check(schedule.rows(setting, ['table1', 'table3']))
        message = str(info.value)
        assert '--data imdb=FOLDER' in message
        assert '--data iwslt=FOLDER' in message and 'ptb' not in message

    def test_no_vectors(self, setting):
        setting = dataclasses.replace(setting, sources=dict(
            setting.sources, glove=None))
        with pytest.raises(Problem, match='--data glove=FILE'):
            schedule.check(schedule.rows(setting, ['table1']))

    def test_not_a_training_set(self, setting, tmp_path):
        """Data are read, not only found."""
        for part, sentences in grammar.sample(9, 9, 9).items():
            write(str(tmp_path), 'ptb.{}.txt'.format(part),
                  '\n'.join(map(' '.join, sentences)))
        setting = dataclasses.replace(setting, sources=dict(
            setting.sources, ptb=str(tmp_path)))
        schedule.check(schedule.rows(setting, ['table2']))
        write(str(tmp_path), 'ptb.test.txt', '')
        with pytest.raises(Problem, match='holds no words'):
            schedule.check(schedule.rows(setting, ['table2']))

    def test_only_what_is_needed(self, setting):
        schedule.check(schedule.rows(setting, ['figure4']))
        schedule.check(schedule.rows(
            dataclasses.replace(setting, test=True), schedule.NAMES))

    def test_download(self, setting, monkeypatch):
        def download(url, md5):
            raise Problem('cannot download')
        monkeypatch.setattr('experiments.ptb.data.download', download)
        setting = dataclasses.replace(setting, sources={'ptb': 'download'})
        rows = schedule.rows(setting, ['table2'])
        schedule.check(rows, download=False)
        with pytest.raises(Problem, match='cannot download'):
            schedule.check(rows)
