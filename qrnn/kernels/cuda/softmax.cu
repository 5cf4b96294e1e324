// Softmax cross entropy over a large vocabulary, and its gradient. One block
// processes a row of logits and overwrites the row with the gradient. The block
// reads the logits twice and writes the gradient once.
//
// Labels have 32 or 64 bits. The loss and the gradient of a row are 0 if its
// label is the ignore label or out of range.

SHARED_MEMORY(Carry)

__device__ inline Index label_of(const void* t, Index t_bits, Index n) {
  return t_bits == 64 ? fetch((const Index*) t + n) : fetch((const int*) t + n);
}

__device__ inline bool counts(Index label, Index ignore_label, Index V) {
  return label != ignore_label && label >= 0 && label < V;
}

// Maximum of the scores, and sum of e^(score - maximum). The initial maximum is
// a finite number, to avoid differences such as infinity - infinity.
struct Softmax {
  Carry largest, total;

  __device__ void add(Carry score, Carry times) {
    if (score > largest) {
      total = total * exp(largest - score) + times;
      largest = score;
    } else {
      total += times * exp(score - largest);
    }
  }
};

#if QRNN_BITS == 64
#define LOWEST -1.7976931348623157e308
#else
#define LOWEST -3.402823466e38f
#endif

// Combines the results of all threads, whose number is a power of two.
__device__ inline Softmax total_of(Softmax* parts, Softmax part) {
  const int i = threadIdx.x;
  parts[i] = part;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (i < half) parts[i].add(parts[i + half].largest, parts[i + half].total);
  }
  __syncthreads();
  return parts[0];
}

// Grid: (rows). The number of threads in a block is a power of two.
extern "C" __global__ void softmax_cross_entropy(
    Carry* logits, const Carry* b, const void* t, Index t_bits,
    Index ignore_label, Carry* losses, Index V) {
  const Index n = blockIdx.x;
  const int i = threadIdx.x, threads = blockDim.x;
  Carry* const row = logits + n * V;
  const Index label = label_of(t, t_bits, n);
  if (!counts(label, ignore_label, V)) {
    for (Index v = i; v < V; v += threads) put(row + v, 0);
    if (i == 0) put(losses + n, 0);
    return;
  }
  Softmax* const parts = (Softmax*) shared_memory();
  Carry* const score_of_label = shared_memory() + 2 * threads;

  // fetch() must not read the logits, because it uses the read-only cache and
  // the logits are overwritten below.
  Softmax part = {LOWEST, 0};
#pragma unroll 4
  for (Index v = i; v < V; v += threads) {
    const Carry score = row[v] + fetch(b + v);
    if (v == label) *score_of_label = score;
    part.add(score, 1);
  }
  const Softmax all = total_of(parts, part);
  const Carry inverse = 1 / all.total;
#pragma unroll 4
  for (Index v = i; v < V; v += threads) {
    const Carry share = exp(row[v] + fetch(b + v) - all.largest) * inverse;
    put(row + v, v == label ? share - 1 : share);
  }
  if (i == 0)
    put(losses + n, log(all.total) - (*score_of_label - all.largest));
}

// Computes the weight of each row, and the mean loss of the valid rows (0 if
// there are none). Grid: one block. Its number of threads is a power of two.
extern "C" __global__ void mean_loss(
    const Carry* losses, const void* t, Index t_bits, Index ignore_label,
    Carry* mean, Carry* weights, Index N, Index V) {
  struct Part { Carry sum; Index number; };
  const int i = threadIdx.x, threads = blockDim.x;
  Part* const parts = (Part*) shared_memory();
  Part part = {0, 0};
  for (Index n = i; n < N; n += threads) {
    part.sum += fetch(losses + n);
    part.number += counts(label_of(t, t_bits, n), ignore_label, V);
  }
  parts[i] = part;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (i < half) {
      parts[i].sum += parts[i + half].sum;
      parts[i].number += parts[i + half].number;
    }
  }
  __syncthreads();
  const Part all = parts[0];
  const Carry weight = 1 / (Carry) (all.number ? all.number : 1);
  if (i == 0) put(mean, all.sum * weight);
  for (Index n = i; n < N; n += threads)
    put(weights + n, counts(label_of(t, t_bits, n), ignore_label, V)
                         ? weight : Carry(0));
}

// Replaces attention scores, (B, T, S), with weights. Weights past the end of
// an encoder sequence are 0. Grid: (B T).
extern "C" __global__ void attention_weights(
    Carry* scores, const int* lengths, Index T, Index S) {
  const Index n = blockIdx.x;
  const int i = threadIdx.x, threads = blockDim.x;
  const Index end =
      lengths ? max(0, min((int) S, fetch(lengths + n / T))) : S;
  Carry* const row = scores + n * S;
  Softmax part = {LOWEST, 0};
  for (Index s = i; s < end; s += threads) part.add(row[s], 1);
  const Softmax all = total_of((Softmax*) shared_memory(), part);
  const Carry inverse = 1 / all.total;
  for (Index s = i; s < S; s += threads)
    put(row + s, s < end ? exp(row[s] - all.largest) * inverse : 0);
}

// Replaces the gradients of attention weights with the gradients of the scores.
extern "C" __global__ void attention_weights_backward(
    const Carry* weights, Carry* gweights, Index S) {
  const int i = threadIdx.x, threads = blockDim.x;
  const Carry* const w = weights + blockIdx.x * S;
  Carry* const g = gweights + blockIdx.x * S;
  Carry* const parts = shared_memory();
  Carry part = 0;
  for (Index s = i; s < S; s += threads) part += fetch(w + s) * g[s];
  parts[i] = part;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (i < half) parts[i] += parts[i + half];
  }
  __syncthreads();
  const Carry mean = parts[0];
  for (Index s = i; s < S; s += threads)
    put(g + s, fetch(w + s) * (g[s] - mean));
}
