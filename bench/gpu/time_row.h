// What rows of single products have in common.
#pragma once

#include <cstdint>

#include "bench/gpu/graph_timer.h"
#include "bench/gpu/json_rows.h"

namespace pbatch::bench {

/// Adds the times of a product that reads `bytes` of weights; `bandwidth` of copies, bytes a
/// second.
inline JsonRow& add_times(JsonRow& row, bool cold, std::int64_t bytes, const Times& times,
                          double bandwidth) {
  return row.add("cold", static_cast<long long>(cold))
      .add("bytes", static_cast<long long>(bytes))
      .add("median_us", times.median)
      .add("least_us", times.least)
      .add("of_copy_bandwidth", static_cast<double>(bytes) / times.median * 1e6 / bandwidth);
}

}  // namespace pbatch::bench
