import dataclasses
import json

import pytest

from experiments.ptb import grammar
from experiments.ptb import train
from experiments.ptb.model import CONFIGS


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """Return the folder and the result of a short but successful run."""
    text, out = [tmp_path_factory.mktemp(name) for name in ('text', 'out')]
    for part, sentences in grammar.sample(1500, 150, 150).items():
        (text / f'ptb.{part}.txt').write_text(
            '\n'.join(map(' '.join, sentences)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, 'small', dataclasses.replace(
            CONFIGS['small'], n_units=48, n_epochs=2))
        train.main(['--data', str(text), '--out', str(out)])
    return str(out), json.loads((out / 'result.json').read_text())
