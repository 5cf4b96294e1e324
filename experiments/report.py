"""Compare results with the paper: ``python -m experiments.report --help``."""
import glob
import itertools
import os
import pathlib

from experiments.common import cli
from experiments.common.text import read_json
from experiments.paper import TABLES


def main(argv=None):
    """Print a table for each experiment, or write the whole report."""
    parser = cli.Parser('report')
    parser.add_argument(
        '--results', metavar='FOLDER', default='results',
        help='folder that contains results, at any depth (default: results)')
    parser.add_argument(
        '--write', metavar='FILE', nargs='?', const='REPRODUCTION.md',
        help='write the details of each run and the figures as Markdown '
             '(default: REPRODUCTION.md)')
    args = parser.parse_args(argv)
    runs = load_runs(args.results)
    if args.write:
        text = document(runs, args.results, os.path.dirname(args.write) or '.')
        with open(args.write, 'w', encoding='utf-8',
                  errors='backslashreplace') as f:
            f.write(text)
        print(f'Written to {args.write}')
        return
    for experiment, paper in TABLES.items():
        print(f'{paper.title}\nin brackets: as reported by the paper\n\n'
              f'{table(paper, runs[experiment])}\n')


def load_runs(folder):
    """Return the contents of every ``result.json`` below a folder.

    The result maps experiments to dicts, which map folders to contents.
    """
    if not os.path.isdir(folder):
        raise cli.UserError(f'there is no folder {folder}; choose another one '
                            'with --results')
    runs = {experiment: {} for experiment in TABLES}
    for name in _find('**/result.json', folder):
        path = os.path.join(folder, name)
        result = read_json(path)
        if not isinstance(result, dict) or not _ENTRIES <= result.keys():
            raise cli.UserError(
                f'{path} is not the result of an experiment, or is from '
                f'another version of this program; move it out of {folder}')
        runs[result['experiment']][os.path.dirname(name) or '.'] = result
    return runs


_ENTRIES = {'experiment', 'config', 'settings', 'data', 'seed', 'epochs',
            'best_epoch', 'parameters', 'curve'}


def _find(pattern, folder):
    return sorted(glob.glob(pattern, root_dir=folder, recursive=True))


def document(runs, folder, start):
    """Return a Markdown report on all runs and on Figure 4.

    The report includes the ``README.md`` of ``folder``, of each experiment and
    of each run. Links to pictures are relative to the folder ``start``.
    """
    link = os.path.relpath(folder, start)

    def pictures(pattern):
        return [f'![{name}]({os.path.join(link, name)})'
                for name in _find(pattern, folder)]

    def texts(pattern):
        return [pathlib.Path(folder, name).read_text('utf-8').strip()
                for name in _find(pattern, folder)]

    parts = ['# Reproduction', *texts('README.md')]
    for experiment, paper in TABLES.items():
        ours = runs[experiment]
        parts += [f'## {paper.title}', table(paper, ours),
                  *texts(f'{experiment}/README.md'),
                  equal_epochs(paper, ours)]
        for name, result in ours.items():
            path = glob.escape(name)
            parts += [f'### `{name}`', about(result, paper),
                      *pictures(f'{path}/*.png'), outcome(result, paper),
                      *texts(f'{path}/README.md')]
    parts.append('## Figure 4: speed')
    for benchmark in 'layer', 'ptb-step':
        for name in _find(f'benchmarks/**/{benchmark}.json', folder):
            result = read_json(os.path.join(folder, name))
            path = glob.escape(name.removesuffix('.json'))
            parts += [f'### `{name}`', _environment(result),
                      f'```\n{result["summary"]}\n```',
                      *pictures(path + '.png'), *texts(path + '.md')]
    return '\n\n'.join(filter(None, parts)) + '\n'


def table(paper, runs):
    """Return a Markdown table of our results and the paper's.

    The table has a row for each training run that :func:`_comparable` returns.
    A row of the paper that no such run reproduces is included as "not run".
    """
    ours = _comparable(paper, runs)
    rows = [['run', 'configuration', 'seed', *paper.columns, 'epochs', 'best',
             'minutes', 'device']]
    for config in dict.fromkeys(
            [*paper.rows, *(result['config'] for result in ours.values())]):
        rows += [
            [name, config, str(result['seed']), *_scores(result, paper),
             _epochs(result), str(result['best_epoch']),
             f'{result["curve"][-1]["elapsed_time"] / 60:,.0f}',
             _device(_starts(result)[-1])]
            for name, result in ours.items() if result['config'] == config
        ] or [['not run', config, '', *_scores({'config': config}, paper),
               '', '', '', '']]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, ['-' * width for width in widths])
    return '\n'.join(
        f'| {" | ".join(map(str.ljust, row, widths))} |' for row in rows)


def _comparable(paper, runs):
    """Return runs that use the paper's data and were scored at most once."""
    return {name: result for name, result in runs.items()
            if paper.has_data(result) and len(result.get('scored', [])) < 2}


def _scores(result, paper):
    """Return a run's scores as text, with the paper's scores in brackets."""
    reported = paper.rows.get(result['config'], itertools.repeat(None))
    values = {**result, 'validation': _validation(result, paper)}
    return [_number(values.get(entry)) + (f' ({number:,})' if number else '')
            for entry, number in zip(paper.columns.values(), reported)]


def _validation(result, paper, last_epoch=None):
    """Return the best validation score up to an epoch, or None."""
    score, factor, choose = paper.validation
    return choose((factor * entry[score] for entry in
                   result.get('curve', [])[:last_epoch]), default=None)


def _number(value):
    return '-' if value is None else f'{value:,.2f}'


def _epochs(result):
    """Return a run's number of epochs as text, for example ``'3 of 5'``."""
    reached, planned = result['epochs'], result['settings']['n_epochs']
    return f'{reached} of {planned}' if reached < planned else str(reached)


