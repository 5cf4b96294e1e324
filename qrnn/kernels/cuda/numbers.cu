// Number types and their conversion. Real is the type of array elements. Carry
// is the type of intermediate results, such as gates and sums.
//
// The launcher defines QRNN_BITS, the bits of the arrays' dtype: 16, 32 or 64.
// float16 needs only two conversion instructions, and no header.

typedef long long Index;  // an offset into an array; T and C fit an int

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

// Kernels read global memory with fetch, and write global memory with put and
// copy. In these functions, the tests on the host count the bytes that kernels
// access. fetch uses the read-only cache, so a kernel must not fetch memory
// that it writes. Therefore softmax.cu reads such memory directly.

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

// Writes the bits of a value unchanged.
__device__ inline void copy(Real* to, Real value) {
  store(&to->bits, value.bits);
}

#else

__device__ inline Carry wide(Real value) { return value; }

__device__ inline void copy(Real* to, Real value) { store(to, value); }

#endif

__device__ inline void put(Carry* to, Carry value) { store(to, value); }

// Activations. With float16 arrays, the fast exponential is accurate enough:
// the error of tanh is at most 1e-7, which is below the resolution of float16
// except close to 0. With float32, `reciprocal` has an error of at most one
// unit in the last place. If the exponential overflows, sigmoid is 0.

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

// `activate` computes the activation whose index in `NAMES` of launch.py is
// `which`. `slope` computes the derivative from the value of the activation.
template <int which>
__device__ inline Carry activate(Carry a) {
  return which == 0 ? squash(a) : which == 1 ? sigmoid(a) : a;
}
template <int which>
__device__ inline Carry slope(Carry value) {
  return which == 0 ? 1 - value * value
                    : which == 1 ? value * (1 - value) : Carry(1);
}
