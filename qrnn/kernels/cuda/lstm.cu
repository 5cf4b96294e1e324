// Forward and backward pass of one LSTM step without the matrix product p:
//   a = u_t + p,  p = W h_{t-1};  i, f, o = sigmoid(a),  z = tanh(a);
//   c_t = f c_{t-1} + i z,  h_t = o tanh(c_t).
// The gates and the state of each step are stored in the type Carry. Past the
// end of a sequence, the state does not change, outputs and the gradient of a
// are 0, and u is not read.
//
// Grid: (groups of units, sequences). A thread processes every gridDim.y-th
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
    const Carry* c_prev, const Carry* h_prev, const int* lengths,
    Carry* gates, Carry* c, Carry* h, Real* y, Index t, Index B, Index T,
    Index m) {
  LSTM_UNIT {
    const Index unit = b * m + n;
    if (lengths && t >= fetch(lengths + b)) {
      put_four(gates + b * 4 * m + n, m, Four{0, 0, 0, 0});
      put(c + unit, fetch(c_prev + unit));
      put(h + unit, fetch(h_prev + unit));
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
    const Carry now = a.f * fetch(c_prev + unit) + a.i * a.z;
    const Carry out = a.o * squash(now);
    put(c + unit, now);
    put(h + unit, out);
    put(y + (b * T + t) * m + n, out);
  }
}

// The gradient of h_t is the sum of three arrays: the gradient from step t + 1
// (product), the gradient of the output (gy), and the gradient of the final
// output (passed). Each of them may be null. gc_next is the gradient of c_t from
// step t + 1. Past the end of a sequence, the gradients of h_t and c_t are
// passed on to the previous step.
extern "C" __global__ void lstm_backward(
    const Carry* gates, const Carry* c_prev, const Carry* c,
    const Real* gy, const Carry* product, const Carry* passed,
    const Carry* gc_next, const int* lengths, Carry* ga, Carry* passed_on,
    Carry* gc, Index t, Index B, Index T, Index m) {
  LSTM_UNIT {
    const Index unit = b * m + n;
    Carry gh = passed ? fetch(passed + unit) : Carry(0);
    if (product) gh += fetch(product + unit);
    const Carry gc_t = fetch(gc_next + unit);
    if (lengths && t >= fetch(lengths + b)) {
      put_four(ga + b * 4 * m + n, m, Four{0, 0, 0, 0});
      put(gc + unit, gc_t);
      put(passed_on + unit, gh);
      continue;
    }
    if (gy) gh += wide(fetch(gy + (b * T + t) * m + n));
    const Four a = fetch_four(gates + b * 4 * m + n, m);
    const Carry squashed = squash(fetch(c + unit));
    const Carry gc_total = gc_t + gh * a.o * (1 - squashed * squashed);
    put_four(ga + b * 4 * m + n, m,
             Four{gc_total * a.z * a.i * (1 - a.i),
                  gc_total * fetch(c_prev + unit) * a.f * (1 - a.f),
                  gh * squashed * a.o * (1 - a.o),
                  gc_total * a.i * (1 - a.z * a.z)});
    put(gc + unit, gc_total * a.f);
    if (passed_on) put(passed_on + unit, 0);
  }
}
