// Work on a matrix, 16 rows at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"
#include "layout/layout.h"

namespace pbatch {

/// Calls task(first row, row behind the last) for each block of rows, in the pool if there is one.
template <class Task>
void for_each_row_block(std::int64_t rows, ThreadPool* pool, const Task& task) {
  const auto blocks = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      task(b * kBlockRows, std::min<std::int64_t>(rows, (b + 1) * kBlockRows));
    }
  };
  if (pool == nullptr) {
    blocks(0, row_blocks(rows));
  } else {
    pool->parallel_for(row_blocks(rows), 1, blocks);
  }
}

}  // namespace pbatch
