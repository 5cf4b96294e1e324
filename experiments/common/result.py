"""The outcome of a run and all that it depended on, as ``result.json``."""
import contextlib
import json
import os
import platform
import shlex
import subprocess
import sys

import chainer
from chainer.backends import cuda
from chainer.training import extension
import numpy
import threadpoolctl

import qrnn
from experiments.common.errors import Problem
from experiments.common.files import read_json
from experiments.common.files import write_json


#: What is measured on test parts.
SCORES = 'test_perplexity', 'test_accuracy', 'test_bleu', 'test_sacrebleu'


def write_result(out, facts, outcome, starts, log, finished=True):
    """Write ``result.json`` into the folder of a run.

    Only a finished run has scores on the test part. ``scored`` tells of all
    that this folder's run has had, if it was finished once and went on.

    Args:
        out (str): The folder.
        facts (dict): What the run was asked to do.
        outcome (dict): What it reached.
        starts (list of dict): The starts of the run, as in :class:`Starts`.
        log (list of dict): The entries of ``LogReport``, one per epoch.
        finished (bool): Whether the run has come to its end.

    Returns:
        dict: What was written.

    """
    path = os.path.join(out, 'result.json')
    result = dict(facts, finished=finished, **outcome)
    result['scored'] = _scored(path, result)
    result['seconds_per_epoch'] = seconds_per_epoch(log)
    result['starts'] = starts
    result['curve'] = log
    write_json(path, result)
    return result


def _scored(path, result):
    """Return the scores on the test part, earlier ones first."""
    scored = []
    if os.path.exists(path):
        with contextlib.suppress(Problem):
            scored = [each for each in read_json(path).get('scored', [])
                      if each['epochs'] != result.get('epochs')]
    scores = {name: result[name] for name in SCORES if name in result}
    return scored + [dict(scores, epochs=result.get('epochs'))] * bool(scores)


class Starts(extension.Extension):

    """Trainer extension that keeps, in snapshots, every start of a run.

    Args:
        environment (dict): What :func:`environment` says of the present one.

    """

    default_name = 'starts'

    def __init__(self, environment):
        self._earlier = []
        self._present = dict(environment, began=0.)

    def __call__(self, trainer):
        pass  # it is there for its state alone

    def initialize(self, trainer):
        self._present['began'] = trainer.elapsed_time

    def serialize(self, serializer):
        if isinstance(serializer, chainer.Serializer):
            serializer('starts', json.dumps(self._earlier + [self._present]))
        else:
            self._earlier = json.loads(str(serializer('starts', '')))

    def list(self, elapsed_time):
        """Return the environments of all starts, with ``minutes`` of each.

        What a start trained after the snapshot that the next one went on from
        does not count.
        """
        starts = self._earlier + [self._present]
        ends = [start['began'] for start in starts[1:]] + [elapsed_time]
        return [
            dict({key: value for key, value in start.items()
                  if key != 'began'}, minutes=(end - start['began']) / 60)
            for start, end in zip(starts, ends)]


def environment(device):
    """Return all that a measurement depends on beside its own settings.

    Ask for it at the start: the source may change while a run goes on.

    Args:
        device (chainer.backend.Device): Where it was made.

    Returns:
        dict: Command, git revision, versions, hardware, and of each BLAS
        library its version, number of threads and (OpenBLAS) which kernels
        it chose for this processor.

    """
    return {'command': _command(), 'git': _git_revision(),
            'versions': _versions(), 'hardware': _hardware(device),
            'blas': blas()}


def blas():
    """Return what threadpoolctl knows of the BLAS in use, a list of dicts."""
    keys = ('internal_api', 'version', 'architecture', 'threading_layer',
            'num_threads')
    return [{key: library[key] for key in keys if key in library}
            for library in threadpoolctl.threadpool_info()
            if library['user_api'] == 'blas']


def seconds_per_epoch(log):
    """The median, which an interruption does not disturb."""
    times = [0] + [entry['elapsed_time'] for entry in log]
    return float(numpy.median(numpy.diff(times))) if log else None


def _command():
    main = getattr(sys.modules['__main__'], '__spec__', None)
    program = ['-m', main.name] if main else [os.path.basename(sys.argv[0])]
    return shlex.join(['python'] + program + sys.argv[1:])


def _git_revision():
    """Revision of the source and whether it was changed, if git knows."""
    here = os.path.dirname(os.path.abspath(__file__))

    def git(*arguments):
        return subprocess.run(
            ('git',) + arguments, cwd=here, check=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()

    try:
        return {'revision': git('rev-parse', 'HEAD'),
                'dirty': bool(git('status', '--porcelain', '-uno'))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _versions():
    versions = {
        'python': platform.python_version(),
        'numpy': numpy.__version__,
        'chainer': chainer.__version__,
        'qrnn': getattr(qrnn, '__version__', None),
    }
    if cuda.available:
        versions['cupy'] = cuda.cupy.__version__
    return versions


def _hardware(device):
    hardware = {'cpu': _cpu_model(), 'cores': _n_cores()}
    if device.xp is not numpy:
        properties = cuda.cupy.cuda.runtime.getDeviceProperties(
            device.device.id)
        hardware['gpu'] = properties['name'].decode()
    return hardware


def _cpu_model():
    try:
        with open('/proc/cpuinfo') as f:
            for line in f:
                if line.startswith('model name'):
                    return line.partition(':')[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _n_cores():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count()
