// Runs kernels compiled for the host. The process reads launches from standard
// input and writes the resulting arrays to standard output.
//
// Each array of a launch has a separate allocation of its exact size, so that
// the address sanitizer detects accesses past its end. All numbers of the
// protocol have 64 bits. host_device.py is the other side of the protocol.

#include <fcntl.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "device.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define LEAVE(keep, fiber) \
  __sanitizer_start_switch_fiber(keep, (fiber).bottom, (fiber).size)
#define ARRIVE(kept) __sanitizer_finish_switch_fiber(kept, nullptr, nullptr)
#else
#define LEAVE(keep, fiber) (void) 0
#define ARRIVE(kept) (void) 0
#endif

Dim threadIdx, blockIdx, blockDim, gridDim;
long long host::bytes_read, host::bytes_written;
unsigned char* host::shared;
static bool last_only;  // whether to run only the last block along x

static void fail(const char* what) {
  std::fprintf(stderr, "host device: %s\n", what);
  std::exit(3);
}

// --- fibers ----------------------------------------------------------------

struct Fiber {
  ucontext_t context;
  const void* bottom = nullptr;
  size_t size = 0;
  void* kept = nullptr;  // the sanitizer's stack for this fiber
  int line = 0;          // line of the barrier where it waits; 0 if finished
};

// The stack is small, because the sanitizer scans its shadow at every switch.
static const size_t STACK = 32 << 10;
static Fiber scheduler;
static std::vector<Fiber*> fibers;
static Fiber* running;
static const host::Kernel* kernel;
static std::vector<int64_t> words;  // arguments of the kernel

static void give_way() {
  Fiber* self = running;
  LEAVE(&self->kept, scheduler);
  swapcontext(&self->context, &scheduler.context);
  ARRIVE(self->kept);
}

// A fiber runs one thread of each block, one block after another.
static void serve() {
  ARRIVE(nullptr);
  for (;;) {
    kernel->run(words.data());
    running->line = 0;
    give_way();
  }
}

static void resume(Fiber* fiber) {
  running = fiber;
  LEAVE(&scheduler.kept, *fiber);
  swapcontext(&scheduler.context, &fiber->context);
  ARRIVE(scheduler.kept);
}

void host::barrier(int line) {
  running->line = line;
  const Dim index = threadIdx;
  give_way();
  threadIdx = index;
}

static Fiber* new_fiber() {
  Fiber* fiber = new Fiber;
  void* stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) fail("no memory for a stack");
  fiber->bottom = stack;
  fiber->size = STACK;
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = stack;
  fiber->context.uc_stack.ss_size = STACK;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, serve, 0);
  return fiber;
}

// --- blocks ----------------------------------------------------------------

// Returns 0 to n - 1 in ascending (order 0), descending (1) or random order.
static std::vector<unsigned> turns(size_t n, uint64_t order) {
  static uint64_t state = 0;
  std::vector<unsigned> indices(n);
  for (size_t i = 0; i < n; ++i)
    indices[i] = (unsigned) (order == 1 ? n - 1 - i : i);
  for (size_t i = n; order > 1 && i > 1; --i) {
    state = (state + order) * 6364136223846793005u + 1442695040888963407u;
    std::swap(indices[i - 1], indices[(state >> 33) % i]);
  }
  return indices;
}

static void run_block(size_t threads, int64_t shared_bytes, int64_t order) {
  host::shared = (unsigned char*) std::malloc(shared_bytes);
  std::memset(host::shared, 0xff, shared_bytes);  // NaN in every float
  while (fibers.size() < threads) fibers.push_back(new_fiber());
  for (bool first = true;; first = false) {
    int line = 0, done = 0;
    for (unsigned i : turns(threads, order)) {
      if (first)
        threadIdx = Dim{i % blockDim.x, i / blockDim.x % blockDim.y,
                        i / blockDim.x / blockDim.y};
      resume(fibers[i]);
      if (fibers[i]->line == 0) ++done;
      else if (line == 0) line = fibers[i]->line;
      else if (line != fibers[i]->line) fail("two barriers at once");
    }
    if (done == (int) threads) break;
    if (done > 0) fail("some threads of a block never reach a barrier");
  }
  std::free(host::shared);
}

