"""Copies to measure memory against, and what keeps caches out of it."""
import math


_BEYOND_CACHES = 256 << 20  # bytes; an H200's cache has 60 MB
_BUFFER = 1 << 30


def rounds_beyond_caches(n_bytes):
    """Return how many sets of so many bytes no cache holds, at least two.

    Work that goes through as many sets in turn finds none of them cached.
    """
    return max(2, math.ceil(_BEYOND_CACHES / max(1, n_bytes)))


def copy_of(n_bytes, calls, xp):
    """Return a function that copies ``calls`` times.

    Half of the bytes are read, half are written. Many bytes are copied within
    buffers that are beyond what caches hold.

    Args:
        n_bytes (int): Bytes that one copy moves, read and written together.
        calls (int): Number of copies when called.
        xp (module): NumPy or CuPy.

    """
    whole, rest = divmod(n_bytes // 2, _BUFFER)
    sizes = whole * [_BUFFER // 4] + [rest // 4] * (rest >= 4)
    if whole:
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
    source = xp.arange(size, dtype='f')  # not zeros: some chips are faster so
    return source, xp.empty_like(source)
