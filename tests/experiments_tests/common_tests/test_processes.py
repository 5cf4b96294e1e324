import functools
import os
import sys
import types

import numpy
import pytest

from experiments.common.cli import UserError
from experiments.common.processes import join
from experiments.common.processes import share
from tests.experiments_tests.common_tests import processes


NAIVE = '--communicator', 'naive'


@pytest.fixture(scope='module')
def single(tmp_path_factory):
    """Return a function that trains in one process and returns the folder."""
    @functools.cache
    def folder(dtype):
        out = str(tmp_path_factory.mktemp('single'))
        processes.train_all(out, dtype)
        return os.path.join(out, dtype)
    return folder


@pytest.fixture(scope='module', params=[
    (2, 'float64'), (4, 'float32'), ('two_hosts', 'float64')],
    ids='{0[0]}'.format)
def several(request, tmp_path_factory):
    """Train in several processes, and return the folder of the runs."""
    n, dtype = request.param
    out = str(tmp_path_factory.mktemp('several'))
    arguments = '-m', processes.__name__, 'train_all', out, dtype, *NAIVE
    if n == 'two_hosts':
        process = request.getfixturevalue(n)('python', *arguments)
    else:
        process = request.getfixturevalue('mpiexec')(n, *arguments)
    assert process.returncode == 0, process.stderr
    return os.path.join(out, dtype)


@pytest.mark.parametrize('experiment', processes.EXPERIMENTS)
def test_same_numbers_as_one_process(single, several, log_of, experiment):
    dtype = os.path.basename(several)
    one, many = [os.path.join(out, experiment)
                 for out in (single(dtype), several)]
    rtol = 20 * float(numpy.finfo(dtype).eps)
    with numpy.load(os.path.join(one, 'model.npz')) as a, \
            numpy.load(os.path.join(many, 'model.npz')) as b:
        assert set(a.files) == set(b.files)
        for key in a.files:
            assert a[key].dtype == b[key].dtype == dtype
            numpy.testing.assert_allclose(
                a[key], b[key], rtol=0, atol=rtol * abs(a[key]).max(),
                err_msg=key)
    for entry, other in zip(log_of(one), log_of(many)):
        assert entry == pytest.approx(other, rel=100 * rtol)


@pytest.fixture(scope='module')
def broken(mpiexec, tmp_path_factory):
    """Run ``train_with_breaks``; return the folder and the mpiexec process."""
    out = tmp_path_factory.mktemp('broken')
    return out, mpiexec(
        2, '-m', processes.__name__, 'train_with_breaks', out, *NAIVE)


@pytest.mark.parametrize('experiment', processes.EXPERIMENTS)
def test_resumes_with_the_same_bits(broken, assert_same_run, experiment):
    """Snapshots include the random states of all processes."""
    out, process = broken
    last = {'ptb': 32, 'imdb': 23, 'iwslt': 16}[experiment]
    assert_same_run(out / 'whole' / experiment, out / 'cut' / experiment,
                    f'snapshot_iter_{last}')


def test_signal_to_any_process_ends_all(broken):
    out, process = broken
    assert f"Resumed from {out / 'cut/iwslt/snapshot_iter_7'}" in (
        process.stdout)


def test_killed_process_ends_all(broken):
    out, process = broken
    assert process.returncode not in (0, None)
    assert 'rank 1' in process.stderr and 'Killed' in process.stderr
    assert not (out / 'killed/ptb/result.json').exists()


def test_resumes_with_another_number_of_processes(broken, capsys):
    out, process = broken
    processes.train('ptb', str(out / 'killed/ptb'), '--resume', '--epoch', '2',
                    **processes.RANDOM['ptb'])
    stdout = capsys.readouterr().out
    assert 'The snapshot is from 2 processes' in stdout
    assert 'snapshot_iter_6: 0.38 epochs' in stdout
    assert (out / 'killed/ptb/result.json').exists()


def test_lost_host_ends_all(two_hosts, tmp_path, capsys):
    """A run ends when a host is lost, and can be resumed.

    The timeouts are shorter than those in docs/processes.rst.
    """
    settings = [
        word for name, value in (('time', 2), ('intvl', 1), ('probes', 2))
        for word in ('--prtemca', f'oob_tcp_keepalive_{name}', value)]
    process = two_hosts(
        *settings, 'python', '-m', processes.__name__, 'train_on_lost_host',
        tmp_path, *NAIVE)
    # Open MPI's message names the lost host.
    assert 'hostb' in process.stdout + process.stderr
    assert not (tmp_path / 'result.json').exists()
    processes.train('ptb', str(tmp_path), '--resume')
    assert 'snapshot_iter_6: 0.38 epochs' in capsys.readouterr().out
    assert (tmp_path / 'result.json').exists()


def test_one_process_raises(mpiexec):
    process = mpiexec(2, '-c', """if True:
        from experiments.common import cli
        from experiments.ptb import train
        def update(self):
            assert self._processes.rank == 0
        train.stream.StreamUpdater.update_core = update
        cli.run(lambda: train.main(
            ['--test', '--communicator', 'naive']))""")
    assert process.returncode not in (0, None)
    assert 'AssertionError' in process.stderr
    assert 'Uncaught exception on rank 1' in process.stderr


@pytest.mark.parametrize('arguments, message', [
    (['--data', 'nowhere'], 'error: there is no folder nowhere'),
    (['--batch-size', '5', '--test'], 'error: --batch-size 5 is not div'),
    (['--epoch', 'many'], 'error: argument --epoch'),
])
def test_one_error_of_all_processes(mpiexec, arguments, message):
    process = mpiexec(
        2, '-m', 'experiments.ptb.train', *arguments, *NAIVE)
    assert process.returncode not in (0, None)
    assert process.stderr.count('error: ') == 1
    assert process.stderr.count(message) == 1
    assert 'Traceback' not in process.stderr


@pytest.mark.parametrize('size', [1, 2, 3, 7])
def test_shares_are_a_partition(size):
    for n in 0, 1, 6, 7, 12:
        shares = [share(range(n), types.SimpleNamespace(rank=rank, size=size))
                  for rank in range(size)]
        assert [i for part in shares for i in part] == list(range(n))
        lengths = list(map(len, shares))
        assert max(lengths) - min(lengths) <= (n % size > 0)


class TestJoin:

    def test_single(self, python):
        process = python('-c', """if True:
            import sys
            from experiments.ptb import train
            assert train.join(None, 4).size == 1
            print({name.partition('.')[0] for name in sys.modules})""")
        assert "'experiments'" in process.stdout, process.stderr
        assert "'mpi4py'" not in process.stdout
        assert "'chainermn'" not in process.stdout

    def test_several_without_a_communicator(self, monkeypatch):
        monkeypatch.setenv('OMPI_COMM_WORLD_SIZE', '2')
        with pytest.raises(UserError, match='started 2 processes, which'):
            join(None, 4)

    def test_without_mpi4py(self, monkeypatch):
        monkeypatch.setitem(sys.modules, 'chainermn', None)
        with pytest.raises(UserError, match='needs mpi4py'):
            join('naive', 4)

    def test_without_mpiexec(self, mpiexec, python):
        process = python('-m', 'experiments.ptb.train', '--test', *NAIVE)
        assert process.returncode == 1
        # The error is a single line, and MPI prints no messages.
        assert process.stderr == (
            'error: --communicator needs processes started by mpiexec: '
            'mpiexec -n 2 python -m ...\n')
