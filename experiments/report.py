"""The paper's numbers beside ours: ``python -m experiments.report --help``."""
import glob
import itertools
import json
import os

import numpy

from experiments.common import cli
from experiments.common.checkpoint import read_json
from experiments.paper import TABLES


_HEAD = """# Reproduction

Our runs, with the paper's numbers in brackets, as reported by the paper.
`python -m experiments.report --write` writes this file from what is in
`results`; `python -m experiments.reproduce` trains what is missing.

A run that is not finished (`6 of 72` epochs) does not answer yet whether the
paper's numbers are reached. `best` is the epoch whose model was scored, chosen
on the validation part; `minutes` are those of training, over all starts of a
run. The paper's seconds are an NVIDIA K40's, its Figure 3 is `states.png`."""


def main(argv=None):
    """Print a table for each experiment, or write the whole document."""
    parser = cli.Parser('report')
    parser.add_argument(
        '--results', metavar='FOLDER', default='results',
        help='folder in which to look for results, at any depth (default: '
             'results)')
    parser.add_argument(
        '--write', metavar='FILE', nargs='?', const='REPRODUCTION.md',
        help='write all that is known of each run, and the figures, as '
             'Markdown (default: REPRODUCTION.md)')
    args = parser.parse_args(argv)
    runs = load_runs(args.results)
    if args.write:
        text = document(runs, args.results, os.path.dirname(args.write) or '.')
        with open(args.write, 'w', encoding='utf-8') as f:
            f.write(text)
        print(f'Written to {args.write}')
        return
    for experiment, paper in TABLES.items():
        print(f'{paper.title}\nin brackets: as reported by the paper\n\n'
              f'{table(paper, runs[experiment])}\n')


def load_runs(folder):
    """Return every ``result.json``, by experiment and folder of the run."""
    if not os.path.isdir(folder):
        raise cli.UserError(f'there is no folder {folder}; --results takes '
                            'one with results')
    runs = {experiment: {} for experiment in TABLES}
    for name in _find('**/result.json', folder):
        path = os.path.join(folder, name)
        result = read_json(path)
        if not isinstance(result, dict) or not _ENTRIES <= result.keys():
            raise cli.UserError(
                f'{path} does not hold the result of an experiment, or is of '
                f'another version of this program; move it out of {folder}')
        runs[result['experiment']][os.path.dirname(name) or '.'] = result
    return runs


_ENTRIES = {'experiment', 'config', 'settings', 'data', 'seed', 'epochs',
            'best_epoch', 'curve'}


def _find(pattern, folder):
    return sorted(glob.glob(pattern, root_dir=folder, recursive=True))


def document(runs, folder, start):
    """Return all that is known of the runs and of Figure 4, in Markdown.

    Pictures in the results' folder are linked from the folder ``start``.
    """
    def pictures(pattern):
        link = os.path.relpath(folder, start)
        return [f'![{name}]({os.path.join(link, name)})'
                for name in _find(pattern, folder)]

    parts = [_HEAD]
    for experiment, paper in TABLES.items():
        ours = runs[experiment]
        parts += [f'## {paper.title}', table(paper, ours), paper.notes,
                  *equal_terms(paper, ours)]
        for name, result in ours.items():
            parts += [f'### `{name}`', about(result, paper),
                      *pictures(f'{glob.escape(name)}/*.png')]
    parts.append('## Figure 4: speed')
    for benchmark in 'layer', 'ptb-step':
        for name in _find(f'benchmarks/**/{benchmark}.json', folder):
            result = read_json(os.path.join(folder, name))
            parts += [f'### `{name}`', _environment(result),
                      f'```\n{result["summary"]}\n```',
                      *pictures(glob.escape(name[:-5]) + '.png')]
    return '\n\n'.join(parts) + '\n'


def table(paper, runs):
    """Return a table of the paper's rows and ours, in Markdown.

    It has a line for every run on the paper's data, one with the mean of those
    that differ in nothing but the seed, and one for what has not been run.
    """
    ours = {name: result for name, result in runs.items()
            if paper.has_data(result)}
    rows = [['run', 'configuration', 'seed', *paper.columns, 'epochs', 'best',
             'minutes', 'device']]
    for config in dict.fromkeys(
            [*paper.rows, *(result['config'] for result in ours.values())]):
        groups = {}
        for name, result in ours.items():
            if result['config'] == config:
                groups.setdefault(_but_the_seed(result), {})[name] = result
        if not groups:
            rows.append(_row('not run', config, [], paper))
        for group in groups.values():
            rows += [_row(name, config, [result], paper)
                     for name, result in group.items()]
            if len(group) > 1:
                rows.append(_row(f'mean of {len(group)}', config,
                                 list(group.values()), paper))
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, ['-' * width for width in widths])
    return '\n'.join(
        f'| {" | ".join(map(str.ljust, row, widths))} |' for row in rows)


def _but_the_seed(result):
    """Return what runs have in common that differ in the seed alone."""
    return json.dumps(
        [result['settings'], result['epochs'], result.get('dtype'),
         dict(result['data'], source=None), result.get('glove')],
        sort_keys=True)


def _row(name, config, results, paper):
    """Return the row of one run, of the mean of several, or of none."""
    scores = []
    reported = paper.rows.get(config, [None] * len(paper.columns))
    for entry, number in zip(paper.columns.values(), reported):
        values = [_validation(result, paper) if entry == 'validation'
                  else result.get(entry) for result in results]
        mean = numpy.mean(values) if values and None not in values else None
        scores.append(_number(mean) + (f' ({number:,})' if number else ''))
    if len(results) != 1:
        return [name, config, '', *scores, '', '', '', '']
    result, = results
    reached, wanted = result['epochs'], result['settings']['n_epochs']
    return [name, config, str(result['seed']), *scores,
            str(reached) + f' of {wanted}' * (reached < wanted),
            str(result['best_epoch']),
            f'{result["curve"][-1]["elapsed_time"] / 60:,.0f}',
            _device(_starts(result)[-1])]


