import numpy


def philox(counter, seed, xp=numpy):
    """Return 128 random bits for each counter, the same bits as ``philox.cu``.

    Args:
        counter (:ref:`ndarray`): 64-bit counters, of any shape.
        seed (int): 64-bit key.
        xp: NumPy or CuPy.

    Returns:
        tuple: Four arrays of 32-bit words, as uint64.

    """
    low = xp.uint64(0xFFFFFFFF)
    half = xp.uint64(32)
    counter = counter.astype(xp.uint64)
    x0, x1 = counter & low, counter >> half
    x2 = x3 = xp.zeros_like(x0)
    key0, key1 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        product0 = xp.uint64(0xD2511F53) * x0
        product1 = xp.uint64(0xCD9E8D57) * x2
        x0, x1, x2, x3 = (
            (product1 >> half) ^ x1 ^ xp.uint64(key0), product1 & low,
            (product0 >> half) ^ x3 ^ xp.uint64(key1), product0 & low)
        key0 = key0 + 0x9E3779B9 & 0xFFFFFFFF
        key1 = key1 + 0xBB67AE85 & 0xFFFFFFFF
    return x0, x1, x2, x3


def zoneout_mask(seed, ratio, shape, xp=numpy):
    """Compute :func:`qrnn.kernels.zoneout_mask` with array operations."""
    B, T, C = shape
    if 0 in shape:
        return xp.zeros(shape, bool)
    groups = -(-T // 4)
    counter = xp.arange(B * groups * C, dtype=xp.int64).reshape(B, groups, C)
    words = xp.stack(philox(counter, seed, xp), axis=2)  # (B, groups, 4, C)
    limit = limit_of(ratio)
    if limit < 0:
        return xp.zeros(shape, bool)
    return words.reshape(B, groups * 4, C)[:, :T] <= xp.uint64(limit)


def expected_ratio(zoneout, seed, mask):
    """Return the zoneout ratio if f is replaced by its expectation, else 0."""
    return float(zoneout) if mask is None and seed is None else 0.


#: Number of elements in a chunk of dropout's mask. Each counter gives four
#: random words, one for an element in each quarter of a chunk.
CHUNK = 4096


def limit_of(ratio):
    """Return the limit of the random words for which a mask is true.

    A 32-bit word is at most the limit with probability ``ratio``. If ``ratio``
    is 0, the limit is -1.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(
            f'ratio must be a probability between 0 and 1, not {ratio}')
    return int(round(float(ratio) * 2 ** 32)) - 1


def scale_of(ratio):
    """Return the factor by which dropout scales the remaining elements."""
    return 0. if ratio == 1 else 1. / (1 - ratio)
