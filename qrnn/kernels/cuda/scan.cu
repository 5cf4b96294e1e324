// Recurrences over time in three launch regimes, for any operation that applies
// an affine map to a carry at every step:
//
//   sequential    for many channels. One thread processes all steps of a
//                 channel.
//   block scan    The lanes of a warp process 32 adjacent channels. The warps
//                 of a block process adjacent slices of time, which form a
//                 tile. A block processes one tile after another.
//   chunked scan  for few channels and long sequences. Time is split into
//                 chunks, one per block: `reduce` computes the map of each
//                 chunk, `scan_carries` computes the carries between chunks,
//                 and `block_scan` computes the steps of each chunk.
//
// The class of an operation, `Op`, defines one step:
//
//   DOWN        is 1 if Op runs from the last step to the first, 0 otherwise;
//   SUMS        is the number of sums over time that Op stores in sums[];
//   enter(n)    selects channel n = b C + c, or no channel if n is too large;
//   initial()   returns the carry before the first step;
//   covers(t,n) returns whether steps t to t + n - 1 need no bounds checks;
//   load(t)     fetches the inputs of step t, long before they are used;
//   draw(t)     returns four bits: bit j is 1 if step t + j is zoned out;
//   map(...)    returns the map of a step from the inputs and the drawn bit;
//   advance()   computes the carry after the step;
//   apply(...)  computes the carry after the step and stores the outputs;
//   finish()    stores the carry after the last step;
//   put_sums(k) stores the sums of chunk k.
//
// Template flags: `whole` is true if the outputs of a step are needed, and
// false if only its map is needed; `full` is true if a step needs no bounds
// checks.
//
// Time is processed in whole slices. Steps before the first and past the last
// are identity maps that load and store nothing. Slices start at multiples of
// four, because a draw covers four steps.
//
// Op::AHEAD is the number of steps loaded ahead of the computation, and
// Op::SLICE is the number of steps in the slice of a warp. Op inherits both
// from Forward or Backward. The launcher defines the values.

struct Forward {
  enum {
    DOWN = 0,
    AHEAD = QRNN_FORWARD_AHEAD,
    SLICE = QRNN_FORWARD_SLICE
  };
};
struct Backward {
  enum {
    DOWN = 1,
    AHEAD = QRNN_BACKWARD_AHEAD,
    SLICE = QRNN_BACKWARD_SLICE
  };
};

#define LANES 32

// The map of all steps of a slice: carry -> product * carry + sum.
struct alignas(2 * sizeof(Carry)) Slice { Carry product, sum; };

SHARED_MEMORY(Slice)

template <class Op>
__device__ inline int padded_steps(const Op& op, int unit) {
  return ((int) op.T + unit - 1) / unit * unit;
}

// Returns the time of the p-th of `padded` processed steps. If Op::DOWN is 1,
// the first processed step is at time padded - 1.
template <class Op>
__device__ inline int time_of(int p, int padded) {
  return Op::DOWN ? padded - 1 - p : p;
}

template <class Op>
__device__ inline bool is_zoned(unsigned drawn, int j) {
  return drawn >> (Op::DOWN ? 3 - j % 4 : j % 4) & 1u;
}

template <class Op>
__device__ inline unsigned draw_for(Op& op, int t) {
  return op.draw(Op::DOWN ? t - 3 : t);
}

// Returns whether `count` steps, starting with the p-th processed step, need no
// bounds checks.
template <class Op>
__device__ inline bool covered(const Op& op, int p, int count, int padded) {
  return op.covers(time_of<Op>(Op::DOWN ? p + count - 1 : p, padded), count);
}

// Loads the inputs of a slice that starts with the p-th processed step.
template <class Op, bool whole, bool full>
__device__ inline void load_slice(const Op& op, int p, int padded,
                                  typename Op::Step* ahead) {
#pragma unroll
  for (int j = 0; j < Op::SLICE; ++j)
    ahead[j] = op.template load<whole, full>(time_of<Op>(p + j, padded));
}

