"""The paper's numbers beside ours: ``python -m experiments.report --help``."""
import contextlib
import glob
import os

from experiments.common import arguments
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.common.files import read_json
from experiments.common.files import replacing
from experiments.runs import device
from experiments.runs import epochs
from experiments.runs import find_runs
from experiments.runs import has_data
from experiments.runs import papers
from experiments.runs import table


def main(argv=None):
    """Prints a table for each experiment, or writes the whole document."""
    args = parse(argv)
    if args.write:
        problems = write(args.results, args.write)
        print('Written to {}'.format(args.write))
    else:
        runs, problems = find_runs(args.results)
        if not runs and not problems:
            print('There are no results in {} yet.'.format(args.results))
        for paper, ours in _by_paper(runs):
            if ours:
                print('\n{}\n(paper: as reported by the paper)\n\n{}'.format(
                    paper.TITLE, table(paper, ours)))
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
    """Writes the document that sets all results beside the paper's.

    Args:
        results (str): Folder with the results.
        path (str): Name of the file.

    Returns:
        list of str: What is wrong with some of them.

    """
    runs, problems = find_runs(results)
    document = _Document(results, path)
    document.add(_HEAD.format(results=results))
    for paper, ours in _by_paper(runs):
        document.add('## ' + paper.TITLE, table(paper, ours))
        for name, result in ours.items():
            with _noted(problems, name):
                document.add(_about(name, result, paper))
            for curve in 'perplexity.png', 'accuracy.png':
                document.add_picture(
                    'Curve of {}'.format(name), name, curve)
    _add_states(document)
    _add_speed(document, problems)
    document.write()
    return problems


@contextlib.contextmanager
def _noted(problems, name):
    """Goes on without what is damaged, and adds it to the problems."""
    try:
        yield
    except Problem as problem:
        problems.append(str(problem))
    except (KeyError, TypeError):
        problems.append('{} is damaged, or of another version of this '
                        'program'.format(name))


_HEAD = """# Reproduction

The paper's numbers, as reported by the paper, beside those of the runs in
`{results}`. This file is generated: `python -m experiments.report --write`
writes it anew from what is there, `python -m experiments.reproduce` runs what
is missing and writes it, too.

Where the epochs are fewer than wanted (`6 of 72`), the run is not finished,
and its numbers do not answer yet whether the paper's are reached. `best` is
the epoch whose model was scored, chosen on the validation part; `minutes` are
those of training in all."""


class _Document(object):

    """Paragraphs of Markdown, and pictures by their path from the file."""

    def __init__(self, results, path):
        self.results = results
        self._path = path
        self._paragraphs = []

    def add(self, *paragraphs):
        self._paragraphs += paragraphs

    def add_picture(self, text, *names):
        """Adds a picture below the results, if it is there."""
        path = os.path.join(self.results, *names)
        if os.path.exists(path):
            start = os.path.dirname(os.path.abspath(self._path))
            self.add('![{}]({})'.format(text, os.path.relpath(path, start)))

    def write(self):
        os.makedirs(os.path.dirname(self._path) or '.', exist_ok=True)
        with replacing(self._path) as f:
            f.write(('\n\n'.join(self._paragraphs) + '\n').encode('utf-8'))


def _by_paper(runs):
    """Each experiment's module ``paper`` with its own runs."""
    for name, paper in papers().items():
        yield paper, {folder: result for folder, result in runs.items()
                      if result['experiment'] == name}


def _about(name, result, paper):
    """All that a run's numbers depend on, and how it differs, as a list."""
    lines = ['### `{}`'.format(name), '']
    if 'command' in result:
        lines.append('- `{}`'.format(result['command']))
    lines.append('- ' + ', '.join(filter(None, [
        'seed {}'.format(result.get('seed')), _source(result.get('git')),
        _versions(result.get('versions')),
        device(result) if 'hardware' in result else ''])))
    differences = []
    if 'of' in epochs(result):
        differences.append('{} epochs'.format(epochs(result)))
    if result.get('config') not in paper.REPORTED:
        differences.append('it has no such model')
    if not has_data(result, paper):
        differences.append('other data than {}'.format(paper.DATA))
    differences += paper.differences(result)
    lines.append('- differs from the paper: ' + (
        '; '.join(differences) or 'in nothing that is known'))
    return '\n'.join(lines)


def _source(git):
    if not git:
        return ''
    return 'revision {}{}'.format(
        git['revision'][:12], ' with changes' if git['dirty'] else '')


def _versions(versions):
    names = {'python': 'Python', 'numpy': 'NumPy', 'chainer': 'Chainer',
             'cupy': 'CuPy'}
    return ', '.join('{} {}'.format(names[name], version)
                     for name, version in (versions or {}).items()
                     if name in names)


def _add_states(document):
    document.add('## Figure 3: states of the last layer over a review')
    pictures = [os.path.relpath(path, document.results) for path in sorted(
        glob.glob(os.path.join(document.results, '**', _STATES),
                  recursive=True))]
    if not pictures:
        document.add('Not drawn yet.')
    for path in pictures:
        document.add('`{}`'.format(os.path.dirname(path)))
        document.add_picture('States over a review', path)


_STATES = 'states*.png'


def _add_speed(document, problems):
    document.add('## Figure 4: speed')
    paths = [path for name in _FIGURE_4 for path in sorted(glob.glob(
        os.path.join(document.results, 'benchmarks', '*', name + '.json')))]
    if not paths:
        document.add('Not measured yet.')
    for path in paths:
        with _noted(problems, path):
            _add_benchmark(document, path)


_FIGURE_4 = 'layer', 'ptb-step'


def _add_benchmark(document, path):
    result = read_json(path)
    name, _ = os.path.splitext(os.path.relpath(path, document.results))
    document.add(
        '### `{}`'.format(name),
        '- `{}`\n- {}'.format(result['command'], ', '.join([
            _source(result['git']), _versions(result['versions']),
            device(result)])),
        '```\n{}\n```'.format(result['summary']))
    document.add_picture(result['title'], name + '.png')


if __name__ == '__main__':
    errors.run(main)
