// strnn, h_s = f_s h_{s-1} + x_s, and its gradient. s counts steps in the order
// of the recurrence: in a reversed recurrence, step s is at time T - 1 - s.

// Addresses of the steps of one channel in an array.
template <class Value>
struct Walk {
  Value* start;
  int bytes;

  __device__ Value* at(int s) const { return at_step(start, s, bytes); }
};

template <class Value>
__device__ inline Walk<Value> walk(Value* array, Index row, Index T,
                                   Index reverse) {
  const int bytes = (int) (row * sizeof(Value));
  return reverse && T > 0 ? Walk<Value>{array + (T - 1) * row, -bytes}
                          : Walk<Value>{array, bytes};
}

#define STRNN_FORWARD_PARAMETERS                                             \
  const Real *f, Index f_batch, Index f_row, const Real *x, Index x_batch,   \
      Index x_row, const Real *h0, Real *h, Index reverse, Index B, Index T, \
      Index C
#define STRNN_FORWARD_ARGUMENTS \
  {}, f, f_batch, f_row, x, x_batch, x_row, h0, h, reverse, B, T, C

struct StrnnForward : Forward {
  const Real* f;
  Index f_batch, f_row;
  const Real* x;
  Index x_batch, x_row;
  const Real* h0;
  Real* h;
  Index reverse, B, T, C;

  Index n = 0;
  bool inside = false;
  int steps = 0;
  Walk<const Real> fs = {}, xs = {};
  Walk<Real> hs = {};

  enum { SUMS = 0 };
  struct Step { Real f, x; };
  struct Map { Carry f, x; };

  __device__ Index channels() const { return B * C; }

  __device__ void enter(Index channel) {
    n = channel;
    inside = n < channels();
    if (!inside) return;
    const Index b = n / C, c = n - b * C;
    steps = (int) T;
    fs = walk(f + b * f_batch + c, f_row, T, reverse);
    xs = walk(x + b * x_batch + c, x_row, T, reverse);
    hs = walk(h + b * T * C + c, C, T, reverse);
  }

  __device__ Carry initial() const {
    return h0 ? wide(fetch(h0 + n)) : Carry(0);
  }

  __device__ bool covers(int s, int count) const {
    return s + count <= steps;
  }

  template <bool whole, bool full>
  __device__ Step load(int s) const {
    if (!full && s >= steps) return Step{};
    return Step{fetch(fs.at(s)), fetch(xs.at(s))};
  }

  __device__ unsigned draw(int) const { return 0; }

  template <bool whole, bool full>
  __device__ Map map(int s, Step step, bool) const {
    if (!full && s >= steps) return Map{1, 0};
    return Map{wide(step.f), wide(step.x)};
  }

  __device__ void advance(Map map, Carry& carry) const {
    carry = map.f * carry + map.x;
  }

  template <bool full>
  __device__ void apply(int s, Map map, Carry& carry) const {
    advance(map, carry);
    if (full || s < steps) put(hs.at(s), carry);
  }

  __device__ void finish(Carry) const {}
  __device__ void put_sums(Index) const {}
};

SCAN_KERNELS(strnn_forward, StrnnForward, STRNN_FORWARD_PARAMETERS,
             STRNN_FORWARD_ARGUMENTS)

// Gradients of strnn. The carry is the gradient of h_s from step s + 1:
//   gx_s = gh_s + carry,  gf_s = gx_s h_{s-1},  carry' = f_s gx_s.
// The carry after step 0 is the gradient of h0.

#define STRNN_BACKWARD_PARAMETERS                                           \
  const Real *f, Index f_batch, Index f_row, const Real *h, const Real *h0, \
      const Real *gh, Real *gf, Real *gx, Real *gh0, Index reverse, Index B, \
      Index T, Index C
#define STRNN_BACKWARD_ARGUMENTS \
  {}, f, f_batch, f_row, h, h0, gh, gf, gx, gh0, reverse, B, T, C

struct StrnnBackward : Backward {
  const Real* f;
  Index f_batch, f_row;
  const Real *h, *h0, *gh;
  Real *gf, *gx, *gh0;
  Index reverse, B, T, C;

  Index n = 0;
  bool inside = false;
  int steps = 0;
  Walk<const Real> fs = {}, hs = {}, ghs = {};
  Walk<Real> gfs = {}, gxs = {};

  enum { SUMS = 0 };
  struct Step { Real f, h_prev, gh; };
  struct Map { Carry f, gh, h_prev; };

  __device__ Index channels() const { return B * C; }

  __device__ void enter(Index channel) {
    n = channel;
    inside = n < channels();
    if (!inside) return;
    const Index b = n / C, c = n - b * C, start = b * T * C + c;
    steps = (int) T;
    fs = walk(f + b * f_batch + c, f_row, T, reverse);
    hs = walk(h + start, C, T, reverse);
    ghs = walk(gh + start, C, T, reverse);
    gfs = walk(gf + start, C, T, reverse);
    gxs = walk(gx + start, C, T, reverse);
  }

  __device__ Carry initial() const { return 0; }

  __device__ bool covers(int s, int count) const {
    return s > 0 && s + count <= steps;
  }

  template <bool whole, bool full>
  __device__ Step load(int s) const {
    Step step = {};
    if (!full && (s < 0 || s >= steps)) return step;
    step.f = fetch(fs.at(s));
    step.gh = fetch(ghs.at(s));
    if (whole) {
      if (full || s > 0) step.h_prev = fetch(hs.at(s - 1));
      else if (h0) step.h_prev = fetch(h0 + n);
    }
    return step;
  }

  __device__ unsigned draw(int) const { return 0; }

  template <bool whole, bool full>
  __device__ Map map(int s, Step step, bool) const {
    if (!full && (s < 0 || s >= steps)) return Map{1, 0, 0};
    return Map{wide(step.f), wide(step.gh), wide(step.h_prev)};
  }

  __device__ void advance(Map map, Carry& carry) const {
    carry = map.f * (map.gh + carry);
  }

  template <bool full>
  __device__ void apply(int s, Map map, Carry& carry) const {
    const Carry gradient = map.gh + carry;
    if (full || (s >= 0 && s < steps)) {
      put(gfs.at(s), gradient * map.h_prev);
      put(gxs.at(s), gradient);
    }
    carry = map.f * gradient;
  }

  __device__ void finish(Carry carry) const { put(gh0 + n, carry); }
  __device__ void put_sums(Index) const {}
};

SCAN_KERNELS(strnn_backward, StrnnBackward, STRNN_BACKWARD_PARAMETERS,
             STRNN_BACKWARD_ARGUMENTS)
