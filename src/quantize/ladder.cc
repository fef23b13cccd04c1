#include "quantize/ladder.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace pbatch {

// Dynamic programming over the steps asked for: the least cost of covering the
// first j of them with k levels, the highest at step j.
std::vector<int> fit_ladder(const std::array<double, 256>& mass, int max_levels) {
  std::vector<int> steps;
  std::vector<double> below{0.0};  // below[j]: mass of the first j steps
  for (int t = 1; t < 256; ++t) {
    if (mass[static_cast<std::size_t>(t)] <= 0) continue;
    steps.push_back(t);
    below.push_back(below.back() + mass[static_cast<std::size_t>(t)]);
  }
  const std::size_t count = steps.size();
  const auto levels = std::min(static_cast<std::size_t>(max_levels), count);
  std::vector<double> cost(count + 1, std::numeric_limits<double>::infinity());
  cost[0] = 0;
  std::vector<std::vector<std::size_t>> from(levels, std::vector<std::size_t>(count + 1, 0));
  for (std::size_t k = 0; k < levels; ++k) {
    std::vector<double> next(count + 1, std::numeric_limits<double>::infinity());
    for (std::size_t j = 1; j <= count; ++j) {
      const double square = static_cast<double>(steps[j - 1]) * steps[j - 1];
      for (std::size_t i = 0; i < j; ++i) {
        const double c = cost[i] + (below[j] - below[i]) * square;
        if (c < next[j]) {
          next[j] = c;
          from[k][j] = i;
        }
      }
    }
    cost = std::move(next);
  }
  std::vector<int> ladder;
  for (std::size_t k = levels, j = count; k-- > 0; j = from[k][j]) ladder.push_back(steps[j - 1]);
  std::reverse(ladder.begin(), ladder.end());
  return ladder;
}

}  // namespace pbatch
