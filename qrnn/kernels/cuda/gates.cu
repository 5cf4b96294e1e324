// Gates of one channel. Both passes of a pooling compute the gates from the
// pre-activations u, the bias, zoneout and the sequence length.
//
// The launcher defines these macros:
//   QRNN_HAS_O, QRNN_HAS_I  1 if the pooling has the gate o or i, 0 otherwise;
//   QRNN_Z, QRNN_O, QRNN_I  indexes of the activations of z, o and i;
//   QRNN_EXPECTATION        1 if f is replaced by its expectation under
//                           zoneout, 0 otherwise;
//   QRNN_GATED              1 if h is the state times the output gate, 0 if h
//                           is the output gate itself.
// Gates are stacked along channels in the order f, z, o, i.

#define GATES (2 + QRNN_HAS_O + QRNN_HAS_I)

// Index of a gate in the stack, or 0 if the pooling does not have it.
#define GATE_O (QRNN_HAS_O ? 2 : 0)
#define GATE_I (QRNN_HAS_I ? 2 + QRNN_HAS_O : 0)

#define GATES_PARAMETERS                                                   \
  const Real *u, Index u_batch, Index u_row, const Real *b, Index b_batch, \
      const Real *c0, const int *lengths, const unsigned char *mask,       \
      Index seed, Index limit, double expected, Index B, Index T, Index C
#define GATES_ARGUMENTS \
  u, u_batch, u_row, b, b_batch, c0, lengths, mask, seed, limit, expected, B, \
      T, C

struct Gates {
  const Real* u;
  Index u_batch, u_row;
  const Real* b;  // or null; b_batch is 0 if all sequences share the bias
  Index b_batch;
  const Real* c0;             // or null
  const int* lengths;         // or null: all sequences have T steps
  const unsigned char* mask;  // or null: the mask is drawn from seed
  Index seed, limit;          // words up to limit are zoned out; -1: no zoneout
  double expected;            // zoneout probability for expectation, or 0
  Index B, T, C;

  Index n = 0, batch = 0;
  bool inside = false;
  int steps = 0;   // number of steps in memory
  int length = 0;  // number of steps of the sequence
  bool zones = false;
  int u_bytes = 0, c_bytes = 0;      // bytes of a row
  const Real* here[GATES] = {};  // addresses of the gates at the first step
  Carry bias[GATES] = {};

  struct Pre { Real f, z, o, i; };  // the compiler removes unused members
  struct Open { Carry f, z, o, i, raw; };  // raw: f if expected were 0

  __device__ Index channels() const { return B * C; }

  __device__ void enter(Index channel) {
    n = channel;
    inside = n < channels();
    if (!inside) return;
    batch = n / C;
    const Index c = n - batch * C;
    steps = length = (int) T;
    if (lengths) length = max(0, min(length, fetch(lengths + batch)));
    zones = limit >= 0 || mask;
    u_bytes = (int) (u_row * sizeof(Real));
    c_bytes = (int) (C * sizeof(Real));
    for (int g = 0; g < GATES; ++g) {
      here[g] = u + batch * u_batch + g * C + c;
      bias[g] = b ? wide(fetch(b + batch * b_batch + g * C + c)) : Carry(0);
    }
  }

  // Returns whether all steps from t - 1 to t + count - 1 are in the sequence.
  __device__ bool covers(int t, int count) const {
    return t > 0 && t + count <= length;
  }

  // Loads pre-activations. Bits 0 to 3 of `wants` select those of f, z, o and
  // i, respectively. Padding is never read, because it may have any value.
  template <int wants, bool full>
  __device__ Pre load_gates(int t) const {
    Pre pre = {};
    if (!full && (t < 0 || t >= length)) return pre;
    if (wants & 1) pre.f = load_gate(0, t);
    if (wants & 2) pre.z = load_gate(1, t);
    if (QRNN_HAS_O && wants & 4) pre.o = load_gate(GATE_O, t);
    if (QRNN_HAS_I && wants & 8) pre.i = load_gate(GATE_I, t);
    return pre;
  }

  __device__ Real load_gate(int g, int t) const {
    return fetch(at_step(here[g], t, u_bytes));
  }

  // Computes gates from pre-activations. Past the end of the sequence, f is 1
  // and o and i are 0: the state does not change, and the output is 0.
  template <int wants, bool full>
  __device__ Open open_gates(int t, Pre pre, bool zoned) const {
    if (!full && (t < 0 || t >= length)) return Open{1, 0, 0, 0, 1};
    Open gates = {1, 0, 1, 0, 1};
    if (wants & 1) {
      gates.raw = zoned ? 1 : sigmoid(wide(pre.f) + bias[0]);
      gates.f = gates.raw;
      if (QRNN_EXPECTATION) gates.f += (Carry) expected * (1 - gates.raw);
    }
    if (wants & 2) gates.z = activate<QRNN_Z>(wide(pre.z) + bias[1]);
    if (QRNN_HAS_O && wants & 4)
      gates.o = activate<QRNN_O>(wide(pre.o) + bias[GATE_O]);
    if (QRNN_HAS_I && wants & 8)
      gates.i = activate<QRNN_I>(wide(pre.i) + bias[GATE_I]);
    if (!QRNN_HAS_I) gates.i = 1 - gates.f;
    return gates;
  }

  // Returns four bits: bit j is 1 if the channel is zoned out at step t + j. t
  // is a multiple of four.
  __device__ unsigned draw(int t) const {
    unsigned zoned = 0;
    if (!zones || t < 0 || t >= length) return zoned;
    if (mask) {
      for (int j = 0; j < 4 && t + j < length; ++j)
        if (fetch(mask + (batch * T + t + j) * C + (n - batch * C)))
          zoned |= 1u << j;
      return zoned;
    }
    const Index groups = (T + 3) / 4;
    const Words words =
        philox((batch * groups + t / 4) * C + (n - batch * C), seed);
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (words.at[j] <= (unsigned) limit) zoned |= 1u << j;
    return zoned;
  }
};