template <class Op, bool whole>
__device__ inline void load_ahead(const Op& op, int p, int padded,
                                  typename Op::Step* ahead) {
  if (covered(op, p, Op::SLICE, padded))
    load_slice<Op, whole, true>(op, p, padded, ahead);
  else
    load_slice<Op, whole, false>(op, p, padded, ahead);
}

template <class Op, bool full>
__device__ inline void walk_channel(Op& op, int p, int padded,
                                    typename Op::Step* ahead, Carry& carry) {
  unsigned drawn = 0;
#pragma unroll
  for (int j = 0; j < Op::AHEAD; ++j) {
    const int t = time_of<Op>(p + j, padded);
    if (j % 4 == 0) drawn = draw_for(op, t);
    const typename Op::Step step = ahead[j];
    ahead[j] = op.template load<true, full>(
        time_of<Op>(p + j + Op::AHEAD, padded));
    op.template apply<full>(
        t, op.template map<true, full>(t, step, is_zoned<Op>(drawn, j)),
        carry);
  }
}

template <class Op>
__device__ inline void sequential(Op op) {
  op.enter((Index) blockIdx.x * blockDim.x + threadIdx.x);
  if (!op.inside) return;
  const int padded = padded_steps(op, Op::AHEAD);
  typename Op::Step ahead[Op::AHEAD];
#pragma unroll
  for (int j = 0; j < Op::AHEAD; ++j)
    ahead[j] = op.template load<true, false>(time_of<Op>(j, padded));
  Carry carry = op.initial();
  for (int p = 0; p < padded; p += Op::AHEAD) {
    if (covered(op, p, 2 * Op::AHEAD, padded))
      walk_channel<Op, true>(op, p, padded, ahead, carry);
    else
      walk_channel<Op, false>(op, p, padded, ahead, carry);
  }
  op.finish(carry);
  op.put_sums(0);
}

// Computes the map of each step in a slice, and the composition of these maps.
template <class Op, bool full>
__device__ inline void map_slice(Op& op, int p, int padded,
                                 const typename Op::Step* ahead,
                                 typename Op::Map* maps, Carry& product,
                                 Carry& sum) {
  unsigned drawn = 0;
#pragma unroll
  for (int j = 0; j < Op::SLICE; ++j) {
    const int t = time_of<Op>(p + j, padded);
    if (j % 4 == 0) drawn = draw_for(op, t);
    maps[j] = op.template map<true, full>(t, ahead[j], is_zoned<Op>(drawn, j));
    product *= maps[j].f;
    op.advance(maps[j], sum);
  }
}

template <class Op, bool full>
__device__ inline void apply_slice(Op& op, int p, int padded,
                                   const typename Op::Map* maps,
                                   Carry carry) {
#pragma unroll
  for (int j = 0; j < Op::SLICE; ++j)
    op.template apply<full>(time_of<Op>(p + j, padded), maps[j], carry);
}

// Each warp has a map for its slice. Applies the maps of all warps from `rank`
// up to `end` - 1, one after the other, and returns the new carry.
__device__ inline Carry pass(const Slice* slices, int rank, int end,
                             Carry carry) {
#pragma unroll 4
  for (int v = rank; v < end; ++v) {
    const Slice slice = slices[v * LANES];
    carry = slice.product * carry + slice.sum;
  }
  return carry;
}

