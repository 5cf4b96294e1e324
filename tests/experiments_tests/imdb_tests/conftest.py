import dataclasses
import json

import chainer
import pytest

from experiments.imdb import train
from experiments.imdb.model import CONFIGS
from experiments.imdb.sample import sample


@pytest.fixture(scope='session', autouse=True)
def user_cache(tmp_path_factory):
    """Use an empty dataset cache; yield the path of the original cache."""
    root = chainer.dataset.get_dataset_root()
    chainer.dataset.set_dataset_root(str(tmp_path_factory.mktemp('cache')))
    yield root
    chainer.dataset.set_dataset_root(root)


@pytest.fixture(scope='session')
def trained(tmp_path_factory, write_lines):
    """Return the folder and the result of a short but successful run."""
    data = write_lines(tmp_path_factory.mktemp('reviews'), **sample(1500, 200))
    out = tmp_path_factory.mktemp('out')
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, 'small', dataclasses.replace(
            CONFIGS['small'], n_units=32, dropout=0., batch_size=8, lr=.01))
        train.main(['--data', str(data), '--out', str(out), '--epoch', '3'])
    return str(out), json.loads((out / 'result.json').read_text())
