"""The paper's numbers beside ours: ``python -m experiments.report --help``."""
import glob
import itertools
import json
import os

import numpy

from experiments.common import arguments
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.common.files import read_json
from experiments.common.files import replacing
from experiments.paper import compare
from experiments.paper import TABLES


_HEAD = """# Reproduction

The paper's numbers, as reported by the paper, beside those of the runs in
`{results}`. This file is generated: `python -m experiments.report --write`
writes it anew from what is there, `python -m experiments.reproduce` runs what
is missing and writes it, too.

A run that is not finished (`6 of 72` epochs) does not answer yet whether the
paper's numbers are reached. `best` is the epoch whose model was scored, chosen
on the validation part; `minutes` are those of training, over all starts of a
run. The paper's seconds are those of an NVIDIA K40."""


def main(argv=None):
    """Print a table for each experiment, or write the whole document."""
    args = parse(argv)
    if args.write:
        problems = write(args.results, args.write)
        print(f'Written to {args.write}')
    else:
        runs, problems = find_runs(args.results)
        if not runs and not problems:
            print(f'There are no results in {args.results} yet.')
        for experiment, paper in TABLES.items():
            ours = _of(experiment, runs)
            if ours:
                print(f'\n{paper.title}\n(paper: as reported by the paper)\n\n'
                      f'{table(paper, ours)}')
    if problems:
        raise Problem('; '.join(problems))


def parse(argv=None):
    parser = arguments.Parser(prog='python -m experiments.report')
    parser.add_argument(
        '--results', metavar='FOLDER', default='results',
        help='folder in which to look for results, at any depth (default: '
             'results)')
    parser.add_argument(
        '--write', metavar='FILE', nargs='?', const='REPRODUCTION.md',
        help='write all that is known of each run, and the figures, as '
             'Markdown (default: REPRODUCTION.md)')
    return parser.parse_args(argv)


def write(results, path):
    """Write the document that sets all results beside the paper's.

    Args:
        results (str): Folder with the results.
        path (str): Name of the file.

    Returns:
        list of str: What is wrong with some of them.

    """
    runs, problems = find_runs(results)
    start = os.path.dirname(os.path.abspath(path))

    def picture(text, *names):
        name = os.path.join(results, *names)
        return [f'![{text}]({os.path.relpath(name, start)})'
                ] if os.path.exists(name) else []

    text = [_HEAD.format(results=results)]
    for experiment, paper in TABLES.items():
        ours = _of(experiment, runs)
        text += [f'## {paper.title}', table(paper, ours),
                 *filter(None, [paper.notes, *equal_terms(paper, ours)])]
        for name, result in ours.items():
            text.append(about(name, result, paper))
            for curve in 'perplexity.png', 'accuracy.png':
                text += picture(f'Curve of {name}', name, curve)
    text += ['## Figure 3: states of the last layer over a review']
    for name in sorted(glob.glob('**/states*.png', root_dir=results,
                                 recursive=True)):
        text += [f'`{os.path.dirname(name)}`',
                 *picture('States over a review', name)]
    text += ['## Figure 4: speed']
    for benchmark in 'layer', 'ptb-step':
        for name in sorted(glob.glob(f'benchmarks/**/{benchmark}.json',
                                     root_dir=results, recursive=True)):
            try:
                text += _speed(name[:-5], read_json(
                    os.path.join(results, name)))
            except (Problem, KeyError, TypeError):
                problems.append(f'{name} is damaged, or of another version of '
                                'this program')
            text += picture(benchmark, f'{name[:-5]}.png')
    os.makedirs(start, exist_ok=True)
    with replacing(path) as f:
        f.write(('\n\n'.join(text) + '\n').encode())
    return problems


def find_runs(folder):
    """Find all runs in a folder, at any depth, finished or not.

    Args:
        folder (str): Where to look.

    Returns:
        tuple: What ``result.json`` says, by the run's own folder below
        ``folder``; and what is wrong with others, a list of str.

    """
    runs, problems = {}, []
    for path in sorted(glob.glob('**/result.json', root_dir=folder,
                                 recursive=True)):
        name = os.path.dirname(path)
        try:
            result = read_json(os.path.join(folder, path))
            _rows([(name, result)], TABLES[result['experiment']])
            about(name, result, TABLES[result['experiment']])
            runs[name or '.'] = result
        except Problem as problem:
            problems.append(str(problem))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            problems.append(
                f'{os.path.join(folder, name)} does not hold the result of an '
                'experiment, or is of another version of this program')
    return runs, problems


