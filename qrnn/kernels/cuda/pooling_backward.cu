// The carry is what arrives at c_t from the step after it:
//   gs_t = o_t gh_t + gc_t + carry,  carry' = f_t gs_t,
// first the final state's gradient, and after step 0 the gradient of c0.
// The gates are computed again from u, and so is c_t, from c_{t-1}: the states
// are read once.

#define BACKWARD_PARAMETERS                                            \
  GATES_PARAMETERS, const Real *c, const Real *gh, const Real *gc,     \
      const Real *gc_last, Real *gu, Carry *gb, Real *gc0
#define BACKWARD_ARGUMENTS \
  {}, {GATES_ARGUMENTS}, c, gh, gc, gc_last, gu, gb, gc0

struct PoolingBackward : Backward, Gates {
  const Real *c, *gh, *gc, *gc_last;  // gradients: null where none arrives
  Real* gu;
  Carry* gb;  // or null; sums over the steps of a chunk, (chunk, B, GATES C)
  Real* gc0;

  Index state = 0;
  Real* gradients = nullptr;
  Carry sums[GATES] = {};

  enum { SUMS = GATES };
  struct Step { Pre pre; Real before, gh, gc; };
  struct Map { Carry f, z, i, arrived, before; };

  __device__ bool wants_sums() const { return gb; }

  __device__ void enter(Index channel) {
    Gates::enter(channel);
    if (!inside) return;
    const Index channel_in = n - batch * C;
    state = batch * T * C + channel_in;
    gradients = gu + batch * T * C * GATES + channel_in;
  }

  __device__ Carry initial() const {
    return gc_last ? wide(fetch(gc_last + n)) : Carry(0);
  }

  template <bool whole>
  __device__ Step load(int t) const {
    Step step = {};
    if (t < 0 || t >= steps) return step;
    step.pre = load_gates<whole ? 15 : 5>(t);
    const Index at = state + (Index) t * width;
    if (gc) step.gc = fetch(gc + at);
    if (t >= length) return step;
    if (gh) step.gh = fetch(gh + at);
    if (whole) {
      if (t > 0) step.before = fetch(c + at - width);
      else if (c0) step.before = fetch(c0 + n);
    }
    return step;
  }

  template <bool whole>
  __device__ Map map(int t, Step step, bool zoned) {
    const Open gates = open_gates<whole ? 15 : 5>(t, step.pre, zoned);
    const Carry gh_t = wide(step.gh), before = wide(step.before);
    if (QRNN_HAS_O && whole && t >= 0 && t < steps) {
      const Carry now = gates.f * before + gates.i * gates.z;
      put_gate(GATE_O, t, gh_t * now * slope<QRNN_O>(gates.o));
    }
    return Map{gates.f, gates.z, gates.i, gates.o * gh_t + wide(step.gc),
               before};
  }

  __device__ void advance(Map map, Carry& carry) const {
    carry = map.f * (map.arrived + carry);
  }

  __device__ void apply(int t, Map map, Carry& carry) {
    const Carry gs = map.arrived + carry;
    if (t >= 0 && t < steps) {
      const Carry via_f = QRNN_HAS_I ? map.before : map.before - map.z;
      put_gate(0, t, via_f * gs * map.f * (1 - map.f));
      put_gate(1, t, slope<QRNN_Z>(map.z) * gs * map.i);
      if (QRNN_HAS_I) put_gate(GATE_I, t, map.z * gs * slope<QRNN_I>(map.i));
    }
    carry = map.f * gs;
  }

  __device__ void put_gate(int g, int t, Carry gradient) {
    put(gradients + (Index) t * (GATES * width) + g * width, gradient);
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