// Grid: (groups of 32 channels, chunks of time). Block: (32, warps). Shared
// memory contains two buffers for (product, sum) of every thread. Tiles use the
// buffers alternately, so one barrier per tile suffices: a thread at the
// barrier of the next tile has already read the values of this tile.
template <class Op>
__device__ inline void block_scan(Op op, int chunk, const Carry* carries) {
  Slice* const slices_of_tiles = shared_memory();
  const int lane = threadIdx.x, rank = threadIdx.y, warps = blockDim.y;
  const int tile = warps * Op::SLICE;
  op.enter((Index) blockIdx.x * LANES + lane);
  const int padded = padded_steps(op, Op::SLICE);
  const int first = blockIdx.y * chunk;
  const int last = min(first + chunk, padded);
  Carry carry = 0;
  if (op.inside)
    carry = carries ? fetch(carries + blockIdx.y * op.channels() + op.n)
                    : op.initial();

  typename Op::Step ahead[Op::SLICE];
  load_ahead<Op, true>(op, first + rank * Op::SLICE, padded, ahead);
  Slice* slices = slices_of_tiles;
  for (int p = first; p < last; p += tile) {
    const int mine = p + rank * Op::SLICE;
    typename Op::Map maps[Op::SLICE];
    Carry product = 1, sum = 0;
    const bool full = covered(op, mine, Op::SLICE, padded);
    if (full)
      map_slice<Op, true>(op, mine, padded, ahead, maps, product, sum);
    else
      map_slice<Op, false>(op, mine, padded, ahead, maps, product, sum);
    if (p + tile < last)  // loads overlap with the barrier
      load_ahead<Op, true>(op, mine + tile, padded, ahead);
    slices[rank * LANES + lane] = Slice{product, sum};
    __syncthreads();
    carry = pass(slices + lane, 0, rank, carry);
    const Carry carry_in = carry;
    carry = pass(slices + lane, rank, warps, carry);
    if (full)
      apply_slice<Op, true>(op, mine, padded, maps, carry_in);
    else
      apply_slice<Op, false>(op, mine, padded, maps, carry_in);
    slices = slices == slices_of_tiles ? slices + warps * LANES
                                       : slices_of_tiles;
  }
  if (rank == 0 && blockIdx.y == gridDim.y - 1 && op.inside) op.finish(carry);

  if constexpr (Op::SUMS > 0) {
    if (!op.wants_sums()) return;
    __syncthreads();
    Carry* const shared = (Carry*) slices_of_tiles;
    for (int g = 0; g < Op::SUMS; ++g)
      shared[(g * warps + rank) * LANES + lane] = op.sums[g];
    __syncthreads();
    if (rank > 0) return;
    for (int g = 0; g < Op::SUMS; ++g)
      for (int v = 1; v < warps; ++v)
        op.sums[g] += shared[(g * warps + v) * LANES + lane];
    if (op.inside) op.put_sums(blockIdx.y);
  }
}

template <class Op, bool full>
__device__ inline void reduce_slice(Op& op, int p, int padded,
                                    const typename Op::Step* now,
                                    Carry& product, Carry& sum) {
  unsigned drawn = 0;
#pragma unroll
  for (int j = 0; j < Op::SLICE; ++j) {
    const int t = time_of<Op>(p + j, padded);
    if (j % 4 == 0) drawn = draw_for(op, t);
    const typename Op::Map map =
        op.template map<false, full>(t, now[j], is_zoned<Op>(drawn, j));
    product *= map.f;
    op.advance(map, sum);
  }
}

