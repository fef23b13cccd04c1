// Activations in place.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"
#include "kernel/epilogue.h"

namespace pbatch {

/// Applies the activation to y[0 .. count - 1]. NaN stays NaN.
inline void activate(Activation activation, float* y, std::int64_t count, ThreadPool& pool) {
  constexpr std::int64_t kWorthAThread = std::int64_t{1} << 15;
  if (activation != Activation::relu) return;
  pool.parallel_for(count, kWorthAThread, [y](std::int64_t begin, std::int64_t end) {
    std::transform(y + begin, y + end, y + begin, [](float v) { return v < 0.0F ? 0.0F : v; });
  });
}

}  // namespace pbatch
