"""How the loops are compiled, and shared among threads."""
import concurrent.futures
import os

import numba


#: Elements from which a second thread pays for waking it up.
_SHARED_SIZE = 1 << 15

#: Products are fused with sums. NaN and infinity are what they are, so that a
#: training that diverges shows it.
FASTMATH = {'contract', 'nsz'}

_pool = None


def compiled(function):
    """Compile a loop over arrays on its first call, and keep it on disk.

    The loop releases Python's global lock. It may use compiled functions and
    constants of its own file only: Numba's files on disk are renewed when that
    file changes, whatever it imports.
    """
    options = {'nogil': True, 'error_model': 'numpy', 'fastmath': FASTMATH}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder that could be written
        return numba.njit(**options)(function)


def share(loop, n_items, size, *args):
    """Call ``loop(first, last, *args)`` so that all items get their turn.

    Threads take equal ranges of the items. What is computed for an item must
    not depend on the range that it is in.

    Args:
        loop (callable): Compiled by :func:`compiled`.
        n_items (int): Number of items.
        size (int): Number of elements in all, to tell whether threads pay.
        args: Further arguments of the loop.

    """
    n_threads = min(n_items, n_cores()) if size >= _SHARED_SIZE else 1
    if n_threads <= 1:
        loop(0, n_items, *args)
        return
    bounds = [n * n_items // n_threads for n in range(n_threads + 1)]
    others = [_threads().submit(loop, *bounds[n:n + 2], *args)
              for n in range(1, n_threads)]
    loop(*bounds[:2], *args)
    for other in others:
        other.result()


def n_cores():
    """Return how many cores this process may use: ``OMP_NUM_THREADS`` counts.
    """
    n_available = len(os.sched_getaffinity(0))
    limit = os.environ.get('OMP_NUM_THREADS', '')
    limit = int(limit) if limit.isdigit() else 0
    return min(n_available, limit or n_available)


def _threads():
    global _pool
    if _pool is None:
        _pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    return _pool


def _forget_threads():
    global _pool
    _pool = None


# Threads do not survive a fork; the child starts its own.
os.register_at_fork(after_in_child=_forget_threads)
