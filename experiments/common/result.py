"""The outcome of a run and all that it depended on, as ``result.json``."""
import os
import platform
import shlex
import subprocess
import sys

import chainer
from chainer.backends import cuda
import numpy
import threadpoolctl

import qrnn
from experiments.common.files import write_json


def write_result(out, facts, outcome, environment, log):
    """Writes ``result.json`` into the folder of a run.

    Args:
        out (str): The folder.
        facts (dict): What the run was asked to do.
        outcome (dict): What it reached.
        environment (dict): What :func:`environment` said at the start.
        log (list of dict): The entries of ``LogReport``, one per epoch.

    Returns:
        dict: What was written.

    """
    result = dict(facts)
    result.update(outcome)
    result['seconds_per_epoch'] = seconds_per_epoch(log)
    result.update(environment)
    result['curve'] = log
    write_json(os.path.join(out, 'result.json'), result)
    return result


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
