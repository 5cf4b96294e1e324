"""Which kernels to launch, on what grid, with which arguments.

Nothing here knows CuPy: the tests run the same plans, on a machine without a
GPU, against the same kernels compiled for the host.
"""
import collections

import numpy

from qrnn.kernels import philox


#: One launch: ``args`` are arrays, ``None`` for a null pointer, and numbers.
Launch = collections.namedtuple('Launch', 'kernel grid block shared args')

REGIMES = ('sequential', 'block_scan', 'chunked_scan')

LANES = 32  # neighbouring channels, one per thread of a warp
CHANNEL_THREADS = 64  # of a block, where a thread is a channel

# Warps of a block at most, where warps are slices of time, by dtype. A thread
# then has 128 registers, or for float64 256, and a block a multiprocessor of
# its own. Where there are more blocks than that, blocks of half as many warps
# run two by two, one loading while the other computes.
WARPS = {16: 16, 32: 16, 64: 8}
BLOCKS_ALONE = 256

# By direction and dtype: steps of loads in flight ahead of a chain, and steps
# of a warp's slice. Multiples of four, as zoneout draws. As many as fit the
# registers: qrnn.kernels.cuda.resources shows them.
AHEAD = {'forward': {16: 8, 32: 8, 64: 4}, 'backward': {16: 4, 32: 4, 64: 4}}
SLICE = {'forward': {16: 8, 32: 8, 64: 4}, 'backward': {16: 4, 32: 4, 64: 4}}

# Blocks of channels that a multiprocessor is to hold at once, at least: what
# 65,536 channels give each of an H200's 132. It holds eight of 128 registers a
# thread and no more of 97; with 96, backward spills.
CHANNEL_BLOCKS = {16: 8, 32: 8, 64: 4}

ROW_THREADS = 128  # of a block that works on columns of rows
LABEL_THREADS = 256  # of a block that has a row of logits, at most

SPLIT_BLOCKS = 1024  # enough to fill any device, where time is split
MAX_CHUNKS = 256  # walked by one thread per channel, between the two passes

MAX_STEPS = 2 ** 30
MAX_ROW_BYTES = 2 ** 31 - 1


def choose_regime(channels, T):
    """Return the launch regime for ``channels`` = B C recurrences of T steps.

    ===========================  ================  ===========================
    rule, the first that fits    regime            why
    ===========================  ================  ===========================
    T <= 8 or B C >= 32,768      ``sequential``    one thread per channel is
                                                   enough to keep the memory
                                                   busy, or there is no time
                                                   to split
    B C <= 2,048 and T >= 4,096  ``chunked_scan``  fewer than 64 blocks of 32
                                                   channels leave most of a
                                                   large device idle; reading
                                                   some inputs twice costs
                                                   less than that
    otherwise                    ``block_scan``    the paper's sizes
    ===========================  ================  ===========================
    """
    if T <= 8 or channels >= 32768:
        return 'sequential'
    if channels <= 2048 and T >= 4096:
        return 'chunked_scan'
    return 'block_scan'


def definitions(bits):
    """Return the constants that the sources share with this module."""
    return {
        'QRNN_BITS': bits,
        'QRNN_FORWARD_AHEAD': AHEAD['forward'][bits],
        'QRNN_FORWARD_SLICE': SLICE['forward'][bits],
        'QRNN_BACKWARD_AHEAD': AHEAD['backward'][bits],
        'QRNN_BACKWARD_SLICE': SLICE['backward'][bits],
        'QRNN_CHANNEL_BLOCKS': CHANNEL_BLOCKS[bits],
        'QRNN_CHANNEL_THREADS': CHANNEL_THREADS,
        'QRNN_WARPS': WARPS[bits],
        'QRNN_CHUNK': philox.CHUNK,
    }


