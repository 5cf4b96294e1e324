// Dropout: an element becomes 0 if its random word is at most `limit`, and is
// scaled otherwise.
//
// A thread draws four random words for four elements. These elements are a
// quarter of a chunk apart, so adjacent threads process adjacent elements.

extern "C" __global__ void dropout(
    const Real* x, Real* y, Index seed, Index limit, double scale, Index size) {
  const Index counter = (Index) blockIdx.x * blockDim.x + threadIdx.x;
  const Index quarter = QRNN_CHUNK / 4, chunk = counter / quarter;
  const Index first = chunk * QRNN_CHUNK + (counter - chunk * quarter);
  if (first >= size) return;
  const Words words = philox(counter, seed);
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const Index at = first + k * quarter;
    const bool kept = words.at[k] > (unsigned) limit;
    if (at < size)  // a dropped NaN stays NaN
      put(y + at, wide(fetch(x + at)) * (kept ? (Carry) scale : Carry(0)));
  }
}
