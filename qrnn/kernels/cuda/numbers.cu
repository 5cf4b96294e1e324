// Numbers: what arrays hold (Real), what carries, gates and sums are computed
// in (Carry), and how one becomes the other.
//
// QRNN_BITS, from the launcher, names the arrays' dtype: 16, 32 or 64. half is
// two conversion instructions here and needs no header.

typedef long long Index;  // every offset into an array; T and C fit an int

#if QRNN_BITS == 16
struct Real { unsigned short bits; };
typedef float Carry;
#elif QRNN_BITS == 32
typedef float Real;
typedef float Carry;
#else
typedef double Real;
typedef double Carry;
#endif

// Reads and writes of global memory all pass through here, where the tests
// without a GPU count their bytes. What a kernel reads, it does not write.

template <class Value>
__device__ inline Value fetch(const Value* from) {
  return __ldg(from);
}

#if QRNN_BITS == 16

__device__ inline Real fetch(const Real* from) {
  return Real{__ldg(&from->bits)};
}

__device__ inline Carry wide(Real value) {
  return half_to_float(value.bits);
}

__device__ inline void put(Real* to, Carry value) {
  store(&to->bits, float_to_half(value));
}

// A value as it is, whatever its bits mean.
__device__ inline void copy(Real* to, Real value) {
  store(&to->bits, value.bits);
}

#else

__device__ inline Carry wide(Real value) { return value; }

__device__ inline void copy(Real* to, Real value) { store(to, value); }

#endif

__device__ inline void put(Carry* to, Carry value) { store(to, value); }

// The activations. For half arrays, the fast exponential is far more accurate
// than what will be stored; tanh made of it is wrong by 1e-7 at most, below
// half's own step wherever that matters. For float, the reciprocal is within a
// unit of the last place, and 0 where the exponential overflows.

#if QRNN_BITS == 16

__device__ inline Carry sigmoid(Carry a) {
  return reciprocal(1.f + __expf(-a));
}
__device__ inline Carry squash(Carry a) {
  return 1.f - 2.f * reciprocal(1.f + __expf(2.f * a));
}

#elif QRNN_BITS == 32

__device__ inline Carry sigmoid(Carry a) {
  return reciprocal(1.f + expf(-a));
}
__device__ inline Carry squash(Carry a) { return tanhf(a); }

#else

__device__ inline Carry sigmoid(Carry a) { return 1. / (1. + exp(-a)); }
__device__ inline Carry squash(Carry a) { return tanh(a); }

#endif

// An activation by its number in the launcher's ACTIVATIONS, and its derivative
// from its value.
template <int which>
__device__ inline Carry activate(Carry a) {
  return which == 0 ? squash(a) : which == 1 ? sigmoid(a) : a;
}
template <int which>
__device__ inline Carry slope(Carry value) {
  return which == 0 ? 1 - value * value
                    : which == 1 ? value * (1 - value) : Carry(1);
}
