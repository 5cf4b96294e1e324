"""Division of the loops among threads."""
import collections
import concurrent.futures
import os
import queue


#: Smallest number of elements for which a second thread saves time. After a
#: matrix product, the threads of BLAS keep the other cores busy for a while.
_SHARED_SIZE = 1 << 20

_pool = None


def share(loop, n_items, size, *args):
    """Call ``loop(first, last, *args)`` in several threads for all items.

    The items are divided into equal ranges, one per thread. A range that no
    other thread has started is computed by the calling thread, so the loop
    also runs if no thread can be created. The result for an item must not
    depend on its range.

    Args:
        loop (callable): Compiled by
            :func:`~qrnn.kernels.cpu.compilation.compiled`.
        n_items (int): Number of items.
        size (int): Total number of elements. If it is small, the calling
            thread computes all items.
        args: Further arguments of the loop.

    """
    n_threads = min(n_items, n_cores()) if size >= _SHARED_SIZE else 1
    if n_threads <= 1:
        loop(0, n_items, *args)
        return
    bounds = [n * n_items // n_threads for n in range(n_threads + 1)]
    ranges = collections.deque(zip(bounds, bounds[1:]))
    errors = queue.SimpleQueue()  # an exception or None per range

    def work():
        while True:
            try:
                first, last = ranges.popleft()
            except IndexError:  # all ranges have been started
                return
            try:
                loop(first, last, *args)
            except BaseException as error:
                errors.put(error)
            else:
                errors.put(None)

    _call_in_threads(n_threads - 1, work)
    work()
    for _ in range(n_threads):
        error = errors.get()
        if error:
            raise error


def n_cores():
    """Return the number of cores that this process may use.

    ``OMP_NUM_THREADS`` limits the number.
    """
    n_available = len(os.sched_getaffinity(0))
    limit = os.environ.get('OMP_NUM_THREADS', '')
    limit = int(limit) if limit.isdigit() else 0
    return min(n_available, limit or n_available)


def _call_in_threads(n, function):
    """Call a function in up to n threads, without waiting for them."""
    global _pool
    try:
        if _pool is None:
            _pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        for _ in range(n):
            _pool.submit(function)
    except RuntimeError:
        # The interpreter is shutting down, or no thread can be created. The
        # pool is discarded, because its queue would keep arrays alive.
        _forget_threads()


def _forget_threads():
    global _pool
    _pool = None


# Threads do not survive a fork; the child process starts new threads.
os.register_at_fork(after_in_child=_forget_threads)
