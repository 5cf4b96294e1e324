// The three ways to run a recurrence over time, one per launch regime, for any
// operation that is an affine map of a carry at every step:
//
//   sequential    many channels: one thread walks one channel's steps;
//   block scan    lanes are 32 neighbouring channels, warps neighbouring
//                 slices of time, a tile of time after the other;
//   chunked scan  few channels and long sequences: time is cut into chunks,
//                 one per block; `reduce` finds the chunks' maps, scan_carries
//                 the carries between them, and block_scan runs in every chunk.
//
// An operation, `Op`, says what happens at a step:
//
//   DOWN        whether it walks from the last step to the first;
//   SUMS        how many sums over time it keeps in sums[] (0: none);
//   enter(n)    take channel n = b C + c; past the last, touch nothing;
//   initial()   the carry before the first step;
//   covers(t,n) whether steps t to t + n - 1 need no guards;
//   load(t)     fetch what step t needs, to be used much later;
//   draw(t)     which of the steps t to t + 3 are zoned out, as bits;
//   map(...)    from that, the step's map; load and map take a flag, `whole`,
//               false where only the map and not its outputs are wanted, and
//               another, `full`, for steps that need no guards;
//   advance()   the carry after the step, without a trace;
//   apply(...)  the same, and the step's outputs stored;
//   finish()    store the carry after the last step;
//   put_sums(k) store the sums of chunk k.
//
// Steps that are not there (before the first, past the last) are identity
// maps, load nothing and store nothing: time is walked in whole slices. Slices
// start at multiples of four, so that a draw serves four steps.
//
// Op::AHEAD steps of loads are in flight ahead of a chain, Op::SLICE steps
// make a warp's slice: Forward's or Backward's, chosen by the launcher.

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

// What the steps of a slice make of a carry: product * carry + sum.
struct alignas(2 * sizeof(Carry)) Slice { Carry product, sum; };

SHARED_MEMORY(Slice)

template <class Op>
__device__ inline int padded_steps(const Op& op, int unit) {
  return ((int) op.T + unit - 1) / unit * unit;
}

// The time of the p-th step walked. Down, the padding comes first.
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

// Whether none of the `count` steps walked from the p-th on needs guards.
template <class Op>
__device__ inline bool covered(const Op& op, int p, int count, int padded) {
  return op.covers(time_of<Op>(Op::DOWN ? p + count - 1 : p, padded), count);
}

// The steps walked from the p-th on, for later.
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

// The maps of a slice and what they make together, from loads ahead.
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

// A carry behind the slices of the warps from `rank` to before `end`.
__device__ inline Carry pass(const Slice* slices, int rank, int end,
                             Carry carry) {
#pragma unroll 4
  for (int v = rank; v < end; ++v) {
    const Slice slice = slices[v * LANES];
    carry = slice.product * carry + slice.sum;
  }
  return carry;
}

// Grid: (groups of 32 channels, chunks of time); block: (32, warps). Shared:
// two times (product, sum) of every thread, so that one barrier a tile is
// enough: who reaches the next tile's barrier has read this tile's values.
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
    if (p + tile < last)  // in flight while the block meets
      load_ahead<Op, true>(op, mine + tile, padded, ahead);
    slices[rank * LANES + lane] = Slice{product, sum};
    __syncthreads();
    carry = pass(slices + lane, 0, rank, carry);
    const Carry before = carry;
    carry = pass(slices + lane, rank, warps, carry);
    if (full)
      apply_slice<Op, true>(op, mine, padded, maps, before);
    else
      apply_slice<Op, false>(op, mine, padded, maps, before);
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

// Grid: (groups of 32 channels, chunks but the last); block: (32, warps), a
// warp taking its equal part of the chunk. Writes every chunk's map.
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

// The carry into each of the chunks, from `initial` (or 0) on: one thread per
// channel. The maps of all chunks but the last are given.
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

// The sum over rows of a (rows, columns) matrix, in an order that depends on
// nothing but its shape. Block: (32 columns, parts of the rows).
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

// The three kernels of an operation, from its arguments. The bounds tell the
// compiler how many registers it has: all that one block can use, or so few
// that several blocks of channels fit.
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
