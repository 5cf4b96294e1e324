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

// Shared memory, as much as the launch asked for.
#define SHARED_MEMORY(Value)                 \
  __device__ inline Value* shared_memory() { \
    extern __shared__ Value dynamic[];       \
    return dynamic;                          \
  }
