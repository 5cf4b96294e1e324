// Windows of a convolution along time. The window of step t has k taps: tap j
// reads step t - back, where back = k - 1 - lookahead - j. Steps before the
// first step are read from x0, or are zero if x0 is null. Steps past the end of
// a sequence are zero.
//
// Grid: (groups of columns, rows). A thread processes every gridDim.y-th row.

struct Place { Index b; int t; };

__device__ inline Place place_of(Index row, int T) {
  const Index b = row / T;
  return Place{b, (int) (row - b * T)};
}

__device__ inline int length_of(const int* lengths, Index b, int T) {
  return lengths ? max(0, min(T, fetch(lengths + b))) : T;
}

// Values are only copied, so a Real may also represent two or four elements of a
// narrower dtype.
extern "C" __global__ void unfold(
    const Real* x, Index x_batch, Index x_row, const Real* x0,
    const int* lengths, Real* windows, Index k, Index lookahead, Index B,
    Index T, Index n) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= k * n) return;
  const int j = column / (int) n, c = column - j * (int) n;
  const int back = (int) (k - 1 - lookahead) - j;
  for (Index row = blockIdx.y; row < B * T; row += gridDim.y) {
    const Place at = place_of(row, (int) T);
    const int length = length_of(lengths, at.b, (int) T), s = at.t - back;
    Real value = {};
    if (at.t < length && s < length) {
      if (s >= 0)
        value = fetch(x + at.b * x_batch + s * x_row + c);
      else if (x0)
        value = fetch(x0 + (at.b * (k - 1) + j + at.t) * n + c);
    }
    copy(windows + row * (k * n) + column, value);
  }
}

// Writes the window of a single step to `window`, and the last k - 1 inputs of
// the window to x_last. These inputs are the x0 of the next step.
extern "C" __global__ void step_window(
    const Real* x, Index x_row, const Real* x0, Real* window, Real* x_last,
    Index k, Index B, Index n) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= k * n) return;
  const int before = (int) ((k - 1) * n);
  for (Index b = blockIdx.y; b < B; b += gridDim.y) {
    Real value = {};
    if (column >= before)
      value = fetch(x + b * x_row + column - before);
    else if (x0)
      value = fetch(x0 + b * before + column);
    copy(window + b * k * n + column, value);
    if (column >= n) copy(x_last + b * before + column - n, value);
  }
}

// Computes the gradients of x and x0 from gwindows, the gradient of the
// windows, and glast, the gradient of the result of last_steps. gwindows or
// glast may be null. The rows of a sequence are the rows of x0 followed by the
// rows of x.
extern "C" __global__ void fold(
    const Real* gwindows, const int* lengths, const Real* glast, Real* gx,
    Real* gx0, Index k, Index lookahead, Index B, Index T, Index n) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= n) return;
  const int before = (int) k - 1, rows = (int) T + before;
  for (Index row = blockIdx.y; row < B * rows; row += gridDim.y) {
    const Place at = place_of(row, rows);
    const int length = length_of(lengths, at.b, (int) T), s = at.t - before;
    Carry sum = 0;
    const int kept = at.t - length;  // index among the last steps
    if (glast && kept >= 0 && kept < before)
      sum = wide(fetch(glast + (at.b * before + kept) * n + c));
    for (int j = 0; gwindows && j < k; ++j) {
      const int back = before - (int) lookahead - j;
      // If tap j of step t reads from x0, it reads row j + t.
      const int t = s >= 0 ? s + back : at.t - j;
      if (t >= 0 && t < length && (s >= 0 ? s < length : t < back))
        sum += wide(fetch(gwindows + ((at.b * T + t) * k + j) * n + c));
    }
    put(s >= 0 ? gx + (at.b * T + s) * n + c
               : gx0 + (at.b * before + at.t) * n + c, sum);
  }
}

// Copies the last n_steps steps of each sequence. Steps before the first step
// of x are read from x0, or are zero if x0 is null.
extern "C" __global__ void last_steps(
    const Real* x, Index x_batch, Index x_row, const Real* x0,
    const int* lengths, Real* last, Index n_steps, Index B, Index T, Index n) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= n) return;
  for (Index row = blockIdx.y; row < B * n_steps; row += gridDim.y) {
    const Place at = place_of(row, (int) n_steps);
    const int s = length_of(lengths, at.b, (int) T) - (int) n_steps + at.t;
    Real value = {};
    if (s >= 0)
      value = fetch(x + at.b * x_batch + s * x_row + c);
    else if (x0)
      value = fetch(x0 + (at.b * n_steps + n_steps + s) * n + c);
    copy(last + row * n + c, value);
  }
}
