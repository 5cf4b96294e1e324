"""Test that the patches are also applied in child processes."""
import multiprocessing
import os
import subprocess
import sys
import textwrap

import pytest

from qrnn_tests.chainer_compat_tests.processes import ROOT
from qrnn_tests.chainer_compat_tests.processes import succeed


# Programs that start child processes. The programs are not files, so the child
# processes cannot import them, and ``import qrnn`` runs only in the parent.

ITERATOR = '''
    iterator = chainer.iterators.MultiprocessIterator(
        [(numpy.full(3, n, 'f'), n) for n in range(5)], 2, repeat=False,
        shuffle=False, n_processes=2, maxtasksperchild=2)
    batches = list(iterator)
    assert [[n for _, n in batch] for batch in batches] == [
        [0, 1], [2, 3], [4]]
    assert all((x == n).all() for batch in batches for x, n in batch)
    assert iterator._prefetch_loop.thread.daemon
    iterator.finalize()
'''

WRITERS = '''
    import os, tempfile
    from chainer.training.extensions import snapshot_writers
    for Writer in (snapshot_writers.ProcessWriter,
                   snapshot_writers.ProcessQueueWriter):
        with tempfile.TemporaryDirectory() as folder:
            writer = Writer(savefun=chainer.serializers.save_npz)
            for name in 'first', 'second':
                writer(name, folder, chainer.links.Linear(2, 3))
            writer.finalize()
            assert sorted(os.listdir(folder)) == ['first', 'second']
'''

UPDATER = '''
    import unittest.mock
    from chainer.training.updaters import multiprocess_parallel_updater
    multiprocess_parallel_updater.nccl = unittest.mock.Mock(
        get_unique_id=lambda: 'id')
    Updater = multiprocess_parallel_updater.MultiprocessParallelUpdater
    updater = Updater.__new__(Updater)
    device = chainer.get_device('@numpy')
    vars(updater).update(
        _initialized=False, _workers=[], _pipes=[], _devices=2 * [device],
        _master=chainer.links.Linear(2, 3), _mpu_iterators=2 * [
            chainer.iterators.SerialIterator([1, 2], 2)],
        converter=chainer.dataset.concat_examples)
    updater.setup_workers()
    worker, = updater._workers
    worker.join()
'''


def run_processes(method, code, *options):
    start = '''
    import sys
    import qrnn, chainer, numpy, multiprocessing
    multiprocessing.set_start_method(sys.argv[1])
    '''
    return succeed(start + code, method, options=options)


@pytest.mark.parametrize('method', multiprocessing.get_all_start_methods())
def test_processes_of_iterator_and_writers(method):
    done = run_processes(
        method, ITERATOR + WRITERS, '-W', 'error::DeprecationWarning:chainer')
    assert done.stderr == ''


@pytest.mark.parametrize('method', ['spawn', 'forkserver'])
def test_processes_of_an_updater(method):
    """Without NCCL, the processes stop where they first use NCCL."""
    lines = run_processes(method, UPDATER).stderr.splitlines()
    assert lines[-1] == "NameError: name 'nccl' is not defined"


@pytest.mark.parametrize('method', ['fork', 'spawn', 'forkserver'])
def test_child_processes(method, tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(textwrap.dedent('''
    import multiprocessing
    import sys
    import qrnn
    import chainer
    import numpy

    def double(x):
        return chainer.functions.resize_images(x, (4, 4))

    if __name__ == '__main__':
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(1) as pool:
            y, = pool.map(double, [numpy.ones((1, 1, 2, 2), 'f')])
        assert y.shape == (1, 1, 4, 4)
        print('done')
    '''))
    done = subprocess.run(
        [sys.executable, script, method], capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert (done.stdout, done.stderr) == ('done\n', '')
