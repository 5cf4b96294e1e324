// A pooling: c_t = f_t c_{t-1} + i_t z_t and h_t = o_t c_t, or h_t = o_t if
// QRNN_GATED is 0. If the pooling has no i, i = 1 - f. If it has no o, o = 1.

#define FORWARD_PARAMETERS GATES_PARAMETERS, Real *h, Real *c, Real *c_last
#define FORWARD_ARGUMENTS {}, {GATES_ARGUMENTS}, h, c, c_last

struct PoolingForward : Forward, Gates {
  Real* h;  // null if the outputs equal the states
  Real *c, *c_last;

  Real *h_start = nullptr, *c_start = nullptr;

  enum { SUMS = 0 };
  typedef Pre Step;
  struct Map { Carry f, x, o; };

  __device__ void enter(Index channel) {
    Gates::enter(channel);
    if (!inside) return;
    const Index start = batch * T * C + (n - batch * C);
    c_start = c + start;
    if (h) h_start = h + start;
  }

  __device__ Carry initial() const {
    return c0 ? wide(fetch(c0 + n)) : Carry(0);
  }

  template <bool whole, bool full>
  __device__ Step load(int t) const {
    return load_gates<whole ? 15 : 11, full>(t);
  }

  template <bool whole, bool full>
  __device__ Map map(int t, Step step, bool zoned) const {
    const Open gates = open_gates<whole ? 15 : 11, full>(t, step, zoned);
    return Map{gates.f, gates.i * gates.z, gates.o};
  }

  __device__ void advance(Map map, Carry& carry) const {
    carry = map.f * carry + map.x;
  }

  template <bool full>
  __device__ void apply(int t, Map map, Carry& carry) const {
    advance(map, carry);
    if (!full && t >= steps) return;
    put(at_step(c_start, t, c_bytes), carry);
    if (h_start)
      put(at_step(h_start, t, c_bytes), QRNN_GATED ? map.o * carry : map.o);
  }

  __device__ void finish(Carry carry) const { put(c_last + n, carry); }
  __device__ void put_sums(Index) const {}
};

SCAN_KERNELS(pooling_forward, PoolingForward, FORWARD_PARAMETERS,
             FORWARD_ARGUMENTS)
