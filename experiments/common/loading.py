"""Load trained models."""
import os

from chainer import serializers

from experiments.common import precision
from experiments.common.checkpoint import copied_arrays
from experiments.common.cli import describe
from experiments.common.cli import UserError
from experiments.common.files import read_arrays
from experiments.common.text import read_json


def load_model(folder, experiment, build):
    """Return the best model of a run, on the CPU, and its description.

    Args:
        folder (str): Output folder of the run.
        experiment (str): Name of the experiment.
        build (callable): Function that receives the contents of
            ``model.json`` and returns a model.

    """
    try:
        description = read_json(os.path.join(folder, 'model.json'))
        arrays = read_arrays(os.path.join(folder, 'model.npz'))
    except FileNotFoundError as error:
        raise UserError(f'there is no trained model in {folder}: '
                        f'{error.filename} is missing')
    try:
        if description['experiment'] != experiment:
            raise ValueError('it belongs to another experiment')
        with precision.using(description['dtype']):
            model = build(description)
        if set(arrays) != set(copied_arrays(model)):
            raise ValueError('model.npz belongs to another model')
        serializers.NpzDeserializer(arrays).load(model)
    except Exception as error:  # the description may contain anything
        raise UserError(f'{folder} does not contain a model of experiments.'
                        f'{experiment} and this version ({describe(error)})')
    return model, description
