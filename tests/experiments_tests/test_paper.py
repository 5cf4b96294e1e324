import dataclasses
import importlib
import json

import pytest

from experiments import report
from experiments.paper import BATCH_MILLISECONDS
from experiments.paper import LAYER_SPEED
from experiments.paper import TABLES


@pytest.mark.parametrize('experiment', TABLES)
def test_our_configurations_have_the_papers_settings(experiment):
    """Our settings equal the paper's, except for documented differences."""
    paper = TABLES[experiment]
    model = importlib.import_module(f'experiments.{experiment}.model')
    assert set(paper.rows) == set(paper.settings) == (
        set(model.CONFIGS) - {'small', 'compact', 'pqrnn'})
    for config, numbers in paper.rows.items():
        assert len(numbers) == len(paper.columns)
        settings = json.loads(json.dumps(
            dataclasses.asdict(model.CONFIGS[config])))
        differs, _ = report.compare({
            'experiment': experiment, 'config': config, 'settings': settings,
            'epochs': settings['n_epochs'],
            'data': {'pairs': {'train': 209772}, 'characters': 188},
            'parameters': {'lstm': 19368720}.get(config, 17729040),
            'test_search': {'width': 8, 'alpha': .6}}, paper)
        assert differs == {
            'imdb': ['word vectors none (paper: GloVe 840B, 300 dimensions, '
                     'cased)', 'l2_embedding False (paper: True)'],
            'ptb': ['parameters 19M (paper: 20M)'] if config == 'lstm' else [],
        }.get(experiment, [])


def test_figure_4():
    assert len(LAYER_SPEED) == 30 and LAYER_SPEED[8, 512] == 16.9
    assert sum(BATCH_MILLISECONDS['QRNN'].values()) == 153
