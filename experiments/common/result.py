"""What a run reached and all that it depended on: ``result.json``."""
import contextlib
import os
import platform
import shlex
import subprocess
import sys

import chainer
from chainer.backends import cuda
import numpy
import threadpoolctl

from experiments.common.checkpoint import read_json
from experiments.common.checkpoint import write_json
from experiments.common.cli import UserError
import qrnn


#: What is measured on test parts.
SCORES = 'test_perplexity', 'test_accuracy', 'test_bleu', 'test_sacrebleu'


def write_result(out, facts, outcome, starts, log, finished):
    """Write ``result.json`` into the folder of a run.

    ``scored`` tells of all scores on the test part that this folder's run has
    had, if it was finished once and went on.
    """
    path = os.path.join(out, 'result.json')
    result = {**facts, 'finished': finished, **outcome, 'scored': []}
    with contextlib.suppress(OSError, UserError, LookupError, TypeError):
        result['scored'] = [each for each in read_json(path)['scored']
                            if each['epochs'] != result['epochs']]
    scores = {name: result[name] for name in SCORES if name in result}
    if scores:
        result['scored'].append({**scores, 'epochs': result['epochs']})
    # The median, which an interruption does not disturb
    times = [0] + [entry['elapsed_time'] for entry in log]
    result['seconds_per_epoch'] = float(numpy.median(numpy.diff(times)))
    result.update(starts=starts, curve=log)
    write_json(path, result)
    return result


def draw_curves(out, log, entries):
    """Draw entries of the log as ``curves.png``, if matplotlib is there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(layout='constrained')
    axes = figure.add_subplot(xlabel='epoch')
    for name in entries:
        axes.plot(*zip(*((entry['epoch'], entry[name]) for entry in log
                         if name in entry)), marker='.', label=name)
    axes.grid(alpha=.3)
    axes.legend()
    figure.savefig(os.path.join(out, 'curves.png'), dpi=150)


def environment(device):
    """Return all that a measurement depends on beside its own settings.

    Ask for it at the start: the source may change while a run goes on.
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
    """Return version, kernels and threads of each BLAS in use."""
    keys = ('internal_api', 'version', 'architecture', 'threading_layer',
            'num_threads')
    return [{key: library[key] for key in keys if key in library}
            for library in threadpoolctl.threadpool_info()
            if library['user_api'] == 'blas']


def _git_revision():
    """Return the source's revision and whether it was changed, if git can."""
    try:
        found = subprocess.run(
            ('git', 'describe', '--always', '--dirty', '--abbrev=40',
             '--exclude=*'), cwd=os.path.dirname(__file__), check=True,
            capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return {'revision': found.removesuffix('-dirty'),
            'dirty': found.endswith('-dirty')}


def _cpu_model():
    with contextlib.suppress(OSError), open('/proc/cpuinfo') as f:
        for line in f:
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
