// Gradients of a pooling. gs_t is the total gradient of c_t. The carry is the
// part of this gradient that comes from step t + 1:
//   gs_t = o_t gh_t + gc_t + carry,  carry' = f_t gs_t.
// The initial carry is the gradient of the final state, and the carry after
// step 0 is the gradient of c0. The gates are recomputed from u, and c_t is
// recomputed from c_{t-1}, so that each state is read once.

#define BACKWARD_PARAMETERS                                            \
  GATES_PARAMETERS, const Real *c, const Real *gh, const Real *gc,     \
      const Real *gc_last, Real *gu, Carry *gb, Real *gc0
#define BACKWARD_ARGUMENTS \
  {}, {GATES_ARGUMENTS}, c, gh, gc, gc_last, gu, gb, gc0

struct PoolingBackward : Backward, Gates {
  const Real *c, *gh, *gc, *gc_last;  // gradients may be null
  Real* gu;
  Carry* gb;  // sums over the steps of a chunk, (chunk, B, GATES C); or null
  Real* gc0;

  // Addresses of the channel's first step; gh_start and gc_start may be null.
  const Real *c_start = nullptr, *gh_start = nullptr, *gc_start = nullptr;
  Real* gradients[GATES] = {};
  int gu_bytes = 0;
  Carry sums[GATES] = {};

  enum { SUMS = GATES };
  struct Step { Pre pre; Real c_prev, gh, gc; };
  struct Map { Carry f, z, i, gs, c_prev, raw; };  // gs excludes the carry

  __device__ bool wants_sums() const { return gb; }

  __device__ void enter(Index channel) {
    Gates::enter(channel);
    if (!inside) return;
    const Index channel_in = n - batch * C;
    const Index start = batch * T * C + channel_in;
    c_start = c + start;
    if (gh) gh_start = gh + start;
    if (gc) gc_start = gc + start;
    for (int g = 0; g < GATES; ++g)
      gradients[g] = gu + (batch * T * GATES + g) * C + channel_in;
    gu_bytes = GATES * c_bytes;
  }

  __device__ Carry initial() const {
    return gc_last ? wide(fetch(gc_last + n)) : Carry(0);
  }

  template <bool whole, bool full>
  __device__ Step load(int t) const {
    Step step = {};
    if (!full && (t < 0 || t >= steps)) return step;
    step.pre = load_gates<whole ? 15 : 5, full>(t);
    if (gc_start) step.gc = fetch(at_step(gc_start, t, c_bytes));
    if (!full && t >= length) return step;
    if (gh_start) step.gh = fetch(at_step(gh_start, t, c_bytes));
    if (whole) {
      if (full || t > 0) step.c_prev = fetch(at_step(c_start, t - 1, c_bytes));
      else if (c0) step.c_prev = fetch(c0 + n);
    }
    return step;
  }

  template <bool whole, bool full>
  __device__ Map map(int t, Step step, bool zoned) {
    const Open gates = open_gates<whole ? 15 : 5, full>(t, step.pre, zoned);
    const Carry gh_t = wide(step.gh), c_prev = wide(step.c_prev);
    if (QRNN_HAS_O && whole && (full || (t >= 0 && t < steps))) {
      const Carry c_t = gates.f * c_prev + gates.i * gates.z;
      put_gate(GATE_O, t,
               gh_t * (QRNN_GATED ? c_t : 1) * slope<QRNN_O>(gates.o));
    }
    const Carry via_h = QRNN_GATED ? gates.o * gh_t : 0;
    return Map{gates.f, gates.z, gates.i, via_h + wide(step.gc), c_prev,
               gates.raw};
  }

  __device__ void advance(Map map, Carry& carry) const {
    carry = map.f * (map.gs + carry);
  }

  template <bool full>
  __device__ void apply(int t, Map map, Carry& carry) {
    const Carry gs = map.gs + carry;
    if (full || (t >= 0 && t < steps)) {
      const Carry via_f = QRNN_HAS_I ? map.c_prev : map.c_prev - map.z;
      const Carry raw = QRNN_EXPECTATION ? map.raw : map.f;
      put_gate(0, t, via_f * gs * raw * (1 - map.f));
      put_gate(1, t, slope<QRNN_Z>(map.z) * gs * map.i);
      if (QRNN_HAS_I) put_gate(GATE_I, t, map.z * gs * slope<QRNN_I>(map.i));
    }
    carry = map.f * gs;
  }

  __device__ void put_gate(int g, int t, Carry gradient) {
    put(at_step(gradients[g], t, gu_bytes), gradient);
    sums[g] += gradient;
  }

  __device__ void finish(Carry carry) const { put(gc0 + n, carry); }

  __device__ void put_sums(Index chunk) const {
    if (!gb) return;
    for (int g = 0; g < GATES; ++g)
      put(gb + ((chunk * B + batch) * GATES + g) * C + (n - batch * C),
          sums[g]);
  }
};

SCAN_KERNELS(pooling_backward, PoolingBackward, BACKWARD_PARAMETERS,
             BACKWARD_ARGUMENTS)
