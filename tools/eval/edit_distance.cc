#include "tools/eval/edit_distance.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace pbatch {

std::int64_t edit_distance(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  // row[j]: the distance of the part of `a` seen so far from the first j of `b`.
  std::vector<std::int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (const std::int64_t item : a) {
    std::int64_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::int64_t substituted = diagonal + (item == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace pbatch