class Scan:
    """How one operation of the ``.cu`` files runs over B C recurrences.

    Args:
        name (str): The operation, ``'<family>_<direction>'``.
        dtype (numpy.dtype): Of the arrays.
        channels (int): B C.
        T (int): Steps.
        regime (str): One of ``REGIMES``; chosen if omitted.

    """

    def __init__(self, name, dtype, channels, T, regime=None):
        if T >= MAX_STEPS:
            raise ValueError(
                f'a sequence may have fewer than {MAX_STEPS} steps, not {T}')
        self.name = name
        self.channels = channels
        self.T = T
        self.regime = regime or choose_regime(channels, T)
        self.carry = carry_dtype(dtype)
        bits, direction = bits_of(dtype), name.split('_')[1]
        self.slice = SLICE[direction][bits]
        self.groups = _ceil(channels, LANES)
        alone = self.regime == 'block_scan' and self.groups <= BLOCKS_ALONE
        self.warps = WARPS[bits] if alone else WARPS[bits] // 2
        self.chunks, self.chunk = self._chunks()

    def _chunks(self):
        """Return the number of chunks of time, and the steps of each."""
        if self.regime != 'chunked_scan':
            return 1, max(1, _ceil(self.T, self.slice)) * self.slice
        tile = self.warps * self.slice
        wanted = min(MAX_CHUNKS, _ceil(SPLIT_BLOCKS, max(1, self.groups)))
        chunk = max(1, _ceil(_ceil(self.T, wanted), tile)) * tile
        return max(1, _ceil(self.T, chunk)), chunk

    def launches(self, args, initial, empty):
        """Return the launches, in order.

        Args:
            args (tuple): The arguments that the operation's kernels share.
            initial: Array of what the carry begins with, or None.
            empty: Makes an array of a shape and dtype.

        """
        if self.channels == 0:
            return []
        if self.regime == 'sequential':
            return [self._per_channel(self.name + '_sequential', args)]
        if self.chunks == 1:
            return [self._per_slice('block_scan', self.chunks, 4,
                                    args + (self.chunk, None))]
        products = empty((self.chunks - 1, self.channels), self.carry)
        sums = empty((self.chunks - 1, self.channels), self.carry)
        carries = empty((self.chunks, self.channels), self.carry)
        return [
            self._per_slice('reduce', self.chunks - 1, 2,
                            args + (self.chunk, products, sums)),
            self._per_channel('scan_carries', (
                initial, products, sums, carries, self.channels, self.chunks)),
            self._per_slice('block_scan', self.chunks, 4,
                            args + (self.chunk, carries)),
        ]

    def _per_channel(self, kernel, args):
        grid = _ceil(self.channels, CHANNEL_THREADS), 1, 1
        return Launch(kernel, grid, (CHANNEL_THREADS, 1, 1), 0, args)

    def _per_slice(self, kernel, chunks, values, args):
        # `values` carries of every thread are shared.
        warps = min(self.warps, self.chunk // self.slice)
        return Launch(f'{self.name}_{kernel}',
                      (self.groups, chunks, 1), (LANES, warps, 1),
                      values * LANES * warps * self.carry.itemsize, args)


def over_rows(kernel, columns, rows, args):
    """Return the launch of a kernel whose threads have a column each."""
    if columns == 0 or rows == 0:
        return []
    return [Launch(kernel, (_ceil(columns, ROW_THREADS), min(rows, 65535), 1),
                   (ROW_THREADS, 1, 1), 0, args)]


def block_per_row(kernel, rows, columns, itemsize, args):
    """Return the launch of a kernel whose blocks have a row each.

    Two values per thread are shared, and one more.
    """
    if rows == 0:
        return []
    threads = _threads(columns, LABEL_THREADS)
    return [Launch(kernel, (rows, 1, 1), (threads, 1, 1),
                   (2 * threads + 1) * itemsize, args)]


def one_block(kernel, size, itemsize, args):
    """Return the launch of one block, with so many shared bytes a thread."""
    threads = _threads(size, 1024)
    return [Launch(kernel, (1, 1, 1), (threads, 1, 1), itemsize * threads,
                   args)]


def _threads(size, most):
    """Return the threads for so many elements: a power of two, >= a warp."""
    return min(most, max(LANES, 1 << max(0, size - 1).bit_length()))


def sum_rows(matrix, out, rows, columns):
    """Return the launch that sums a (rows, columns) matrix over rows."""
    if columns == 0:
        return []
    parts = max(1, min(8, rows))
    return [Launch('sum_rows', (_ceil(columns, LANES), 1, 1),
                   (LANES, parts, 1), LANES * parts * matrix.itemsize,
                   (matrix, out, rows, columns))]


def bits_of(dtype):
    """Return 16, 32 or 64, for a dtype that has kernels."""
    dtype = numpy.dtype(dtype)
    if dtype.kind != 'f' or dtype.itemsize not in (2, 4, 8):
        raise TypeError(
            f'kernels are for float16, float32 and float64, not {dtype}')
    return 8 * dtype.itemsize


def carry_dtype(dtype):
    """Return the dtype of carries, gates and sums."""
    return numpy.promote_types(dtype, numpy.float32)


def _ceil(a, b):
    return -(-a // b)
