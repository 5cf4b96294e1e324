from experiments.iwslt import paper
from experiments.iwslt.model import CONFIGS


def test_every_configuration_of_the_paper():
    assert set(paper.REPORTED) == set(CONFIGS) - {'small'}
    for reported in paper.REPORTED.values():
        assert set(reported) <= set(paper.COLUMNS.values())
