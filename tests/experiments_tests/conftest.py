import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy
import pytest

from experiments.common import cli


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


@pytest.fixture(autouse=True)
def signals_are_not_ignored():
    """Restore handlers that ``nohup`` or a background shell disables."""
    previous = {
        number: signal.signal(number, handler) for number, handler in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGHUP, signal.SIG_DFL))}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.fixture
def error_of(capsys, monkeypatch):
    """Run a command that must end with one line on standard error."""
    # A signal would end the tests.
    monkeypatch.setattr(cli, 'die', lambda number: sys.exit(128 + number))

    def run(main, *arguments):
        with pytest.raises(SystemExit) as info:
            cli.run(lambda: main(list(map(str, arguments))))
        assert info.value.code not in (0, None)
        line = capsys.readouterr().err.splitlines()
        assert len(line) == 1 and line[0].startswith('error: ')
        return line[0]
    return run


@pytest.fixture(scope='session')
def write_lines():
    """Write pairs of a text and its label as train.jsonl and test.jsonl."""
    def write(folder, **parts):
        for part, pairs in parts.items():
            (folder / f'{part}.jsonl').write_text(''.join(
                json.dumps({'text': text, 'label': label}) + '\n'
                for text, label in pairs))
        return folder
    return write


@pytest.fixture(scope='session')
def code_block():
    """Return the code block of a language in a page of the documentation."""
    def find(page, language):
        with open(os.path.join(ROOT, 'docs', page)) as f:
            block, = re.findall(
                rf'^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)',
                f.read(), re.MULTILINE)
        return textwrap.dedent(block)
    return find


@pytest.fixture(scope='session')
def python():
    """Run Python in the root of the project, as users do."""
    def start(*arguments, launcher=()):
        environment = dict(
            os.environ, PYTHONPATH=ROOT,
            # Open MPI's processes yield idle cores, and root may run them.
            OMPI_MCA_mpi_yield_when_idle='1', OMPI_ALLOW_RUN_AS_ROOT='1',
            OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1')
        return subprocess.run(
            list(launcher) + [sys.executable] + list(map(str, arguments)),
            cwd=ROOT, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
    return start


@pytest.fixture(scope='session')
def mpiexec(python):
    """Run Python in several processes at a time."""
    pytest.importorskip('mpi4py')
    installed = os.path.join(os.path.dirname(sys.executable), 'mpiexec')
    command = shutil.which(installed) or shutil.which('mpiexec')
    if command is None:
        pytest.skip('there is no mpiexec')
    return lambda n, *arguments: python(*arguments, launcher=[
        command, '-n', str(n), '--oversubscribe', '--bind-to', 'none',
        '--timeout', '1500'])


@pytest.fixture(scope='session')
def log_of():
    """Return the log of a run, without times."""
    def read(out):
        with open(os.path.join(str(out), 'log')) as f:
            log = json.load(f)
        for entry in log:
            del entry['elapsed_time']
        return log
    return read


@pytest.fixture(scope='session')
def assert_same_run(log_of):
    """Check that two runs have the same bits, except for times."""
    def check(one, other, snapshot):
        for name in 'model.npz', snapshot:
            with numpy.load(os.path.join(str(one), name)) as a, \
                    numpy.load(os.path.join(str(other), name)) as b:
                assert set(a.files) == set(b.files)
                for key in set(a.files) - {'_snapshot_elapsed_time',
                                           'extensions/LogReport/_log',
                                           'extensions/WriteResult/starts'}:
                    assert numpy.array_equal(a[key], b[key]), key
        assert log_of(one) == log_of(other)
    return check
