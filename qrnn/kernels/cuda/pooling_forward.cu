// c_t = f_t c_{t-1} + i_t z_t, where i = 1 - f without an input gate;
// h_t = o_t c_t, where o = 1 without an output gate.

#define FORWARD_PARAMETERS GATES_PARAMETERS, Real *h, Real *c, Real *c_last
#define FORWARD_ARGUMENTS {}, {GATES_ARGUMENTS}, h, c, c_last

struct PoolingForward : Forward, Gates {
  Real* h;  // or null: the same as c
  Real *c, *c_last;

  Index out = 0;

  enum { SUMS = 0 };
  typedef Pre Step;
  struct Map { Carry f, x, o; };

  __device__ void enter(Index channel) {
    Gates::enter(channel);
    out = batch * T * C + (n - batch * C);
  }

  __device__ Carry initial() const {
    return c0 ? wide(fetch(c0 + n)) : Carry(0);
  }

  template <bool whole>
  __device__ Step load(int t) const {
    return load_gates<whole ? 15 : 11>(t);
  }

  template <bool whole>
  __device__ Map map(int t, Step step, bool zoned) const {
    const Open gates = open_gates<whole ? 15 : 11>(t, step, zoned);
    return Map{gates.f, gates.i * gates.z, gates.o};
  }

  __device__ void advance(Map map, Carry& carry) const {
    carry = map.f * carry + map.x;
  }

  __device__ void apply(int t, Map map, Carry& carry) const {
    advance(map, carry);
    if (t >= steps) return;
    const Index at = out + (Index) t * width;
    put(c + at, carry);
    if (h) put(h + at, map.o * carry);
  }

  __device__ void finish(Carry carry) const { put(c_last + n, carry); }
  __device__ void put_sums(Index) const {}
};

SCAN_KERNELS(pooling_forward, PoolingForward, FORWARD_PARAMETERS,
             FORWARD_ARGUMENTS)
