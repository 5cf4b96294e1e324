"""The paper's numbers beside ours: ``python -m experiments.report --help``."""
import glob
import importlib
import os

from experiments.common import arguments
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.common.files import read_json


def main(argv=None):
    """Prints a table for each experiment that has results."""
    args = parse(argv)
    papers = _papers()
    results, problems = _results(args.results, papers)
    if not results and not problems:
        print('There are no results in {} yet.'.format(args.results))
    for name, paper in papers.items():
        rows = [_row(folder, result, paper)
                for folder, result in results if result['experiment'] == name]
        if rows:
            print('\n{}\n(paper: as reported by the paper)\n'.format(
                paper.TITLE))
            _print_table(_heading(paper), rows)
    if problems:
        raise Problem('; '.join(problems))


def parse(argv=None):
    parser = arguments.Parser(prog='python -m experiments.report')
    parser.add_argument(
        '--results', metavar='FOLDER', default='results',
        help='folder in which to look for result.json, at any depth '
             '(default: results)')
    return parser.parse_args(argv)


def _papers():
    """The module ``paper`` of every experiment, by the experiment's name."""
    here = os.path.dirname(os.path.abspath(__file__))
    names = sorted(os.path.basename(os.path.dirname(path)) for path in
                   glob.glob(os.path.join(here, '*', 'paper.py')))
    return {name: importlib.import_module(
        'experiments.{}.paper'.format(name)) for name in names}


def _results(folder, papers):
    """All results with their folders, and what is wrong with others."""
    results, problems = [], []
    for path in sorted(glob.glob(os.path.join(folder, '**', 'result.json'),
                                 recursive=True)):
        try:
            result = read_json(path)
            if not (isinstance(result, dict)
                    and result.get('experiment') in papers):
                raise Problem('{} is not the result of an experiment'.format(
                    path))
        except Problem as problem:
            problems.append(str(problem))
        else:
            name = os.path.relpath(os.path.dirname(path), folder)
            results.append((name, result))
    return results, problems


def _heading(paper):
    heading = ['run', 'configuration', 'data']
    for column in paper.COLUMNS:
        heading += [column + ': paper', 'ours']
    return heading + ['best of epochs', 's / epoch', 'device']


def _row(name, result, paper):
    data = result.get('data', {})
    reported = {}
    if data.get('fingerprint') == paper.FINGERPRINT:
        # Numbers on other text would not compare.
        reported = paper.REPORTED.get(result.get('config'), {})
    row = [name, result.get('config'),
           paper.DATA if reported else data.get('source')]
    for key in paper.COLUMNS.values():
        row += [_number(reported.get(key)), _number(result.get(key))]
    hardware = result.get('hardware', {})
    return row + [
        '{} of {}'.format(result.get('best_epoch'), result.get('epochs')),
        _number(result.get('seconds_per_epoch')),
        hardware.get('gpu') or '{}, {} cores'.format(
            hardware.get('cpu'), hardware.get('cores'))]


def _number(value):
    return '-' if value is None else '{:.1f}'.format(value)


def _print_table(heading, rows):
    """Prints a table that Markdown understands."""
    rows = [[str(cell) for cell in row] for row in [heading] + rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, ['-' * width for width in widths])
    for row in rows:
        print('| {} |'.format(' | '.join(
            cell.ljust(width) for cell, width in zip(row, widths))))


if __name__ == '__main__':
    errors.run(main)
