"""Elementwise work on large arrays: in the cache, and on every core."""

import concurrent.futures
import os

import numpy


_BLOCK_SIZE = 1 << 17  # elements; a few arrays of them fit in a core's cache
_THREADED_SIZE = 1 << 19  # elements from which starting threads pays


def each_block(function, shape, xp=numpy):
    """Calls a function for every block of ``(B, T, C)`` arrays.

    A chain of elementwise operations goes over its arrays once for each of
    them. Block by block, the arrays come from memory once, and as NumPy
    releases Python's global lock, several cores work at different blocks,
    which NumPy alone does for matrix products only. Results do not depend on
    the number of threads, as long as the function touches its own block
    alone.

    Args:
        function (callable): Called with ``(b, t)``, two slices. Several
            threads call it at a time.
        shape (tuple of ints): ``(B, T, C)``.
        xp (module): Array module. Only NumPy's arrays are cut; others' are
            one block.

    """
    B, T, C = shape
    if xp is not numpy:
        return function((slice(0, B), slice(0, T)))
    n_steps = max(1, _BLOCK_SIZE // max(1, C))
    n_sequences = max(1, n_steps // max(1, T))
    blocks = [
        (slice(b, b + n_sequences), slice(t, min(t + n_steps, T)))
        for b in range(0, B, n_sequences) for t in range(0, T, n_steps)]
    n_threads = _n_cores() if B * T * C >= _THREADED_SIZE else 1
    if n_threads == 1:
        for block in blocks:
            function(block)
        return
    # Starting threads anew takes a fraction of a millisecond, and leaves
    # nothing behind that a fork would break.
    with concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(function, blocks):
            pass


def _n_cores():
    """Cores that this process may use, and is not told to leave alone."""
    limit = os.environ.get('OMP_NUM_THREADS', '')
    try:
        n_cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        n_cores = os.cpu_count() or 1
    return min(n_cores, int(limit)) if limit.isdigit() and int(limit) else (
        n_cores)
