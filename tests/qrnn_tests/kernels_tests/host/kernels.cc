// Table in which driver.cc looks up the kernels of a module by name. The macro
// KERNELS is the path of the file that contains the source of the kernels.

#include <type_traits>
#include <utility>

#include "device.h"
#include KERNELS

namespace {

template <class Value>
Value unpack(int64_t word) {
  static_assert(sizeof(Value) == 8, "arguments are 64-bit words");
  if constexpr (std::is_floating_point_v<Value>) {
    Value value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  } else {
    return (Value) word;
  }
}

template <class... Args, size_t... I>
void call(void (*kernel)(Args...), const int64_t* words,
          std::index_sequence<I...>) {
  kernel(unpack<Args>(words[I])...);
}

template <auto kernel, class... Args>
constexpr host::Kernel entry(const char* name, void (*)(Args...)) {
  return {name, sizeof...(Args), [](const int64_t* words) {
            call(kernel, words, std::index_sequence_for<Args...>());
          }};
}

}  // namespace

#define KERNEL(it) entry<it>(#it, it)
#define OPERATION(it) \
  KERNEL(it##_sequential), KERNEL(it##_block_scan), KERNEL(it##_reduce)

const host::Kernel host::kernels[] = {
#if defined QRNN_POOLING
    OPERATION(pooling_forward), OPERATION(pooling_backward),
    KERNEL(scan_carries), KERNEL(sum_rows),
#elif defined QRNN_STRNN
    OPERATION(strnn_forward), OPERATION(strnn_backward),
    KERNEL(scan_carries), KERNEL(sum_rows),
#elif defined QRNN_WINDOWS
    KERNEL(unfold), KERNEL(fold), KERNEL(last_steps), KERNEL(step_window),
#elif defined QRNN_LSTM
    KERNEL(lstm_forward), KERNEL(lstm_backward),
#elif defined QRNN_DROPOUT
    KERNEL(dropout),
#elif defined QRNN_SOFTMAX
    KERNEL(softmax_cross_entropy), KERNEL(mean_loss),
    KERNEL(attention_weights), KERNEL(attention_weights_backward),
#endif
    {nullptr, 0, nullptr}};
