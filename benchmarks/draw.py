"""Draw results of benchmarks: ``python -m benchmarks.draw FOLDER``."""
import argparse
import glob
import os

from benchmarks.all import BENCHMARKS
from experiments.common import checkpoint
from experiments.common import cli
from experiments.common.text import read_json


def main(argv=None):
    """Draw the results in a folder."""
    parser = argparse.ArgumentParser('python -m benchmarks.draw')
    parser.add_argument(
        'folder', metavar='FOLDER', help='folder that contains NAME.json')
    folder = parser.parse_args(argv).folder
    paths = sorted(glob.glob(os.path.join(folder, '*.json')))
    if not paths:
        raise cli.UserError(
            f'{folder} contains no results; run benchmarks.run first')
    for path in paths:
        result = read_json(path)
        draw(result['benchmark'], result['rows'], folder)


def draw(name, rows, folder):
    """Write ``NAME.png`` if the benchmark has a figure.

    If matplotlib is not installed, nothing is written.

    Args:
        name (str): Name of the benchmark.
        rows (list of dict): Results of the benchmark.
        folder (str): Folder to write to.

    """
    benchmark = BENCHMARKS[name]
    if not benchmark.draw:
        return
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('No figure was drawn, because matplotlib is not installed.')
        return
    figure = Figure(figsize=(10, 5), layout='constrained')
    benchmark.draw(rows, figure)
    path = os.path.join(folder, name + '.png')
    with checkpoint.replacing(path) as f:
        figure.savefig(f, format='png', dpi=150)
    print(f'Figure written to {path}')


if __name__ == '__main__':
    cli.run(main)
