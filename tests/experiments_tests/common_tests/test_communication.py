import os
import sys

import numpy
import pytest

from experiments.common import communication
from experiments.common.errors import Problem
from experiments.common import plot
from tests.experiments_tests.common_tests import several


NAIVE = '--communicator', 'naive'


@pytest.fixture(scope='module', params=[(2, 'float64'), (4, 'float32')])
def alone_and_together(request, mpiexec, tmp_path_factory):
    """Two folders: what one process trained, and the same by several."""
    n, dtype = request.param
    alone, together = [str(tmp_path_factory.mktemp(name))
                       for name in ('alone', 'together')]
    process = mpiexec(
        n, '-m', several.__name__, 'train_all', together, dtype, *NAIVE)
    assert process.returncode == 0, process.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plot, '_figure', lambda: None)
        several.train_all(alone, dtype)
    return [os.path.join(out, dtype) for out in (alone, together)]


@pytest.mark.parametrize('experiment', several.EXPERIMENTS)
def test_parameters_are_those_of_one_process(
        alone_and_together, log_of, experiment):
    one, many = [os.path.join(out, experiment) for out in alone_and_together]
    dtype = os.path.basename(os.path.dirname(one))
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
    """Folder of runs with breaks, and the process that ended in a kill."""
    out = tmp_path_factory.mktemp('broken')
    return out, mpiexec(
        2, '-m', several.__name__, 'train_with_breaks', out, *NAIVE)


@pytest.mark.parametrize('experiment', several.EXPERIMENTS)
def test_goes_on(broken, assert_same_run, experiment):
    """With the same bits, and with what every process draws and keeps."""
    out, process = broken
    last = {'ptb': 32, 'imdb': 23, 'iwslt': 16}[experiment]
    assert_same_run(out / 'whole' / experiment, out / 'cut' / experiment,
                    'snapshot_iter_{}'.format(last))


def test_signal_to_any_process_ends_all(broken):
    out, process = broken
    assert 'Resumed from {}'.format(
        out / 'cut/iwslt/snapshot_iter_7') in process.stdout


def test_killed_process_ends_all(broken):
    out, process = broken
    assert process.returncode not in (0, None)
    assert 'rank 1' in process.stderr and 'Killed' in process.stderr
    assert not (out / 'killed/ptb/result.json').exists()


def test_goes_on_alone(broken, capsys):
    out, process = broken
    several.train(
        several.EXPERIMENTS['ptb'], str(out / 'killed/ptb'), '--resume',
        '--snapshot-every', '3', '--epoch', '2', **several.RANDOM['ptb'])
    stdout = capsys.readouterr().out
    assert 'The snapshot is of 2 processes, not 1' in stdout
    assert 'snapshot_iter_6: 0.38 epochs' in stdout
    assert (out / 'killed/ptb/result.json').exists()


def test_one_process_raises(mpiexec):
    process = mpiexec(2, '-c', """if True:
        from experiments.common import errors
        from experiments.ptb import train
        def update(self):
            assert self._processes.rank == 0
        train.stream.StreamUpdater.update_core = update
        errors.run(lambda: train.main(
            ['--test', '--communicator', 'naive']))""")
    assert process.returncode not in (0, None)
    assert 'AssertionError' in process.stderr
    assert 'Uncaught exception on rank 1' in process.stderr


@pytest.mark.parametrize('arguments, says', [
    (['--data', 'nowhere'], 'error: there is no folder nowhere'),
    (['--batch-size', '5', '--test'], 'error: a batch of 5 cannot be shared'),
    (['--epoch', 'many'], 'error: argument --epoch'),
])
def test_complains_once(mpiexec, arguments, says):
    process = mpiexec(
        2, '-m', 'experiments.ptb.train', *arguments, *NAIVE)
    assert process.returncode not in (0, None)
    assert process.stderr.count('error: ') == process.stderr.count(says) == 1
    assert 'Traceback' not in process.stderr


class Rank(communication.Alone):

    def __init__(self, rank, size):
        self.rank = rank
        self.size = size


@pytest.mark.parametrize('size', [1, 2, 3, 7])
def test_shares_are_the_whole(size):
    for n in 0, 1, 6, 7, 12:
        shares = [Rank(rank, size).share(range(n)) for rank in range(size)]
        assert [i for share in shares for i in share] == list(range(n))
        lengths = list(map(len, shares))
        assert max(lengths) - min(lengths) <= (n % size > 0)


def test_batch_that_cannot_be_shared():
    Rank(0, 4).check_batch_size(24)
    with pytest.raises(Problem, match='a batch of 10 cannot be shared'):
        Rank(0, 4).check_batch_size(10)


class TestJoin(object):

    def test_alone(self, python):
        process = python('-c', """if True:
            import sys
            from experiments.ptb import train
            assert train.communication.join(None).size == 1
            print({name.partition('.')[0] for name in sys.modules})""")
        assert "'experiments'" in process.stdout, process.stderr
        assert "'mpi4py'" not in process.stdout
        assert "'chainermn'" not in process.stdout

    def test_several_that_do_not_know(self, monkeypatch):
        monkeypatch.setenv('OMPI_COMM_WORLD_SIZE', '2')
        with pytest.raises(Problem, match='each of these 2 processes'):
            communication.join(None)

    def test_without_mpi4py(self, monkeypatch):
        monkeypatch.setitem(sys.modules, 'chainermn', None)
        with pytest.raises(Problem, match='needs mpi4py'):
            communication.join('naive')

    def test_without_mpiexec(self, mpiexec, python):
        process = python('-m', 'experiments.ptb.train', '--test', *NAIVE)
        assert process.returncode == 1
        # One line of ours, and none of MPI's
        assert process.stderr == (
            'error: --communicator is for processes that mpiexec starts: '
            'mpiexec -n 2 python -m ...\n')
