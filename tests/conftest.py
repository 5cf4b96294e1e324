"""Fixtures of the tests outside tests/qrnn_tests."""
import os
import shutil
import subprocess
import sys

import pytest

# Importing qrnn_tests.conftest also configures hypothesis.
from qrnn_tests.conftest import pytest_collection_modifyitems  # noqa: F401


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture(scope='session')
def python():
    """Return a function that runs Python in the root of the project."""
    return lambda *arguments, launcher=(): _run(
        *launcher, sys.executable, *arguments)


@pytest.fixture(scope='session')
def mpiexec(python):
    """Return a function that runs Python in n MPI processes."""
    command = _mpiexec()
    return lambda n, *arguments: python(*arguments, launcher=[
        command, '-n', n, '--oversubscribe', '--bind-to', 'none',
        '--timeout', 1500])


@pytest.fixture(scope='session')
def two_hosts():
    """Return a function that runs mpiexec on two emulated hosts.

    The arguments are options of mpiexec, followed by a command.
    """
    folder = os.path.dirname(sys.executable)
    command = os.path.join(ROOT, '..', 'shared', 'two_hosts')
    if not os.path.exists(command):
        pytest.skip('../shared/two_hosts is missing')
    if os.path.dirname(_mpiexec()) != folder:
        pytest.skip(f'there is no mpiexec in {folder}')
    if not shutil.which('ip'):
        pytest.skip('two hosts need iproute2')
    if _run('unshare', '--net', '--uts', 'true').returncode:
        pytest.skip('two hosts need root')
    return lambda *arguments: _run(command, folder, *arguments)


def _mpiexec():
    pytest.importorskip('mpi4py')
    installed = os.path.join(os.path.dirname(sys.executable), 'mpiexec')
    command = shutil.which(installed) or shutil.which('mpiexec')
    if command is None:
        pytest.skip('there is no mpiexec')
    return command


def _run(*command):
    environment = dict(
        os.environ, PYTHONPATH=ROOT,
        # Let waiting Open MPI processes yield their cores, and allow root to
        # run mpiexec.
        OMPI_MCA_mpi_yield_when_idle='1', OMPI_ALLOW_RUN_AS_ROOT='1',
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1')
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
