// One step of an LSTM beside its matrix product, forward and backward:
//   a = u_t + p,  p = W h_{t-1};  i, f, o = sigmoid(a),  z = tanh(a);
//   c_t = f c_{t-1} + i z,  h_t = o tanh(c_t).
// What is kept between steps, gates included, are carries. Past a sequence's
// end the state holds, outputs and gradients are 0, and u is never read.
//
// Grid: (groups of units, sequences); a thread takes every gridDim.y-th
// sequence.

#define LSTM_UNIT                                            \
  const int n = blockIdx.x * blockDim.x + threadIdx.x;       \
  if (n >= m) return;                                        \
  for (Index b = blockIdx.y; b < B; b += gridDim.y)

struct Four { Carry i, f, o, z; };

__device__ inline Four fetch_four(const Carry* at, int m) {
  return Four{fetch(at), fetch(at + m), fetch(at + 2 * m), fetch(at + 3 * m)};
}

__device__ inline void put_four(Carry* at, int m, Four four) {
  put(at, four.i);
  put(at + m, four.f);
  put(at + 2 * m, four.o);
  put(at + 3 * m, four.z);
}

extern "C" __global__ void lstm_forward(
    const Real* u, Index u_batch, Index u_row, const Carry* product,
    const Carry* c_before, const Carry* h_before, const int* lengths,
    Carry* gates, Carry* c, Carry* h, Real* y, Index t, Index B, Index T,
    Index m) {
  LSTM_UNIT {
    const Index unit = b * m + n;
    if (lengths && t >= fetch(lengths + b)) {
      put_four(gates + b * 4 * m + n, m, Four{0, 0, 0, 0});
      put(c + unit, fetch(c_before + unit));
      put(h + unit, fetch(h_before + unit));
      put(y + (b * T + t) * m + n, 0);
      continue;
    }
    const Real* at = u + b * u_batch + t * u_row + n;
    Four a = fetch_four(product + b * 4 * m + n, m);
    a.i = sigmoid(a.i + wide(fetch(at)));
    a.f = sigmoid(a.f + wide(fetch(at + m)));
    a.o = sigmoid(a.o + wide(fetch(at + 2 * m)));
    a.z = squash(a.z + wide(fetch(at + 3 * m)));
    put_four(gates + b * 4 * m + n, m, a);
    const Carry now = a.f * fetch(c_before + unit) + a.i * a.z;
    const Carry out = a.o * squash(now);
    put(c + unit, now);
    put(h + unit, out);
    put(y + (b * T + t) * m + n, out);
  }
}

// The gradient of h_t is what comes by way of step t + 1 (product, null after
// the last step), from the output (gy, or null) and, for sequences that ended
// before, from the final state (held, or null); that of c_t is gc_after. Where
// a sequence has ended, gradients are handed on.
extern "C" __global__ void lstm_backward(
    const Carry* gates, const Carry* c_before, const Carry* c,
    const Real* gy, const Carry* product, const Carry* held,
    const Carry* gc_after, const int* lengths, Carry* ga, Carry* holds,
    Carry* gc, Index t, Index B, Index T, Index m) {
  LSTM_UNIT {
    const Index unit = b * m + n;
    Carry gh = held ? fetch(held + unit) : Carry(0);
    if (product) gh += fetch(product + unit);
    const Carry gc_t = fetch(gc_after + unit);
    if (lengths && t >= fetch(lengths + b)) {
      put_four(ga + b * 4 * m + n, m, Four{0, 0, 0, 0});
      put(gc + unit, gc_t);
      put(holds + unit, gh);
      continue;
    }
    if (gy) gh += wide(fetch(gy + (b * T + t) * m + n));
    const Four a = fetch_four(gates + b * 4 * m + n, m);
    const Carry squashed = squash(fetch(c + unit));
    const Carry here = gc_t + gh * a.o * (1 - squashed * squashed);
    put_four(ga + b * 4 * m + n, m,
             Four{here * a.z * a.i * (1 - a.i),
                  here * fetch(c_before + unit) * a.f * (1 - a.f),
                  gh * squashed * a.o * (1 - a.o),
                  here * a.i * (1 - a.z * a.z)});
    put(gc + unit, here * a.f);
    if (holds) put(holds + unit, 0);
  }
}