def _validation(result, paper, entry='epoch', limit=float('inf')):
    """Return the best validation score up to a limit of an entry, or None."""
    score, factor, choose = paper.validation
    return choose((factor * each[score] for each in result['curve']
                   if each[entry] <= limit), default=None)


def _number(value):
    return '-' if value is None else f'{value:,.2f}'


def equal_terms(paper, runs):
    """Return a sentence on every QRNN and LSTM of the same seed.

    Their best scores are compared at equal epochs, and, where they were
    trained on the same device, at equal minutes of training.
    """
    ours = [(name, result) for name, result in runs.items()
            if paper.has_data(result) and result['config'] in paper.rows]
    sentences = []
    for (qrnn, a), (lstm, b) in itertools.product(ours, repeat=2):
        if (a['config'] == 'lstm' or b['config'] != 'lstm'
                or a['seed'] != b['seed']):
            continue
        units = [('epoch', 'epoch', 1)]
        if _device(_starts(a)[-1]) == _device(_starts(b)[-1]):
            units.append(('elapsed_time', 'minute', 60))
        terms = []
        for entry, unit, seconds in units:
            limit = min(a['curve'][-1][entry], b['curve'][-1][entry])
            terms.append(
                f'{_number(_validation(a, paper, entry, limit))} and '
                f'{_number(_validation(b, paper, entry, limit))} by {unit} '
                f'{limit / seconds:.0f}')
        sentences.append(
            f'Best {list(paper.columns)[0]} of `{qrnn}` and `{lstm}` '
            f'on equal terms: {"; ".join(terms)}. They train with dropout '
            f'{a["settings"]["dropout"]} and {b["settings"]["dropout"]}.')
    return sentences


def about(result, paper):
    """Return what a run's numbers depend on, and how it differs."""
    lines = _environments(_starts(result))
    for entry, text in (
            ('parameters', '- {parameters:,} parameters'),
            ('bag_of_words_test_accuracy', '- a bag of words gets '
             '{bag_of_words_test_accuracy:.2f} % of the same test reviews '
             'right, this model {test_accuracy:.2f} %'),
            ('bag_of_bigrams_test_accuracy', '- with bigrams it gets '
             '{bag_of_bigrams_test_accuracy:.2f} %'),
            ('test_sacrebleu_signature',
             '- sacreBLEU: `{test_sacrebleu_signature}`'),
            ('test_bleu_definition', '- BLEU: {test_bleu_definition}')):
        if entry in result:
            lines.append(text.format_map(result))
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
    lines.append('- not given by the paper: ' + '; '.join(not_given))
    return '\n'.join(lines)


def _starts(result):
    # Once only the last start was recorded.
    return result.get('starts') or [result]


def _environments(starts):
    """Return a line for all starts in the same environment, with minutes."""
    minutes = {}
    for start in starts:
        minutes.setdefault(_environment(start), []).append(
            start.get('minutes', 0))
    return [line + f': {sum(each):,.0f} minutes' * any(each)
            + f' in {len(each)} starts' * (len(each) > 1)
            for line, each in minutes.items()]


def _environment(start):
    """Return command, revision, versions and hardware in a line."""
    parts = [f'- `{start["command"]}`']
    if start['git']:
        parts.append(f'revision {start["git"]["revision"][:12]}'
                     + ' with changes' * start['git']['dirty'])
    parts += [f'{name} {version}'
              for name, version in start['versions'].items()]
    return ', '.join(parts + [_device(start)])


def _device(start):
    hardware = start['hardware']
    if 'gpu' in hardware:
        return hardware['gpu']
    blas = start.get('blas') or [{}]
    n = blas[0].get('num_threads', hardware['cores'])
    return f'{hardware["cpu"]}, {n} core' + 's' * (n != 1)


def compare(result, paper):
    """Return what differs from the paper's settings, and what has none."""
    ours = _settings(result)
    differs, not_given = [], []
    for name, value in paper.settings[result['config']].items():
        if name.startswith('beam') and not result.get('finished', True):
            continue  # it has not translated yet
        mine = ours.get(name, 'not recorded')
        if value is None:
            if isinstance(mine, float):
                mine = float(f'{mine:.4g}')
            not_given.append(f'{name} (here {mine})')
        elif mine != value:
            differs.append(f'{name} {mine} (paper: {value})')
    return differs, not_given


def _settings(result):
    """Return a run's settings, by the names that the paper's have."""
    settings = dict(result['settings'], n_epochs=result['epochs'],
                    dtype=result.get('dtype', 'float32'))
    if result['experiment'] == 'ptb':
        settings['L2 acts on'] = 'all parameters'
    if result['experiment'] == 'imdb':
        glove = result.get('glove')
        settings['word vectors'] = (
            f'of {glove["vectors"]:,} words, {100 * glove["coverage"]:.1f} % '
            f'of the running words, {glove["size"]} dimensions'
            if glove else 'none')
    if result['experiment'] == 'iwslt':
        settings['training pairs'] = result['data']['pairs']['train']
        settings['characters'] = result['data']['characters']
        for name, value in result.get('test_search', {}).items():
            settings[f'beam {name}'] = value
    return settings


if __name__ == '__main__':
    cli.run(main)
