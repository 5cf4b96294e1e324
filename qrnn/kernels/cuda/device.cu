// What only the device's own compiler understands. The tests without a GPU put
// a header of their own in place of this one file.

__device__ inline float half_to_float(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

__device__ inline unsigned short float_to_half(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

// Within a unit of the last place. Of what is never small, as here, no more
// than one instruction.
__device__ inline float reciprocal(float value) {
#ifdef __CUDA_ARCH__
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
#else  // an emulated device
  return 1.f / value;
#endif
}

// A write to global memory. What a kernel writes, it does not read.
template <class Value>
__device__ inline void store(Value* to, Value value) {
  *to = value;
}

// Where step t lies of what starts at a place, rows of so many bytes apart: one
// instruction, where the compiler makes five of a product of 64 bits.
template <class Value>
__device__ inline Value* at_step(Value* start, int t, int row_bytes) {
#ifdef __CUDA_ARCH__
  long long offset;
  asm("mul.wide.s32 %0, %1, %2;" : "=l"(offset) : "r"(t), "r"(row_bytes));
#else
  const long long offset = (long long) t * row_bytes;
#endif
  return (Value*) ((const char*) start + offset);
}

// Shared memory, as much as the launch asked for.
#define SHARED_MEMORY(Value)                 \
  __device__ inline Value* shared_memory() { \
    extern __shared__ Value dynamic[];       \
    return dynamic;                          \
  }
