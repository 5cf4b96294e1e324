"""The runs that a folder holds, and tables that set them by the paper's."""
import glob
import importlib
import itertools
import json
import os

import numpy

from experiments.common.errors import Problem
from experiments.common.files import read_json
from experiments.common.result import seconds_per_epoch


def papers():
    """The module ``paper`` of every experiment, by the experiment's name.

    They come in the order of the paper's tables.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    names = [os.path.basename(os.path.dirname(path)) for path in
             glob.glob(os.path.join(here, '*', 'paper.py'))]
    modules = {name: importlib.import_module(
        'experiments.{}.paper'.format(name)) for name in names}
    return dict(sorted(modules.items(), key=lambda item: item[1].TITLE))


def find_runs(folder):
    """All runs in a folder, at any depth, finished or not.

    Args:
        folder (str): Where to look.

    Returns:
        tuple: A dict of results by the run's own folder, below ``folder``;
        and what is wrong with others, a list of str. A result is what
        ``result.json`` says. Of a run that has gone on since, or that has not
        come to its end yet, it is what the log says, without a test score.

    """
    runs, problems = {}, []
    names = {os.path.dirname(path) for name in ('result.json', 'log')
             for path in glob.glob(os.path.join(folder, '**', name),
                                   recursive=True)}
    for name in sorted(names):
        try:
            runs[os.path.relpath(name, folder)] = _result(name)
        except Problem as problem:
            problems.append(str(problem))
    return runs, problems


def compares(result, paper):
    """Whether a run belongs to a row of the paper's table.

    Numbers on other text would not compare.
    """
    return result.get('config') in paper.REPORTED and has_data(result, paper)


def has_data(result, paper):
    """Whether a run was scored on the paper's data."""
    return result.get('data', {}).get('fingerprint') in paper.FINGERPRINTS


def table(paper, runs):
    """A table of the paper's rows and ours, which Markdown understands.

    Args:
        paper: Module of an experiment.
        runs (dict): Its results by name.

    Returns:
        str: A line for every run, one with the mean of those that differ in
        nothing but the seed, and one for what has not been run.

    """
    rows = []
    for config in paper.REPORTED:
        ours = {name: result for name, result in runs.items()
                if compares(result, paper) and result['config'] == config}
        rows += _rows(ours, paper) or [
            _row('not run', {'config': config}, paper.REPORTED[config], paper)]
    rows += _rows({name: result for name, result in runs.items()
                   if not compares(result, paper)}, paper)
    heading = ['run', 'configuration', 'seed', 'data']
    for column, key in paper.COLUMNS.items():
        heading += ([column + ': paper', 'ours'] if _is_reported(key, paper)
                    else [column])
    return _lines(heading + [
        'epochs', 'best', 's / epoch', 'minutes', 'device'], rows)


def _result(folder):
    result, curve, description = [
        read_json(path) if os.path.exists(path) else None
        for path in (os.path.join(folder, name)
                     for name in ('result.json', 'log', 'model.json'))]
    try:
        if not result or curve and curve[-1]['epoch'] > result['epochs']:
            # Without a description, the older result is all that is known.
            result = _unfinished(description, curve) or result
        if result['experiment'] not in papers():
            raise KeyError
    except (KeyError, TypeError, IndexError):
        raise Problem('{} does not hold the result of an experiment'.format(
            folder))
    return result


def _unfinished(description, curve):
    """What would be the result of a run, or ``None``."""
    if not description:
        return None
    result = dict(description, curve=curve, epochs=curve[-1]['epoch'],
                  seconds_per_epoch=seconds_per_epoch(curve))
    paper = papers()[result['experiment']]
    key, choose = paper.BEST
    best = choose(curve, key=lambda entry: entry[key])
    result.update(paper.so_far(result, best), best_epoch=best['epoch'])
    return result


def _rows(runs, paper):
    """Rows of the runs, each group followed by its mean."""
    rows = []
    groups = itertools.groupby(
        sorted(runs, key=lambda name: _place(runs[name])),
        lambda name: _place(runs[name])[:-1])
    for _, names in groups:
        group = {name: runs[name] for name in names}
        for name, result in group.items():
            reported = (paper.REPORTED[result['config']]
                        if compares(result, paper) else {})
            rows.append(_row(name, result, reported, paper))
        if len(group) > 1:
            rows.append(_row('mean of {}'.format(len(group)), _mean(
                list(group.values()), paper), reported, paper))
    return rows


def _place(result):
    """What runs are put in order by, the seed last."""
    facts = {name: result.get(name) for name in ('config', 'settings')}
    # A run is the same wherever its files are.
    for name in 'data', 'glove':
        facts[name] = {key: value for key, value in (
            result.get(name) or {}).items() if key != 'source'}
    return (result.get('epochs', 0), json.dumps(facts, sort_keys=True),
            result.get('seed', 0))


def _mean(results, paper):
    mean = {name: results[0].get(name)
            for name in ('config', 'settings', 'data', 'epochs')}
    for key in paper.COLUMNS.values():
        values = [result.get(key) for result in results]
        if None not in values:
            mean[key] = float(numpy.mean(values))
    return mean


def _row(name, result, reported, paper):
    row = [name, result.get('config'), _plain(result.get('seed')),
           paper.DATA if reported or has_data(result, paper)
           else result.get('data', {}).get('source')]
    for key in paper.COLUMNS.values():
        if _is_reported(key, paper):
            row.append(_plain(reported.get(key)))
        row.append(_rounded(result.get(key), 2))
    curve = result.get('curve')
    return row + [
        epochs(result), _plain(result.get('best_epoch')),
        _rounded(result.get('seconds_per_epoch'), 1),
        _rounded(curve and curve[-1]['elapsed_time'] / 60, 0),
        device(result)]


def epochs(result):
    """How many epochs were trained, and of how many if more are wanted."""
    reached = result.get('epochs')
    wanted = result.get('settings', {}).get('n_epochs', 0)
    if reached is None or reached >= wanted:
        return _plain(reached)
    return '{} of {}'.format(reached, wanted)


def device(result):
    """The hardware that a run was made on."""
    hardware = result.get('hardware')
    if not hardware:
        return '-'
    return hardware.get('gpu') or '{}, {} core{}'.format(
        hardware.get('cpu'), hardware.get('cores'),
        's' * (hardware.get('cores') != 1))


def _is_reported(key, paper):
    return any(key in reported for reported in paper.REPORTED.values())


def _plain(value):
    """As the paper gives it."""
    return '-' if value is None else '{:,}'.format(value)


def _rounded(value, n_digits):
    if not isinstance(value, float):
        return _plain(value)
    return '{:,.{}f}'.format(value, n_digits)


def _lines(heading, rows):
    rows = [[str(cell) for cell in row] for row in [heading] + rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, ['-' * width for width in widths])
    return '\n'.join('| {} |'.format(' | '.join(
        cell.ljust(width) for cell, width in zip(row, widths)))
        for row in rows)
