"""Test the CPU loops with and without threads."""
import collections
import multiprocessing
import os
import subprocess
import sys
import threading
import weakref

import numpy
import pytest

from qrnn.kernels import cpu
from qrnn.kernels.cpu import threads


def outputs_of(size):
    """Return the outputs of all loops, for inputs of the given size."""
    B, T, C = size
    random = numpy.random.RandomState(0)
    u, x = (random.normal(size=(B, T, n)).astype('f') for n in (3 * C, C))
    b, c0 = random.normal(size=3 * C).astype('f'), x[:, 0]
    lengths = random.randint(0, T + 1, B)
    same = u, b, c0, lengths, 'fo', .1, 3, None
    h, c, c_last = cpu.pooling_forward(*same)
    states = cpu.strnn_forward(u[:, :, :C], x, c0)
    windows = cpu.unfold(x, x[:, :2], 3, 0, lengths)
    logits = random.normal(size=(70, 1000)).astype('f')
    losses = cpu.softmax_cross_entropy(
        logits, b[:1].repeat(1000), numpy.arange(70), 5)
    return [
        h, c, c_last, *cpu.pooling_backward(*same, c, x, None, x[:, 0]),
        states, *cpu.strnn_backward(u[:, :, :C], states, c0, x),
        windows, *cpu.fold(windows, x.shape, 0, lengths), losses, logits,
        cpu.dropout(x, .5, 1), cpu.zoneout_mask(1, .5, x.shape)]


@pytest.mark.parametrize('size', [(5, 60, 130), (16, 40, 70)])
def test_results_do_not_depend_on_threads(size, monkeypatch):
    monkeypatch.setattr(threads, '_SHARED_SIZE', 1000)
    first, *others = (
        monkeypatch.setattr(threads, 'n_cores', lambda: n) or outputs_of(size)
        for n in (1, 2, 3))
    for other in others:
        for a, b in zip(first, other):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize('limit, expected', [
    ('1', 1), ('', None), ('0', None), ('many', None), ('999', None)])
def test_n_cores(monkeypatch, limit, expected):
    monkeypatch.setenv('OMP_NUM_THREADS', limit)
    assert threads.n_cores() == expected or len(os.sched_getaffinity(0))


@pytest.mark.filterwarnings('ignore:.*multi-threaded:DeprecationWarning')
def test_fork_after_a_large_call(monkeypatch):
    monkeypatch.setattr(threads, '_SHARED_SIZE', 1000)
    monkeypatch.setattr(threads, 'n_cores', lambda: 2)
    expected = outputs_of((5, 60, 130))
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(
        target=lambda: sender.send(outputs_of((5, 60, 130))))
    child.start()
    assert receiver.poll(60), 'the child hangs'
    for a, b in zip(expected, receiver.recv()):
        assert a.tobytes() == b.tobytes()
    child.join()


@pytest.fixture
def pool(monkeypatch):
    """Use a new pool of four threads."""
    monkeypatch.setattr(threads, 'n_cores', lambda: 4)
    monkeypatch.setattr(threads, '_pool', None)


class Items:
    """Fake loop that counts how often each item is computed."""

    def __init__(self):
        self.counts = collections.Counter()
        self.threads = set()

    def __call__(self, first, last):
        self.threads.add(threading.current_thread())
        for item in range(first, last):
            self.counts[item] += 1

    def check(self, n=10):
        threads.share(self, n, threads._SHARED_SIZE)
        assert self.counts == dict.fromkeys(range(n), 1)


def test_few_elements(pool):
    items = Items()
    threads.share(items, 10, threads._SHARED_SIZE - 1)
    assert items.threads == {threading.current_thread()}


def test_every_item_is_computed_once(pool):
    for n in 1, 3, 4, 5, 10:
        Items().check(n)


@pytest.mark.parametrize('n_started', [0, 1, 2])
def test_threads_cannot_be_started(pool, monkeypatch, n_started):
    def start(thread):
        if len(started) == n_started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real_start(thread)

    started, real_start = [], threading.Thread.start
    monkeypatch.setattr(threading.Thread, 'start', start)
    for _ in range(3):
        Items().check()
    monkeypatch.undo()
    monkeypatch.setattr(threads, 'n_cores', lambda: 4)
    for _ in range(3):  # later calls start threads again
        Items().check()


def test_arrays_are_freed_without_threads(pool, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, 'start', start)
    items = Items()
    items.check()
    reference = weakref.ref(items)
    del items
    assert reference() is None


def test_busy_threads(pool):
    free = threading.Event()
    Items().check()
    for _ in range(os.cpu_count()):
        threads._pool.submit(free.wait, 60)
    items = Items()
    items.check()
    assert items.threads == {threading.current_thread()}
    free.set()


def test_pool_is_shut_down(pool):
    Items().check()
    threads._pool.shutdown()
    Items().check()
    Items().check()


def test_error_in_a_thread(pool):
    def loop(first, last):
        if first:
            raise ValueError(f'range from {first}')

    with pytest.raises(ValueError, match='range from'):
        threads.share(loop, 10, threads._SHARED_SIZE)
    Items().check()


END = """if True:
    import atexit, os, sys, threading, time
    import numpy, qrnn
    from qrnn.kernels.cpu import threads

    threads.n_cores = lambda: 3
    threads._SHARED_SIZE = 1000
    x = numpy.ones((8, 64, 128), 'f')

    def work():
        if sys.argv[1] != 'atexit':
            threading.main_thread().join()
            time.sleep(.1)
        assert (qrnn.strnn(x, x).array[0, :, 0] == range(1, 65)).all()
        if sys.argv[2] == 'fork':
            child = os.fork()
            if not child:
                qrnn.strnn(x, x)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        os.write(1, b'finished')

    if sys.argv[2] != 'cold':
        qrnn.strnn(x, x)
    if sys.argv[1] == 'atexit':
        atexit.register(work)
    else:
        threading.Thread(target=work).start()
"""


@pytest.mark.parametrize('state', ['cold', 'warm', 'fork'])
@pytest.mark.parametrize('where', ['thread', 'atexit'])
def test_call_after_the_main_thread_has_ended(where, state):
    if state == 'fork' and sys.version_info[:2] == (3, 12):
        pytest.skip('Python 3.12 cannot fork at interpreter shutdown')
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', END, where, state],
        capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'finished', '')
