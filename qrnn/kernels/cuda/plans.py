"""Launch plans: kernels, grids and arguments.

This module does not use CuPy. On a machine without a GPU, the tests run the
same plans with the same kernels, compiled for the host.
"""
import collections

import numpy

from qrnn.kernels import philox


#: A kernel launch. ``args`` are arrays, numbers, and None for a null pointer.
Launch = collections.namedtuple('Launch', 'kernel grid block shared args')

REGIMES = ('sequential', 'block_scan', 'chunked_scan')

LANES = 32  # adjacent channels, one per thread of a warp
CHANNEL_THREADS = 64  # threads of a block with one channel per thread

# Largest number of warps in a block if each warp processes a slice of time.
# The keys are the bits of the dtype. With this number of warps, a thread has
# up to 128 registers (255 for float64), and a block fills a multiprocessor.
# Chunked scans, and block scans with more than BLOCKS_ALONE blocks, use half
# as many warps. Then two blocks share a multiprocessor: one loads while the
# other computes.
WARPS = {16: 16, 32: 16, 64: 8}
BLOCKS_ALONE = 256

# AHEAD is the number of steps that are loaded ahead of the computation. SLICE
# is the number of steps in the slice of a warp. The keys are the direction and
# the bits of the dtype. All values are multiples of four, because a zoneout
# draw covers four steps. They are as large as the number of registers allows;
# see qrnn.kernels.cuda.resources.
AHEAD = {'forward': {16: 8, 32: 8, 64: 4}, 'backward': {16: 4, 32: 4, 64: 4}}
SLICE = {'forward': {16: 8, 32: 8, 64: 4}, 'backward': {16: 4, 32: 4, 64: 4}}

# Number of blocks of a sequential kernel that must fit on a multiprocessor at
# the same time. The compiler limits the registers accordingly. The keys are
# the bits of the dtype. With 65,536 channels, each of the 132 multiprocessors
# of an H200 gets up to eight blocks. With 97 to 128 registers per thread,
# exactly eight blocks fit. With 96 registers, backward spills.
CHANNEL_BLOCKS = {16: 8, 32: 8, 64: 4}

ROW_THREADS = 128  # threads of a block with one column per thread
LABEL_THREADS = 256  # largest number of threads that share a row

# If the time axis is split, this many blocks are enough to occupy any GPU.
SPLIT_BLOCKS = 1024
# Largest number of chunks, which scan_carries processes one after another.
MAX_CHUNKS = 256

MAX_STEPS = 2 ** 30
MAX_ROW_BYTES = 2 ** 31 - 1


def choose_regime(channels, T):
    """Return the launch regime for ``channels`` = B C recurrences of T steps.

    The first rule that matches applies.

    ===========================  ================  ===========================
    rule                         regime            reason
    ===========================  ================  ===========================
    T <= 8 or B C >= 32,768      ``sequential``    one thread per channel
                                                   saturates the memory, or T
                                                   is too small to split
    B C <= 2,048 and T >= 4,096  ``chunked_scan``  at most 64 blocks of 32
                                                   channels leave most of a
                                                   large device idle, which
                                                   costs more than reading
                                                   some inputs twice
    otherwise                    ``block_scan``    includes the sizes of the
                                                   paper
    ===========================  ================  ===========================
    """
    if T <= 8 or channels >= 32768:
        return 'sequential'
    if channels <= 2048 and T >= 4096:
        return 'chunked_scan'
    return 'block_scan'


def definitions(bits):
    """Return the constants of this module that the CUDA sources use."""
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
    """Launch plan of an operation that scans over time.

    Args:
        name (str): Name of the operation, ``'<family>_<direction>'``.
        dtype (numpy.dtype): Dtype of the arrays.
        channels (int): Number of recurrences, B C.
        T (int): Number of steps.
        regime (str): One of ``REGIMES``. Selected by :func:`choose_regime` if
            omitted.

    """

    def __init__(self, name, dtype, channels, T, regime=None):
        if T >= MAX_STEPS:
            raise ValueError(
                f'a sequence has {T} steps, but the kernels support fewer '
                f'than {MAX_STEPS}; split the sequence')
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
        """Return the number of chunks of time, and the steps in each chunk."""
        if self.regime != 'chunked_scan':
            return 1, max(1, _ceil(self.T, self.slice)) * self.slice
        tile = self.warps * self.slice
        limit = min(MAX_CHUNKS, _ceil(SPLIT_BLOCKS, max(1, self.groups)))
        chunk = max(1, _ceil(_ceil(self.T, limit), tile)) * tile
        return max(1, _ceil(self.T, chunk)), chunk

    def launches(self, args, initial, empty):
        """Return the launches, in order.

        Args:
            args (tuple): Arguments that the kernels have in common.
            initial (:ref:`ndarray`): Initial carry, ``(B, C)``, or None for 0.
            empty (callable): Function that allocates an array, given its shape
                and dtype.

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
        # Shared memory holds `values` numbers for each thread.
        warps = min(self.warps, self.chunk // self.slice)
        return Launch(f'{self.name}_{kernel}',
                      (self.groups, chunks, 1), (LANES, warps, 1),
                      values * LANES * warps * self.carry.itemsize, args)


def over_rows(kernel, columns, rows, args):
    """Return the launch of a kernel for an array of rows and columns.

    A thread processes one column of every ``gridDim.y``-th row.
    """
    if columns == 0 or rows == 0:
        return []
    return [Launch(kernel, (_ceil(columns, ROW_THREADS), min(rows, 65535), 1),
                   (ROW_THREADS, 1, 1), 0, args)]


def block_per_row(kernel, rows, columns, itemsize, args):
    """Return the launch of a kernel in which a block processes a row.

    Shared memory holds two values per thread and one for the block.
    """
    if rows == 0:
        return []
    threads = _threads(columns, LABEL_THREADS)
    return [Launch(kernel, (rows, 1, 1), (threads, 1, 1),
                   (2 * threads + 1) * itemsize, args)]


def one_block(kernel, size, itemsize, args):
    """Return the launch of a kernel with a single block.

    Each thread has ``itemsize`` bytes of shared memory.
    """
    threads = _threads(size, 1024)
    return [Launch(kernel, (1, 1, 1), (threads, 1, 1), itemsize * threads,
                   args)]


def _threads(size, most):
    """Return the number of threads, a power of two from 32 to ``most``."""
    return min(most, max(LANES, 1 << max(0, size - 1).bit_length()))


def sum_rows(matrix, out, rows, columns):
    """Return the launch that adds up the rows of a (rows, columns) matrix."""
    if columns == 0:
        return []
    parts = max(1, min(8, rows))
    return [Launch('sum_rows', (_ceil(columns, LANES), 1, 1),
                   (LANES, parts, 1), LANES * parts * matrix.itemsize,
                   (matrix, out, rows, columns))]


def bits_of(dtype):
    """Return the number of bits of a dtype: 16, 32 or 64."""
    dtype = numpy.dtype(dtype)
    if dtype.kind != 'f' or dtype.itemsize not in (2, 4, 8):
        raise TypeError(
            f'the kernels support float16, float32 and float64, not {dtype}')
    return 8 * dtype.itemsize


def carry_dtype(dtype):
    """Return the dtype of intermediate results, float32 or wider."""
    return numpy.promote_types(dtype, numpy.float32)


def _ceil(a, b):
    return -(-a // b)