def _of(experiment, runs):
    return {name: result for name, result in runs.items()
            if result['experiment'] == experiment}


def table(paper, runs):
    """Return a table of the paper's rows and ours, in Markdown.

    Runs on other data are none of its rows.

    Args:
        paper (~experiments.paper.Table): The paper's.
        runs (dict): Results of the experiment by name.

    Returns:
        str: A line for every run, one with the mean of those that differ in
        nothing but the seed, and one for what has not been run.

    """
    ours = [item for item in runs.items() if paper.has_data(item[1])]
    rows = []
    for config in paper.rows:
        rows += _rows([item for item in ours if item[1]['config'] == config],
                      paper) or _rows([('not run', {'config': config})], paper)
    rows += _rows([item for item in ours
                   if item[1]['config'] not in paper.rows], paper)
    heading = ['run', 'configuration', 'seed']
    for column, key in _columns(paper).items():
        heading += ([f'{column}: paper', 'ours'] if _is_reported(key, paper)
                    else [column])
    return _lines(heading + ['epochs', 'best', 'minutes', 'device'], rows)


def _columns(paper):
    return {paper.validation[0]: 'validation', **paper.columns,
            's / epoch': 'seconds_per_epoch'}


def _is_reported(key, paper):
    return any(key in reported for reported in paper.rows.values())


def _rows(runs, paper):
    """Return the rows of runs, each group of seeds followed by its mean."""
    rows = []
    for _, group in itertools.groupby(
            sorted(runs, key=lambda item: (_but_the_seed(item[1]),
                                           item[1].get('seed', 0))),
            lambda item: _but_the_seed(item[1])):
        group = list(group)
        rows += [_row(name, result, paper) for name, result in group]
        if len(group) > 1:
            mean = dict(group[0][1], seed=None, best_epoch=None, starts=[],
                        hardware=None, curve=[])
            for key in _columns(paper).values():
                values = [_value(result, key, paper) for _, result in group]
                mean[key] = None if None in values else float(
                    numpy.mean(values))
            rows.append(_row(f'mean of {len(group)}', mean, paper))
    return rows


def _but_the_seed(result):
    facts = {key: result.get(key) for key in ('config', 'settings', 'epochs')}
    for key in 'data', 'glove':  # which are the same wherever they are
        facts[key] = dict(result.get(key) or {}, source=None)
    return json.dumps(facts, sort_keys=True)


def _row(name, result, paper):
    reported = paper.rows.get(result['config'], {})
    row = [name, result['config'], _text(result.get('seed'))]
    for key in _columns(paper).values():
        if _is_reported(key, paper):
            row.append(_text(reported.get(key), None))
        row.append(_text(_value(result, key, paper)))
    minutes = [start['minutes'] for start in result.get('starts', [])]
    if not minutes and result.get('curve'):
        minutes = [result['curve'][-1]['elapsed_time'] / 60]
    return row + [_epochs(result), _text(result.get('best_epoch')),
                  _text(sum(minutes), 0) if minutes else '-',
                  _device(_starts(result)[-1])]


def _value(result, key, paper):
    if key != 'validation' or key in result:
        return result.get(key)
    _, entry, factor, _ = paper.validation
    return next((factor * each[entry] for each in result.get('curve', [])
                 if each['epoch'] == result['best_epoch']), None)


def _epochs(result):
    reached = result.get('epochs')
    wanted = result.get('settings', {}).get('n_epochs', 0)
    if reached is None or reached >= wanted:
        return _text(reached)
    return f'{reached} of {wanted}'


def _starts(result):
    # Once only the last start was known.
    return result.get('starts') or [result]


def _device(start):
    hardware = start.get('hardware')
    if not hardware:
        return '-'
    blas = (start.get('blas') or [{}])[0]
    return hardware.get('gpu') or ', '.join(filter(None, [
        hardware['cpu'], _count(hardware['cores'], 'core'),
        blas and f"{_count(blas['num_threads'], 'thread')} of "
        f"{blas['internal_api']} {blas.get('architecture', '')}".strip()]))


