import os
import sys

import numpy
import pytest

from experiments.common import training
from experiments.common.cli import UserError
from experiments.common.distributed import BucketIterator
from experiments.common.distributed import longest_first
from tests.experiments_tests.common_tests import processes


NAIVE = '--communicator', 'naive'


@pytest.fixture(scope='module', params=[(2, 'float64'), (4, 'float32')])
def single_and_several(request, mpiexec, tmp_path_factory):
    """Two folders: what one process trained, and the same by several."""
    n, dtype = request.param
    single, several = [str(tmp_path_factory.mktemp(name))
                       for name in ('single', 'several')]
    process = mpiexec(
        n, '-m', processes.__name__, 'train_all', several, dtype, *NAIVE)
    assert process.returncode == 0, process.stderr
    processes.train_all(single, dtype)
    return [os.path.join(out, dtype) for out in (single, several)]


@pytest.mark.parametrize('experiment', processes.EXPERIMENTS)
def test_same_numbers_as_one_process(single_and_several, log_of, experiment):
    one, many = [os.path.join(out, experiment) for out in single_and_several]
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
        2, '-m', processes.__name__, 'train_with_breaks', out, *NAIVE)


@pytest.mark.parametrize('experiment', processes.EXPERIMENTS)
def test_resumes_to_the_bit(broken, assert_same_run, experiment):
    """With what every process draws and keeps."""
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


def test_goes_on_in_another_number(broken, capsys):
    out, process = broken
    processes.train('ptb', str(out / 'killed/ptb'), '--resume', '--epoch', '2',
                    **processes.RANDOM['ptb'])
    stdout = capsys.readouterr().out
    assert 'The snapshot is of another number of processes, 2' in stdout
    assert 'snapshot_iter_6: 0.38 epochs' in stdout
    assert (out / 'killed/ptb/result.json').exists()


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


@pytest.mark.parametrize('arguments, says', [
    (['--data', 'nowhere'], 'error: there is no folder nowhere'),
    (['--batch-size', '5', '--test'], 'error: a batch of 5 cannot be shared'),
    (['--epoch', 'many'], 'error: argument --epoch'),
])
def test_one_line_for_all(mpiexec, arguments, says):
    process = mpiexec(
        2, '-m', 'experiments.ptb.train', *arguments, *NAIVE)
    assert process.returncode not in (0, None)
    assert process.stderr.count('error: ') == process.stderr.count(says) == 1
    assert 'Traceback' not in process.stderr


@pytest.mark.parametrize('size', [1, 2, 3, 7])
def test_shares_are_the_whole(size):
    for n in 0, 1, 6, 7, 12:
        shares = []
        for rank in range(size):
            each = training.Processes()
            each.rank, each.size = rank, size
            shares.append(each.share(range(n)))
        assert [i for share in shares for i in share] == list(range(n))
        lengths = list(map(len, shares))
        assert max(lengths) - min(lengths) <= (n % size > 0)


class TestJoin:

    def test_single(self, python):
        process = python('-c', """if True:
            import sys
            from experiments.ptb import train
            assert train.training.join(None).size == 1
            print({name.partition('.')[0] for name in sys.modules})""")
        assert "'experiments'" in process.stdout, process.stderr
        assert "'mpi4py'" not in process.stdout
        assert "'chainermn'" not in process.stdout

    def test_several_that_do_not_know(self, monkeypatch):
        monkeypatch.setenv('OMPI_COMM_WORLD_SIZE', '2')
        with pytest.raises(UserError, match='each of these 2 processes'):
            training.join(None)

    def test_without_mpi4py(self, monkeypatch):
        monkeypatch.setitem(sys.modules, 'chainermn', None)
        with pytest.raises(UserError, match='needs mpi4py'):
            training.join('naive')

    def test_without_mpiexec(self, mpiexec, python):
        process = python('-m', 'experiments.ptb.train', '--test', *NAIVE)
        assert process.returncode == 1
        # One line of ours, and none of MPI's
        assert process.stderr == (
            'error: --communicator is for processes that mpiexec starts: '
            'mpiexec -n 2 python -m ...\n')


class TestBucketIterator:

    def orders(self, lengths, batch_size=24, seed=0):
        """Yield the order of every epoch."""
        iterator = BucketIterator(
            list(range(len(lengths))), lengths, batch_size,
            numpy.random.RandomState(seed))
        while True:
            yield iterator._state.order.copy()
            epoch = iterator.epoch
            while iterator.epoch == epoch:
                iterator.next()

    @pytest.fixture
    def lengths(self):
        return numpy.random.RandomState(0).randint(1, 500, 1003)

    @pytest.mark.parametrize('n', [1, 5, 1003])
    def test_every_example_once(self, n):
        orders = self.orders(numpy.arange(n) % 7, 4)
        for _ in range(3):
            assert sorted(next(orders)) == list(range(n))

    def test_batches_are_of_similar_length_but_come_in_no_order(
            self, lengths):
        def batches(order):
            return lengths[order[:984]].reshape(-1, 24)

        def padded(order):
            each = batches(order)
            return (each.max(axis=1) * 24).sum() / each.sum()

        order = next(self.orders(lengths))
        assert padded(numpy.arange(1003)) > 1.8 and padded(order) < 1.1
        means = batches(order).mean(axis=1)
        assert abs(numpy.corrcoef(means, numpy.arange(41))[0, 1]) < .5

    def test_epochs_differ_and_a_seed_repeats_them(self, lengths):
        first, again = (self.orders(lengths) for _ in range(2))
        epochs = [next(first), next(first)]
        assert not numpy.array_equal(*epochs)
        for order in epochs:
            assert numpy.array_equal(order, next(again))


def test_longest_first():
    assert longest_first([3, 5, 3, 9]).tolist() == [3, 1, 0, 2]
