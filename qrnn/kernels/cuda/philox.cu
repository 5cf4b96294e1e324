// The counter-based generator Philox-4x32-10 (Salmon et al. 2011): 128 random
// bits from a 64-bit counter and a 64-bit key. It has no state, so backward
// draws the same bits as forward. philox.py implements the same generator in
// NumPy.

struct Words { unsigned at[4]; };

__device__ inline Words philox(Index counter, Index seed) {
  Words x = {{(unsigned) counter, (unsigned) (counter >> 32), 0u, 0u}};
  unsigned key0 = (unsigned) seed, key1 = (unsigned) (seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned long long product0 = 0xD2511F53ull * x.at[0];
    const unsigned long long product1 = 0xCD9E8D57ull * x.at[2];
    x = Words{{(unsigned) (product1 >> 32) ^ x.at[1] ^ key0,
               (unsigned) product1,
               (unsigned) (product0 >> 32) ^ x.at[3] ^ key1,
               (unsigned) product0}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return x;
}
