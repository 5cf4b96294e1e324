import dataclasses
import importlib
import json

import pytest

from experiments.paper import BATCH_MILLISECONDS
from experiments.paper import compare
from experiments.paper import LAYER_SPEED
from experiments.paper import TABLES


def configs(experiment):
    return importlib.import_module(f'experiments.{experiment}.model').CONFIGS


def result(experiment, config, **others):
    """What a run with a configuration of ours would say of itself."""
    settings = dict(
        dataclasses.asdict(configs(experiment)[config]),
        **others.pop('settings', {}))
    facts = {
        'experiment': experiment, 'config': config, 'settings': settings,
        'epochs': settings['n_epochs'], 'data': {
            'pairs': {'train': 209772}, 'characters': 187}}
    return json.loads(json.dumps(dict(facts, **others)))


ROWS = [(experiment, config) for experiment, table in TABLES.items()
        for config in table.rows]


@pytest.mark.parametrize('experiment, config', ROWS)
def test_our_configurations_are_the_papers(experiment, config):
    """But for what is told, and what the paper does not give."""
    differs, not_given = compare(
        result(experiment, config), TABLES[experiment])
    assert differs == {
        'imdb': ['l2_embedding False (paper: True)', 'word vectors none '
                 '(paper: GloVe 840B, 300 dimensions, cased)'],
        'ptb': [], 'iwslt': []}[experiment]
    assert not_given


def test_every_configuration_of_the_paper():
    for name, table in TABLES.items():
        assert set(table.rows) == set(configs(name)) - {'small', 'pqrnn'}
        assert set(table.settings) == set(table.rows)
        entries = {'validation', 'seconds_per_epoch', *table.columns.values()}
        assert all(set(reported) <= entries
                   for reported in table.rows.values())


def test_all_that_differs():
    differs, _ = compare(result(
        'ptb', 'qrnn', settings={'batch_size': 80, 'lr': 5.25},
        dtype='mixed16', epochs=100), TABLES['ptb'])
    assert differs == [
        'batch_size 80 (paper: 20)', 'n_epochs 100 (paper: 72)',
        'lr 5.25 (paper: 1.0)', 'dtype mixed16 (paper: float32)']
    differs, _ = compare(result('iwslt', 'lstm', epochs=1, data={
        'pairs': {'train': 20977}, 'characters': 139}, test_search={
            'width': 4, 'alpha': .6}), TABLES['iwslt'])
    assert differs == [
        'n_epochs 1 (paper: 10)', 'training pairs 20977 (paper: 209772)',
        'characters 139 (paper: 187)', 'beam width 4 (paper: 8)']
    differs, _ = compare(result('imdb', 'qrnn-k4', glove={
        'vectors': 11088, 'coverage': .847, 'size': 300}), TABLES['imdb'])
    assert differs[1].startswith(
        'word vectors of 11,088 words, 84.7 % of the running words')


def test_what_is_not_given_is_not_short():
    differs, not_given = compare(
        result('imdb', 'qrnn', epochs=3), TABLES['imdb'])
    assert 'n_epochs (here 3)' in not_given
    assert not any('n_epochs' in each for each in differs)
    _, not_given = compare(result('ptb', 'qrnn'), TABLES['ptb'])
    assert not_given == ['init_scale (here None)', 'sum_over (here rows)',
                         'L2 acts on (here all parameters)']
    differs, not_given = compare(result('ptb', 'lstm'), TABLES['ptb'])
    assert not differs and 'max_norm (here 5.0)' in not_given


def test_figure_4():
    assert len(LAYER_SPEED) == 30 and LAYER_SPEED[8, 512] == 16.9
    assert sum(BATCH_MILLISECONDS['QRNN'].values()) == 153
