import dataclasses
import json

import numpy
import pytest

from experiments.iwslt import data
from experiments.iwslt import train
from experiments.iwslt.data import Characters
from experiments.iwslt.model import Config
from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import Translator


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """Return the folder and the result of a short but successful run."""
    out = tmp_path_factory.mktemp('out')
    sample = data.sample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, 'sample', lambda max_length, characters: sample(
            max_length, 400, 10, characters))
        patch.setitem(CONFIGS, 'small', dataclasses.replace(
            CONFIGS['small'], n_units=48, n_embedding=32, batch_size=4,
            n_epochs=2, alpha=.015))
        train.main(['--out', str(out)])
    return str(out), json.loads((out / 'result.json').read_text())


@pytest.fixture
def random_model():
    """Return a model with large random weights, and its characters."""
    def make(characters, layer='qrnn', **settings):
        random = numpy.random.RandomState(1)
        settings = {'n_units': 7, 'n_embedding': 5, 'kernel_sizes': (3, 2),
                    **settings}
        model = Translator(Config(layer, **settings), len(characters) + 1)
        for _, param in sorted(model.namedparams()):
            param.array[...] = random.uniform(-1, 1, param.shape)
        model.output.b.array[0] = -3  # make short outputs unlikely
        return model, Characters('\n' + characters)
    return make