def about(name, result, paper):
    """Return all that a run's numbers depend on, and how it differs."""
    lines = [f'### `{name}`', '']
    words = result.get('bag_of_words_test_accuracy')
    for start in _starts(result):
        lines.append('- ' + ', '.join(filter(None, [
            'command' in start and f"`{start['command']}`",
            'minutes' in start and f"{start['minutes']:.0f} minutes",
            _revision(start), _device(start)])))
    for key, text in (
            ('parameters', '{:,} parameters'),
            ('bag_of_words_test_accuracy',
             'a bag of words gets {:.2f} % of the same test reviews right'
             + ', more than this model' * ((words or 0) > result.get(
                 'test_accuracy', 100))),
            ('test_sacrebleu_signature', 'sacreBLEU: `{}`'),
            ('test_bleu_definition', 'BLEU: {}')):
        if key in result:
            lines.append('- ' + text.format(result[key]))
    scored = [str(each['epochs']) for each in result.get('scored', [])]
    if len(scored) > 1:
        lines.append(f'- the test part was scored {len(scored)} times, after '
                     f'epochs {", ".join(scored)}')
    if not result.get('finished', True):
        lines.append('- not finished, so not scored on the test part')
    if not paper.has_data(result):
        lines.append(f'- on other data than {paper.data}, and no row of the '
                     'table')
    if result['config'] not in paper.rows:
        return '\n'.join(lines + ['- a model that the paper does not have'])
    differs, not_given = compare(result, paper)
    lines.append('- differs from the paper: ' + (
        '; '.join(differs) or 'in none of the settings that it gives'))
    if not_given:
        lines.append('- not given by the paper: ' + '; '.join(not_given))
    return '\n'.join(lines)


def _revision(start):
    git = start.get('git')
    versions = start.get('versions', {})
    return ', '.join(filter(None, [
        git and 'revision ' + git['revision'][:12]
        + ' with changes' * git['dirty'],
        *(f'{name} {versions[key]}' for key, name in (
            ('python', 'Python'), ('numpy', 'NumPy'), ('chainer', 'Chainer'),
            ('cupy', 'CuPy')) if key in versions)]))


def equal_terms(paper, runs):
    """Compare each LSTM with the QRNNs, at equal epochs and equal minutes.

    Args:
        paper (~experiments.paper.Table): The paper's.
        runs (dict): Results of the experiment by name.

    Returns:
        list of str: A sentence for every pair on the same data.

    """
    sentences = []
    ours = {name: result for name, result in runs.items()
            if paper.has_data(result) and result['config'] in paper.rows
            and result.get('curve')}
    for lstm, qrnn in itertools.product(ours, ours):
        pair = ours[qrnn], ours[lstm]
        if ([each['settings']['layer'] for each in pair] != ['qrnn', 'lstm']
                or pair[0].get('seed') != pair[1].get('seed')):
            continue
        parts = []
        for unit, key in (
                ('epoch', lambda entry: entry['epoch']),
                ('minute', lambda entry: entry['elapsed_time'] / 60)):
            limit = min(key(each['curve'][-1]) for each in pair)
            parts.append(f'{{}} and {{}} after {_count(round(limit), unit)}'
                         .format(*(_best(each, limit, key, paper)
                                   for each in pair)))
        dropouts = [each['settings']['dropout'] for each in pair]
        if dropouts[0] != dropouts[1]:
            parts.append('they train with dropout {} and {}'.format(*dropouts))
        sentences.append(f'{paper.validation[0].capitalize()} of `{qrnn}` and '
                         f'`{lstm}` on equal terms: {"; ".join(parts)}.')
    return sentences


def _best(result, limit, key, paper):
    """Return the best value of the validation part up to a limit."""
    _, entry, factor, choose = paper.validation
    values = [factor * each[entry] for each in result['curve']
              if key(each) <= limit]
    return _text(choose(values)) if values else 'nothing yet'


def _speed(name, result):
    summary = result.get('summary')
    return [f'### `{name}`', '- `{}`\n- {}'.format(
        result['command'], ', '.join(filter(None, [
            _revision(result), _device(result)])))] + (
        [f'```\n{summary}\n```'] if summary else [])


def _count(n, noun):
    return f'{n} {noun}' + 's' * (n != 1)


def _text(value, n_digits=2):
    if value is None:
        return '-'
    if isinstance(value, float) and n_digits is not None:
        return f'{value:,.{n_digits}f}'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'{value:,}'
    return str(value)


def _lines(heading, rows):
    rows = [[str(cell) for cell in row] for row in [heading] + rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, ['-' * width for width in widths])
    return '\n'.join('| {} |'.format(' | '.join(
        cell.ljust(width) for cell, width in zip(row, widths)))
        for row in rows)


if __name__ == '__main__':
    errors.run(main)
