"""Memory copies, timed for comparison with kernels."""
import math


BEYOND_CACHES = 256 << 20  # bytes; an H200's cache has 60 MB


def rounds_beyond_caches(n_bytes, beyond_caches=BEYOND_CACHES):
    """Return how many sets of arrays are needed to exceed all caches.

    The number is at least 2. If a function uses that many sets in turn, no set
    is ever in a cache.

    Args:
        n_bytes (int): Bytes in a set.
        beyond_caches (int): A number of bytes that exceeds all caches.

    """
    return max(2, math.ceil(beyond_caches / max(1, n_bytes)))


def copy_of(n_bytes, calls, xp, buffer=1 << 30):
    """Return a function that copies memory ``calls`` times.

    To limit memory use, a large copy is split into parts that use the same two
    buffers. The buffers are larger than all caches.

    Args:
        n_bytes (int): Number of bytes read plus number of bytes written by one
            copy. The two numbers are equal.
        calls (int): Number of copies per call of the function.
        xp (module): NumPy or CuPy.
        buffer (int): Bytes of each buffer.

    """
    n_buffers, remainder = divmod(n_bytes // 2, buffer)
    sizes = n_buffers * [buffer // 4] + [remainder // 4] * (remainder >= 4)
    if n_buffers:
        shared = _pair(buffer // 4, xp)
        pairs = [[tuple(a[:size] for a in shared) for size in sizes]]
    else:
        pairs = [[_pair(size, xp) for size in sizes] for _ in range(calls)]

    def copy():
        for i in range(calls):
            for source, target in pairs[i % len(pairs)]:
                xp.copyto(target, source)

    return copy


def _pair(size, xp):
    source = xp.arange(size, dtype='f')  # not zeros, which may copy faster
    return source, xp.empty_like(source)
