// Code that only NVIDIA's compiler accepts. The tests without a GPU compile
// kernels for the host, with a header that replaces this file.

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

// Returns the reciprocal of a value of at least 1, with an error of at most one
// unit in the last place. The function is a single instruction.
__device__ inline float reciprocal(float value) {
#ifdef __CUDA_ARCH__
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
#else  // an emulated device
  return 1.f / value;
#endif
}

// Writes a value to global memory.
template <class Value>
__device__ inline void store(Value* to, Value value) {
  *to = value;
}

// Returns the address of step t in an array whose rows are `row_bytes` apart.
// The 32-bit product takes one instruction; a 64-bit product would take five.
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

// Defines a function that returns the shared memory of the block.
#define SHARED_MEMORY(Value)                 \
  __device__ inline Value* shared_memory() { \
    extern __shared__ Value dynamic[];       \
    return dynamic;                          \
  }
