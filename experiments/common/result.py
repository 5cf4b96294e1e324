"""Scores, settings and environment of a run: ``result.json``."""
import contextlib
import json
import os
import platform
import shlex
import subprocess
import sys

import chainer
from chainer import training
from chainer.backends import cuda
import numpy
import threadpoolctl

from experiments.common.checkpoint import write_json
from experiments.common.cli import explained
from experiments.common.cli import UserError
import qrnn


#: Entries of ``result.json`` that are scores on the test part
SCORES = 'test_perplexity', 'test_accuracy', 'test_bleu', 'test_sacrebleu'


class WriteResult(training.Extension):
    """Trainer extension that writes ``result.json`` after every epoch.

    Args:
        facts (dict): Everything that the run depends on, as JSON values.
        best (BestModel): Extension with the epoch of the best model.
        device (chainer.backend.Device): Device of the model.
        n_processes (int): Number of processes that train together.

    """

    trigger = 1, 'epoch'
    priority = training.PRIORITY_READER - 1  # runs after LogReport

    def __init__(self, facts, best, device, n_processes=1):
        self._facts = facts
        self._best = best
        self._starts = [  # one entry per start; the current one is last
            {**environment(device), 'processes': n_processes}]

    def initialize(self, trainer):
        self._trainer = trainer
        self._starts[-1]['began'] = trainer.elapsed_time

    def __call__(self, trainer):
        self._write({}, finished=False)

    def finish(self, outcome):
        """Write the result of a finished run, including its scores."""
        with explained('cannot write the result: {}; to score the model '
                       'again, add --resume to the command', OSError):
            self._write(outcome, finished=True)
        print(f'Results are in {self._trainer.out}')

    def _write(self, outcome, finished):
        """Write ``result.json``.

        The entry ``scored`` is a list of dicts of scores on the test part. It
        has several items if a finished run was continued for more epochs.
        """
        from experiments.common.text import read_json
        updater = self._trainer.updater
        model = updater.get_optimizer('main').target
        log = self._trainer.get_extension('LogReport').log
        path = os.path.join(self._trainer.out, 'result.json')
        result = {**self._facts, 'finished': finished,
                  'parameters': model.count_params(), 'epochs': updater.epoch,
                  'best_epoch': self._best.epoch, **outcome, 'scored': []}
        with contextlib.suppress(OSError, UserError, LookupError, TypeError):
            result['scored'] = [entry for entry in read_json(path)['scored']
                                if entry['epochs'] != result['epochs']]
        scores = {name: result[name] for name in SCORES if name in result}
        if scores:
            result['scored'].append({**scores, 'epochs': result['epochs']})
        # The median is robust to interruptions.
        times = [0] + [entry['elapsed_time'] for entry in log]
        result['seconds_per_epoch'] = float(numpy.median(numpy.diff(times)))
        self._count_minutes()
        write_json(path, {**result, 'starts': self._starts, 'curve': log})

    def _count_minutes(self):
        start = self._starts[-1]
        start['minutes'] = (self._trainer.elapsed_time - start['began']) / 60

    def serialize(self, serializer):
        if isinstance(serializer, chainer.Deserializer):
            self._starts[:0] = json.loads(str(serializer('starts', '')))
        else:
            self._count_minutes()
            serializer('starts', json.dumps(self._starts))


def environment(device):
    """Return a dict of the command, the revision, versions and hardware.

    Call this function at the start of a run, because the source may change
    later.
    """
    main = getattr(sys.modules['__main__'], '__spec__', None)
    program = ['-m', main.name] if main else [os.path.basename(sys.argv[0])]
    versions = {'python': platform.python_version(),
                'numpy': numpy.__version__, 'chainer': chainer.__version__,
                'qrnn': qrnn.__version__}
    hardware = {'cpu': _cpu_model(), 'cores': len(os.sched_getaffinity(0))
                if hasattr(os, 'sched_getaffinity') else os.cpu_count()}
    if device.xp is not numpy:
        versions['cupy'] = cuda.cupy.__version__
        hardware['gpu'] = cuda.cupy.cuda.runtime.getDeviceProperties(
            device.device.id)['name'].decode()
    return {'command': shlex.join(['python', *program, *sys.argv[1:]]),
            'git': _git_revision(), 'versions': versions,
            'hardware': hardware, 'blas': blas()}


def blas():
    """Return a list of dicts that describe the loaded BLAS libraries."""
    keys = ('internal_api', 'version', 'architecture', 'threading_layer',
            'num_threads')
    return [{key: library[key] for key in keys if key in library}
            for library in threadpoolctl.threadpool_info()
            if library['user_api'] == 'blas']


def _git_revision():
    """Return the Git revision and whether files were changed, or None."""
    try:
        revision = subprocess.run(
            ('git', 'describe', '--always', '--dirty', '--abbrev=40',
             '--exclude=*'), cwd=os.path.dirname(__file__), check=True,
            capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return {'revision': revision.removesuffix('-dirty'),
            'dirty': revision.endswith('-dirty')}


def _cpu_model():
    with contextlib.suppress(OSError), open('/proc/cpuinfo') as f:
        for line in f:
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
