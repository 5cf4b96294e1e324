// Replaces CUDA and device.cu when the kernels are compiled for the host.
// Provides grid indices, barriers, shared memory, intrinsics and float16.
//
// The threads of a block are fibers on a single real thread. A fiber runs
// until it reaches a barrier or returns. Then the next fiber runs. The order
// of the fibers is a parameter of the launch. Shared memory is filled with NaN
// at the start of a block. Therefore, a missing barrier produces NaN or a
// result that depends on the order.

#pragma once
#include <cstdint>
#include <cstring>

#include <math.h>

struct Dim { unsigned x, y, z; };
extern Dim threadIdx, blockIdx, blockDim, gridDim;

namespace host {
extern long long bytes_read, bytes_written;
extern unsigned char* shared;  // its size is set by the launch
void barrier(int line);

struct Kernel {
  const char* name;  // null after the last kernel
  size_t n_args;
  void (*run)(const int64_t* words);  // every argument has 64 bits
};
extern const Kernel kernels[];
}

#define __device__
#define __global__
#define __launch_bounds__(...)
#define __syncthreads() host::barrier(__LINE__)
#define SHARED_MEMORY(Value) \
  inline Value* shared_memory() { return (Value*) host::shared; }

template <class Value>
inline Value __ldg(const Value* from) {
  host::bytes_read += sizeof(Value);
  return *from;
}

template <class Value>
inline void store(Value* to, Value value) {
  host::bytes_written += sizeof(Value);
  *to = value;
}

template <class Value>
inline Value* at_step(Value* start, int t, int row_bytes) {
  return start + (long long) t * row_bytes / (int) sizeof(Value);
}

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline float __expf(float a) { return exp(a); }
inline float reciprocal(float a) { return 1 / a; }

inline float half_to_float(unsigned short bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = exponent == 31 ? (fraction ? NAN : INFINITY)
              : exponent == 0 ? ldexp((float) fraction, -24)
              : ldexp((float) (fraction + 1024), exponent - 25);
  return bits >> 15 ? -value : value;
}

// Rounds to the nearest float16, with ties to even.
inline unsigned short float_to_half(float value) {
  const unsigned short sign = signbit(value) ? 0x8000 : 0;
  const float size = fabs(value);
  if (isnan(value)) return 0x7fff;
  if (size >= 65520.f) return sign | 0x7c00;
  if (size < 0x1p-14f)  // subnormal numbers, in steps of 2 ** -24
    return sign | (unsigned short) nearbyint(ldexp(size, 24));
  int exponent;
  frexp(size, &exponent);  // size = m 2 ** exponent, m in [1/2, 1)
  const int units = (int) nearbyint(ldexp(size, 11 - exponent));
  return sign | (unsigned short) ((exponent + 13) * 1024 + units);
}