def equal_epochs(paper, runs):
    """Return Markdown that compares each QRNN run with each LSTM run.

    Both scores of a comparison are the best within the same number of epochs.
    """
    lines = []
    for (qrnn, a), (lstm, b) in itertools.product(
            _comparable(paper, runs).items(), repeat=2):
        if a['config'] in paper.rows and a['config'] != b['config'] == 'lstm':
            epoch = min(a['epochs'], b['epochs'])
            scores = [_number(_validation(result, paper, epoch))
                      for result in (a, b)]
            lines.append(f'- by epoch {epoch}: {scores[0]} (`{qrnn}`), '
                         f'{scores[1]} (`{lstm}`)')
    heading = f'Best {next(iter(paper.columns))} by equal epochs:'
    return '\n'.join([heading, '', *lines] if lines else [])


def about(result, paper):
    """Return the environment and settings of a run as a Markdown list."""
    lines = _environments(_starts(result))
    lines.append(f'- {result["parameters"]:,} parameters')
    if not paper.has_data(result):
        lines.append(f'- uses data other than {paper.data}; not included in '
                     'the table')
    if result['config'] not in paper.rows:
        return '\n'.join(lines + ['- the paper does not include this model'])
    differs, not_given = compare(result, paper)
    lines.append('- differs from the paper: ' + (
        '; '.join(differs) or 'in none of the settings that it gives'))
    lines.append('- not given by the paper: ' + '; '.join(not_given))
    return '\n'.join(lines)


def outcome(result, paper):
    """Return a run's scores and their limitations as a Markdown list."""
    if not paper.has_data(result):
        result = dict(result, config=None)  # omit the paper's scores
    *scores, _ = map(' '.join, zip(paper.columns, _scores(result, paper)))
    lines = [f'- after epoch {result["best_epoch"]}: {", ".join(scores)}']
    if not result.get('finished', True):
        lines.append(f'- not finished: {_epochs(result)} epochs, not scored '
                     'on the test part')
    elif result['epochs'] < result['settings']['n_epochs'] and (
            not result.get('patience')):
        lines.append(f'- ended by hand after {_epochs(result)} epochs')
    scored = [str(entry['epochs']) for entry in result.get('scored', [])]
    if len(scored) > 1:
        lines.append(f'- the test part was scored {len(scored)} times, after '
                     f'epochs {", ".join(scored)}')
    for entry, text in (
            ('bag_of_words_test_accuracy', 'test accuracy of a bag of words: '
             '{:.2f}'),
            ('bag_of_bigrams_test_accuracy', 'with bigrams: {:.2f}'),
            ('test_sacrebleu_signature', 'sacreBLEU: `{}`'),
            ('test_bleu_definition', 'BLEU: {}')):
        if entry in result:
            lines.append('- ' + text.format(result[entry]))
    return '\n'.join(lines)


def _starts(result):
    # Older results record only the last start.
    return result.get('starts') or [result]


def _environments(starts):
    """Return a line for each environment in which a run was started.

    The line includes the number of starts and their total time in minutes.
    """
    lines = []
    for line, group in itertools.groupby(starts, _environment):
        minutes = [start.get('minutes', 0) for start in group]
        lines.append(f'{line}; starts: {len(minutes)}, minutes: '
                     f'{sum(minutes):,.0f}' if any(minutes) else line)
    return lines


def _environment(start):
    """Return command, revision, versions and hardware as one line."""
    parts = [f'- `{start["command"]}`']
    if start['git']:
        changes = ' with changes' if start['git']['dirty'] else ''
        parts.append(f'revision {start["git"]["revision"][:12]}{changes}')
    parts += [f'{name} {version}'
              for name, version in start['versions'].items()]
    return ', '.join(parts + [_device(start)])


def _device(start):
    hardware = start['hardware']
    if 'gpu' in hardware:
        return hardware['gpu']
    blas = start.get('blas') or [{}]
    n = blas[0].get('num_threads', hardware['cores'])
    return f'{hardware["cpu"]}, {n} core{"" if n == 1 else "s"}'


def compare(result, paper):
    """Return two lists: differing settings, and settings the paper omits."""
    settings = _settings(result)
    differs, not_given = [], []
    for name, reported in paper.settings[result['config']].items():
        if name.startswith('beam') and not result.get('finished', True):
            continue  # the run has not been scored yet
        value = settings.get(name, 'not recorded')
        if reported is None:
            if isinstance(value, float):
                value = float(f'{value:.4g}')
            not_given.append(f'{name} (here {value})')
        elif value != reported:
            differs.append(f'{name} {value} (paper: {reported})')
    return differs, not_given


def _settings(result):
    """Return a run's settings, named as in ``Table.settings``."""
    settings = dict(result['settings'], n_epochs=result['epochs'],
                    dtype=result.get('dtype', 'float32'))
    if result['experiment'] == 'ptb':
        settings['parameters'] = f'{result["parameters"] / 1e6:.0f}M'
        settings['L2 acts on'] = 'all parameters'
    if result['experiment'] == 'imdb':
        glove = result.get('glove')
        settings['word vectors'] = (
            f'of {glove["vectors"]:,} words, {100 * glove["coverage"]:.1f} % '
            f'of the running words, {glove["size"]} dimensions'
            if glove else 'none')
    if result['experiment'] == 'iwslt':
        settings['training pairs'] = result['data']['pairs']['train']
        # Do not count the character that marks the end of a sentence.
        settings['characters'] = result['data']['characters'] - 1
        for name, value in result.get('test_search', {}).items():
            settings[f'beam {name}'] = value
    return settings


if __name__ == '__main__':
    cli.run(main)
