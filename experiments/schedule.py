"""What there is to run for the paper's tables and figures."""
import dataclasses
import glob
import importlib
import json
import os
import typing

from experiments.common.errors import Problem
from experiments.common.files import read_json
from experiments.paper import TABLES


#: What can be asked for.
NAMES = 'table1', 'table2', 'table3', 'figure3', 'figure4'

#: Epochs after which a translator has long been at its best on as few pairs as
#: there may be; the paper's ten see more of them.
_CONVERGED = 40


@dataclasses.dataclass(frozen=True)
class Setting(object):

    """What all rows have in common.

    Attributes:
        out (str): Folder of all results.
        device (str): Device, as ``--device`` takes it.
        sources (dict): What ``--data`` takes, for ``'ptb'``, ``'imdb'`` and
            ``'iwslt'``, and a file with word vectors for ``'glove'``; None
            where it is not known.
        extra (list of str): What ``--extra`` takes.
        test (bool): Whether only to see that everything works.

    """

    out: str
    device: str
    sources: dict
    extra: typing.Sequence[str] = ()
    test: bool = False


@dataclasses.dataclass(frozen=True)
class Progress(object):

    """How far a row is.

    Attributes:
        state (str): ``'finished'``, ``'begun'``, ``'not begun'``, or
            ``'taken'`` if something else is in its place.
        text (str): The same with details.
        mark: What changes when it gets on.
        seconds_left (float): What it will probably still take, or ``None``.

    """

    state: str
    text: str
    mark: object = None
    seconds_left: float = None


def rows(setting, names, n_seeds=1):
    """What is to be run, in order of value.

    Args:
        setting (Setting): What all have in common.
        names (sequence of str): Some of :data:`NAMES`.
        n_seeds (int): How many seeds to train with.

    """
    return [row for seed in range(n_seeds)
            for row in _in_order(setting, seed) if set(row.names) & set(names)]


def check(rows, download=True):
    """Raises a :class:`Problem` if data are not there that a row needs.

    See :meth:`Training.check`.
    """
    needed = {}
    for row in rows:
        if (isinstance(row, Training)
                and row.progress().state in ('begun', 'not begun')):
            needed.setdefault(row.experiment, row)
    problems = []
    for row in needed.values():
        try:
            row.check(download)
        except Problem as problem:
            problems.append('{}: {}'.format(row.experiment, problem))
    if problems:
        raise Problem('; '.join(problems))


def _in_order(setting, seed):
    """All rows of a seed.

    Those that answer most come first. QRNNs with zoneout have the number that
    the paper is known for; sentiment takes minutes, and Figure 3 needs it;
    Figure 4 does, too, and is the paper's claim about speed. Then what these
    are compared with. Translation is last: it takes longest by far, and with
    fewer training pairs than the paper's says least.
    """
    def training(name, *arguments, **options):
        return Training(setting, seed, (name,), *arguments, **options)

    sentiment = Training(setting, seed, ('table1', 'figure3'), 'imdb', 'qrnn')
    translation = [training('table3', 'iwslt', config)
                   for config in ('qrnn', 'lstm')]
    once = [] if seed else [
        States(setting, sentiment), Benchmark(setting, 'layer'),
        Benchmark(setting, 'ptb-step')]
    return [
        training('table2', 'ptb', 'qrnn-zoneout'), sentiment, *once,
        training('table2', 'ptb', 'qrnn'),
        training('table1', 'imdb', 'qrnn-k4'),
        training('table2', 'ptb', 'lstm'),
        training('table1', 'imdb', 'lstm'),
        *translation,
        *(training('table3', 'iwslt', first.config, longer_than=first)
          for first in translation)]


