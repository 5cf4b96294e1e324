"""Pictures of results: ``python -m benchmarks.draw FOLDER``."""
import argparse
import glob
import os

from benchmarks.all import BENCHMARKS
from experiments.common import checkpoint
from experiments.common import cli
from experiments.common.files import read_json


def main(argv=None):
    """Draw the results in a folder, from a machine without matplotlib."""
    parser = argparse.ArgumentParser('python -m benchmarks.draw')
    parser.add_argument(
        'folder', metavar='FOLDER', help='where NAME.json are')
    folder = parser.parse_args(argv).folder
    paths = sorted(glob.glob(os.path.join(folder, '*.json')))
    if not paths:
        raise cli.UserError(f'there are no results in {folder}')
    for path in paths:
        result = read_json(path)
        draw(result['benchmark'], result['rows'], folder)


def draw(name, rows, folder):
    """Write ``NAME.png``, if the benchmark has one and matplotlib is there.

    Args:
        name (str): The benchmark.
        rows (list of dict): What it gave.
        folder (str): Where to write.

    """
    benchmark = BENCHMARKS[name]
    if not benchmark.draw:
        return
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('matplotlib is not installed, so nothing was drawn.')
        return
    figure = Figure(figsize=(10, 5), layout='constrained')
    benchmark.draw(rows, figure)
    path = os.path.join(folder, name + '.png')
    with checkpoint.replacing(path) as f:
        figure.savefig(f, format='png', dpi=150)
    print(f'Drawn in {path}')


if __name__ == '__main__':
    cli.run(main)
