#include "kernel/prefetch.h"

#include "isa/cpu.h"

namespace pbatch {

#if defined(__x86_64__)

namespace {

// Beyond the second-level caches of such processors.
constexpr std::int64_t kLargeWeights = std::int64_t{2} << 20;

}  // namespace

bool fetches_ahead(const BitKernel& kernel, int n_planes, std::int64_t weights) {
  static const bool finds_streams = cpu_maker() == "amd";
  if (!finds_streams) return true;
  return kernel.isa == Isa::avx512 && n_planes > 4 && weights > kLargeWeights;
}

#else

bool fetches_ahead(const BitKernel&, int, std::int64_t) { return true; }

#endif

}  // namespace pbatch