static void run_grid(int64_t shared_bytes, int64_t order) {
  const size_t threads = (size_t) blockDim.x * blockDim.y * blockDim.z;
  const size_t blocks = (size_t) gridDim.x * gridDim.y * gridDim.z;
  if (threads == 0 || blocks == 0 || threads > 1024) fail("no such grid");
  if (gridDim.y > 65535 || gridDim.z > 65535) fail("no such grid");
  if (shared_bytes > 48 << 10) fail("more shared memory than every device has");
  if (last_only) {
    for (unsigned y : turns(gridDim.y, order)) {
      blockIdx = Dim{gridDim.x - 1, y, 0};
      run_block(threads, shared_bytes, order);
    }
    return;
  }
  for (unsigned i : turns(blocks, order)) {
    blockIdx = Dim{i % gridDim.x, i / gridDim.x % gridDim.y,
                   i / gridDim.x / gridDim.y};
    run_block(threads, shared_bytes, order);
  }
}

// --- launches --------------------------------------------------------------

static const host::Kernel* find(const std::string& name, size_t n_args) {
  for (const host::Kernel* it = host::kernels; it->name; ++it) {
    if (name != it->name) continue;
    if (n_args != it->n_args) fail("wrong number of arguments");
    return it;
  }
  fail("no such kernel");
  return nullptr;
}

static void read_input(void* to, size_t size) {
  for (char* at = (char*) to; size > 0;) {
    const ssize_t got = read(0, at, size);
    if (got <= 0) std::exit(got == 0 && at == to ? 0 : 4);
    at += got;
    size -= got;
  }
}

static void write_output(const void* from, size_t size) {
  for (const char* at = (const char*) from; size > 0;) {
    const ssize_t put = write(1, at, size);
    if (put <= 0) std::exit(4);
    at += put;
    size -= put;
  }
}

static int64_t read_word() {
  int64_t word;
  read_input(&word, sizeof word);
  return word;
}

// Maps an array that is stored in a sparse file because it is too large to be
// sent.
static int64_t map_file(size_t size) {
  std::string path(read_word(), ' ');
  read_input(&path[0], path.size());
  const int file = open(path.c_str(), O_RDWR);
  void* array = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_NORESERVE, file, 0);
  if (file < 0 || array == MAP_FAILED) fail("cannot map a file");
  close(file);
  return reinterpret_cast<int64_t>(array);
}

int main() {
  for (;;) {
    std::string name(read_word(), ' ');
    read_input(&name[0], name.size());
    gridDim.x = read_word(), gridDim.y = read_word(), gridDim.z = read_word();
    blockDim.x = read_word(), blockDim.y = read_word();
    blockDim.z = read_word();
    const int64_t shared_bytes = read_word(), order = read_word();
    last_only = read_word();
    words.resize(read_word());
    std::vector<std::pair<void*, size_t>> arrays, files;
    for (int64_t& word : words) {
      const int64_t size = read_word();
      if (size == -2) {
        const int64_t mapped = read_word();
        word = map_file(mapped);
        files.push_back({reinterpret_cast<void*>(word), (size_t) mapped});
        continue;
      }
      if (size == -1) {  // a number or a null pointer
        word = read_word();
        continue;
      }
      void* array = std::malloc(size);
      read_input(array, size);
      arrays.push_back({array, (size_t) size});
      word = reinterpret_cast<int64_t>(array);
    }
    host::bytes_read = host::bytes_written = 0;
    kernel = find(name, words.size());
    run_grid(shared_bytes, order);
    for (auto& file : files) munmap(file.first, file.second);
    for (auto& array : arrays) {
      write_output(array.first, array.second);
      std::free(array.first);
    }
    const int64_t counts[] = {host::bytes_read, host::bytes_written};
    write_output(counts, sizeof counts);
  }
}