// Writes the map of every chunk except the last. Grid: (groups of 32 channels,
// chunks - 1). Block: (32, warps); each warp has an equal part of the chunk.
template <class Op>
__device__ inline void reduce(Op op, int chunk, Carry* products, Carry* sums) {
  Carry* const shared = (Carry*) shared_memory();
  const int lane = threadIdx.x, rank = threadIdx.y, warps = blockDim.y;
  op.enter((Index) blockIdx.x * LANES + lane);
  const int padded = padded_steps(op, Op::SLICE);
  const int part = chunk / warps;
  const int first = blockIdx.y * chunk + rank * part;

  typename Op::Step ahead[Op::SLICE];
  load_ahead<Op, false>(op, first, padded, ahead);
  Carry product = 1, sum = 0;
  for (int p = first; p < first + part; p += Op::SLICE) {
    typename Op::Step now[Op::SLICE];
#pragma unroll
    for (int j = 0; j < Op::SLICE; ++j) now[j] = ahead[j];
    if (p + Op::SLICE < first + part)
      load_ahead<Op, false>(op, p + Op::SLICE, padded, ahead);
    if (covered(op, p, Op::SLICE, padded))
      reduce_slice<Op, true>(op, p, padded, now, product, sum);
    else
      reduce_slice<Op, false>(op, p, padded, now, product, sum);
  }
  shared[rank * LANES + lane] = product;
  shared[(warps + rank) * LANES + lane] = sum;
  __syncthreads();
  if (rank > 0 || !op.inside) return;
  for (int v = 1; v < warps; ++v) {
    const Carry next = shared[v * LANES + lane];
    sum = next * sum + shared[(warps + v) * LANES + lane];
    product *= next;
  }
  put(products + blockIdx.y * op.channels() + op.n, product);
  put(sums + blockIdx.y * op.channels() + op.n, sum);
}

// Computes the carry before each chunk from the maps of all chunks except the
// last. The first carry is `initial`, or 0 if `initial` is null. Each thread
// processes one channel.
extern "C" __global__ void scan_carries(
    const Real* initial, const Carry* products, const Carry* sums,
    Carry* carries, Index channels, Index chunks) {
  const Index n = (Index) blockIdx.x * blockDim.x + threadIdx.x;
  if (n >= channels) return;
  Carry carry = initial ? wide(fetch(initial + n)) : Carry(0);
  put(carries + n, carry);
#pragma unroll 8
  for (Index k = 1; k < chunks; ++k) {
    carry = fetch(products + (k - 1) * channels + n) * carry +
            fetch(sums + (k - 1) * channels + n);
    put(carries + k * channels + n, carry);
  }
}

// Adds up the rows of a (rows, columns) matrix. The order of the additions
// depends only on the shape. Block: (32 columns, groups of rows).
extern "C" __global__ void sum_rows(const Carry* matrix, Real* out, Index rows,
                                    Index columns) {
  Carry* const shared = (Carry*) shared_memory();
  const int lane = threadIdx.x, part = threadIdx.y, parts = blockDim.y;
  const Index column = (Index) blockIdx.x * LANES + lane;
  Carry sum = 0;
  if (column < columns)
    for (Index row = part; row < rows; row += parts)
      sum += fetch(matrix + row * columns + column);
  shared[part * LANES + lane] = sum;
  __syncthreads();
  if (part > 0 || column >= columns) return;
  for (int v = 1; v < parts; ++v) sum += shared[v * LANES + lane];
  put(out + column, sum);
}

// Defines the three kernels of an operation. The launch bounds limit the number
// of registers per thread. In scans, a single block may use all registers of a
// multiprocessor. Sequential kernels leave registers for several blocks.
#define SCAN_KERNELS(name, Op, PARAMETERS, ARGUMENTS)                         \
  extern "C" __global__ void                                                  \
      __launch_bounds__(QRNN_CHANNEL_THREADS, QRNN_CHANNEL_BLOCKS)            \
      name##_sequential(PARAMETERS) {                                         \
    sequential(Op{ARGUMENTS});                                                \
  }                                                                           \
  extern "C" __global__ void __launch_bounds__(QRNN_WARPS * LANES, 1)         \
      name##_block_scan(PARAMETERS, Index chunk, const Carry* carries) {      \
    block_scan(Op{ARGUMENTS}, (int) chunk, carries);                          \
  }                                                                           \
  extern "C" __global__ void __launch_bounds__(QRNN_WARPS * LANES, 1)         \
      name##_reduce(PARAMETERS, Index chunk, Carry* products, Carry* sums) {  \
    reduce(Op{ARGUMENTS}, (int) chunk, products, sums);                       \
  }
