"""Copies of memory for comparison, and working sets larger than caches."""
import math


_BEYOND_CACHES = 256 << 20  # bytes; an H200's cache has 60 MB
_BUFFER = 1 << 30


def rounds_beyond_caches(n_bytes):
    """Return how many sets of arrays exceed all caches, at least two.

    Work that uses that many sets in turn finds none of them in a cache.

    Args:
        n_bytes (int): Bytes in a set.

    """
    return max(2, math.ceil(_BEYOND_CACHES / max(1, n_bytes)))


def copy_of(n_bytes, calls, xp):
    """Return a function that copies memory ``calls`` times.

    Half of the bytes are read, half are written. To limit memory, many bytes
    are copied within a pair of buffers that is larger than all caches.

    Args:
        n_bytes (int): Bytes read and written by one copy.
        calls (int): Number of copies per call of the function.
        xp (module): NumPy or CuPy.

    """
    n_buffers, remainder = divmod(n_bytes // 2, _BUFFER)
    sizes = n_buffers * [_BUFFER // 4] + [remainder // 4] * (remainder >= 4)
    if n_buffers:
        shared = _pair(_BUFFER // 4, xp)
        pairs = [[tuple(a[:size] for a in shared) for size in sizes]]
    else:
        pairs = [[_pair(size, xp) for size in sizes] for _ in range(calls)]

    def copy():
        for i in range(calls):
            for source, target in pairs[i % len(pairs)]:
                xp.copyto(target, source)

    return copy


def _pair(size, xp):
    source = xp.arange(size, dtype='f')  # zeros are faster on some hardware
    return source, xp.empty_like(source)