class Training(object):

    """A row that is trained.

    Args:
        setting (Setting): What all rows have in common.
        seed (int): The seed.
        names (tuple of str): What it belongs to, of :data:`NAMES`.
        experiment (str): The experiment's folder.
        config (str): Its configuration.
        longer_than (Training): Row that this one goes on from, to train until
            nothing gets better, or ``None``.

    """

    waits_for = None

    def __init__(self, setting, seed, names, experiment, config,
                 longer_than=None):
        self.names = names
        self.experiment = experiment
        self.config = config
        self._setting = setting
        self._seed = seed
        self._longer_than = longer_than
        model = importlib.import_module(
            'experiments.{}.model'.format(experiment))
        self._settings = dataclasses.asdict(
            model.TINY if setting.test else model.CONFIGS[config])
        self._defaults = dataclasses.asdict(model.Config())
        self.n_epochs = self._settings['n_epochs']
        suffix = ''
        if longer_than is not None:
            self.n_epochs = max(_CONVERGED, self.n_epochs)
            if setting.test:
                self.n_epochs = longer_than.n_epochs + 1
            suffix += '-converged'
        if seed:
            suffix += '-seed{}'.format(seed)
        self.name = '{} {}{}'.format(names[0], config, suffix)
        self.folder = os.path.join(setting.out, experiment, config + suffix)
        self.log = os.path.join(self.folder, 'train.log')

    def command(self):
        """Arguments of Python that begin it or go on with it."""
        return [
            '-m', 'experiments.{}.train'.format(self.experiment),
            '--config', self.config, *self._data(), '--out', self.folder,
            '--epoch', str(self.n_epochs), '--seed', str(self._seed),
            '--device', self._setting.device, '--resume', *self._snapshot()]

    def progress(self):
        try:
            return self._progress()
        except Problem as problem:
            return Progress('taken', str(problem))
        except (AttributeError, IndexError, KeyError, TypeError):
            return Progress('taken', 'what is in {} is damaged, or of another '
                            'version of this program'.format(self.folder))

    def _progress(self):
        result = _json(self.folder, 'result.json')
        curve = _json(self.folder, 'log')
        if result is not None and not self._is_ours(result):
            return Progress('taken', '{} holds another run, with other '
                            'settings or data'.format(self.folder))
        if (result is not None and result.get('finished', True)
                and result['epochs'] >= self.n_epochs):
            return Progress('finished', 'finished, {} epochs'.format(
                result['epochs']))
        reached = curve[-1]['epoch'] if curve else 0
        snapshots = glob.glob(os.path.join(self.folder, 'snapshot_iter_*'))
        if not snapshots:
            return Progress('not begun', 'not begun' + (
                ', and no snapshot of the {} epochs there'.format(reached)
                if reached else ''))
        seconds = None
        if curve:
            seconds = (curve[-1]['elapsed_time'] / reached
                       * (self.n_epochs - reached))
        return Progress(
            'begun', 'begun, {} of {} epochs'.format(
                reached, self.n_epochs),
            # A training that scores the last epoch's model writes nothing.
            sorted(snapshots), seconds)

    def check(self, download=True):
        """Raises a :class:`Problem` if its data are not there.

        Args:
            download (bool): Whether to fetch what is to be downloaded.

        """
        if self._setting.test:
            return
        source = self._setting.sources[self.experiment]
        if source is None:
            raise Problem('it needs --data {}=FOLDER'.format(
                self.experiment))
        if self.experiment == 'imdb':
            vectors = self._setting.sources['glove']
            if vectors is None:
                raise Problem('it needs word vectors, --data glove=FILE')
            if not os.path.isfile(vectors):
                raise Problem('there is no file {} with word vectors'.format(
                    vectors))
        if download or source != 'download':
            _CHECKS[self.experiment](source, self._setting, self._settings)

    def _data(self):
        if self._setting.test:
            return ['--test']
        sources = self._setting.sources
        arguments = ['--data', sources[self.experiment] or 'FOLDER']
        if self.experiment == 'imdb':
            arguments += ['--glove', sources['glove'] or 'FILE']
        if self.experiment == 'iwslt' and self._setting.extra:
            arguments += ['--extra', *self._setting.extra]
        return arguments

    def _snapshot(self):
        """The one that a longer run begins with."""
        first = self._longer_than
        if (first is None or os.path.exists(
                os.path.join(self.folder, 'model.json'))
                or first.progress().state != 'finished'):
            return []
        return sorted(glob.glob(os.path.join(
            first.folder, 'snapshot_iter_*')), key=os.path.getmtime)[-1:]

    def _is_ours(self, result):
        """Whether a result is of this row, as far as can be said from here.
        """
        settings = dict(self._settings)
        if result.get('glove'):
            settings['embed_size'] = result['glove']['size']
        ours = self.experiment, self.config, self._seed, settings
        found = (result['experiment'], result['config'], result['seed'],
                 # It may be older than a setting.
                 dict(self._defaults, **result['settings']))
        if json.dumps(found, sort_keys=True) != json.dumps(
                ours, sort_keys=True):
            return False
        data = result.get('data', {})
        return (self._setting.test
                or data.get('source') == self._setting.sources[self.experiment]
                or TABLES[self.experiment].has_data(result))


class States(object):

    """Figure 3, of the model of a row.

    Args:
        setting (Setting): What all rows have in common.
        training (Training): The row.

    """

    names = 'figure3',
    name = 'figure3'
    log = None
    PHRASE = 'not exactly a bad story'  # of the paper's review

    def __init__(self, setting, training):
        self._setting = setting
        self.waits_for = training
        self._out = os.path.join(training.folder, 'states')

    def command(self):
        return ['-m', 'experiments.imdb.visualize', '--model',
                self.waits_for.folder, '--out', self._out, '--find',
                'film' if self._setting.test else self.PHRASE,
                '--device', self._setting.device]

    def progress(self):
        picture = self._out + '.png'
        model = os.path.join(self.waits_for.folder, 'model.npz')
        if not os.path.exists(picture):
            return Progress('not begun', 'not begun')
        if (os.path.exists(model)
                and os.path.getmtime(picture) < os.path.getmtime(model)):
            return Progress('not begun', 'not begun since the last training')
        return Progress('finished', 'finished')


class Benchmark(object):

    """A half of Figure 4.

    Args:
        setting (Setting): What all rows have in common.
        benchmark (str): Name of the benchmark.

    """

    names = 'figure4',
    log = None
    waits_for = None

    def __init__(self, setting, benchmark):
        self.name = 'figure4 ' + benchmark
        self._setting = setting
        self._benchmark = benchmark
        kind = 'cpu' if setting.device in ('-1', '@numpy') else 'gpu'
        self._folder = os.path.join(setting.out, 'benchmarks', kind)

    def command(self):
        return ['-m', 'benchmarks.run', self._benchmark, '--out',
                self._folder, '--device', self._setting.device
                ] + ['--repeats', '1'] * self._setting.test

    def progress(self):
        path = os.path.join(self._folder, self._benchmark + '.json')
        if os.path.exists(path):
            return Progress('finished', 'finished')
        return Progress('not begun', 'not begun')


def _json(folder, name):
    path = os.path.join(folder, name)
    return read_json(path) if os.path.exists(path) else None


def _check_ptb(source, setting, settings):
    from experiments.ptb import data
    data.load(source)


def _check_imdb(source, setting, settings):
    from experiments.imdb import reviews
    if source != 'sample':
        # To read all of them takes minutes.
        reviews.files(source)


def _check_iwslt(source, setting, settings):
    from experiments.iwslt import data
    data.load(source, settings['max_length'], setting.extra)


_CHECKS = {'ptb': _check_ptb, 'imdb': _check_imdb, 'iwslt': _check_iwslt}
