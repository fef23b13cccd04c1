#include "quantize/same_matrix.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "quantize/row_blocks.h"

namespace pbatch {

std::size_t hash_of(const WeightView& weights, ThreadPool* pool) {
  std::vector<std::size_t> blocks(static_cast<std::size_t>(row_blocks(weights.rows)));
  for_each_row_block(weights.rows, pool, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>((end - begin) * weights.cols));
    weights.copy_rows(begin, end, rows.data());
    const std::string_view bytes(reinterpret_cast<const char*>(rows.data()),
                                 rows.size() * sizeof(float));
    blocks[static_cast<std::size_t>(begin / kBlockRows)] = std::hash<std::string_view>()(bytes);
  });
  const std::string_view all(reinterpret_cast<const char*>(blocks.data()),
                             blocks.size() * sizeof(std::size_t));
  return std::hash<std::string_view>()(all) ^ static_cast<std::size_t>(weights.cols);
}

bool same_matrix(const WeightView& a, const WeightView& b) {
  if (a.rows != b.rows || a.cols != b.cols) return false;
  const bool same_order =
      a.row_stride == b.row_stride && a.col_stride == b.col_stride && a.taps == b.taps;
  if (a.data == b.data && same_order) return true;
  bool same = true;
  std::vector<float> of_a(static_cast<std::size_t>(kBlockRows * a.cols)), of_b(of_a.size());
  for_each_row_block(a.rows, nullptr, [&](std::int64_t begin, std::int64_t end) {
    if (!same) return;
    a.copy_rows(begin, end, of_a.data());
    b.copy_rows(begin, end, of_b.data());
    const auto count = static_cast<std::size_t>((end - begin) * a.cols);
    same = std::memcmp(of_a.data(), of_b.data(), count * sizeof(float)) == 0;
  });
  return same;
}

void MatrixCensus::add(const WeightView& weights, ThreadPool* pool) {
  const std::size_t hash = hash_of(weights, pool);
  const auto [first, last] = entries_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (!same_matrix(it->second.weights, weights)) continue;
    ++it->second.uses;
    return;
  }
  entries_.emplace(hash, Entry{weights, 1});
}

bool MatrixCensus::is_shared(const WeightView& weights, ThreadPool* pool) const {
  const auto [first, last] = entries_.equal_range(hash_of(weights, pool));
  return std::any_of(first, last, [&](const auto& entry) {
    return entry.second.uses > 1 && same_matrix(entry.second.weights, weights);
  });
}

}  // namespace pbatch
