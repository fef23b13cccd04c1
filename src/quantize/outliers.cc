#include "quantize/outliers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

#include "quantize/row_blocks.h"

namespace pbatch {
namespace {

// Of one group.
constexpr std::int64_t kMostOfGroup = 8;
// An outlier's place and value; at the same noise, so many bits of codes would do.
constexpr double kOutlierBits = 64;
// Noise falls by 2 ln 2 for each bit a weight, relative to itself.
constexpr double kGainPerBit = 2 * std::numbers::ln2;
constexpr double kWorthwhileDb = 0.5;
// Steps that gain less than this share of what pays at first will not pay later either.
constexpr double kHopeful = 0.25;

// Further outliers of one group: those that make it `count` of them.
struct Step {
  double gain = 0;  // of noise, for each
  std::int64_t group = 0;
  std::int64_t count = 0, before = 0;
};

using Greatest = std::array<float, kMostOfGroup + 1>;

// The greatest magnitudes of a group, falling; zeros behind them.
Greatest greatest_of(const float* w, std::int64_t count) {
  Greatest greatest{};
  for (std::int64_t i = 0; i < count; ++i) {
    float x = std::fabs(w[i]);
    if (x <= greatest.back()) continue;
    for (float& held : greatest) {
      if (x > held) std::swap(x, held);
    }
  }
  return greatest;
}

// The upper hull of what k outliers gain, as steps of falling gain for each.
void add_steps(const Greatest& greatest, std::int64_t cols, std::int64_t group, double least,
               std::vector<Step>* steps) {
  const auto square = [&](std::int64_t k) {
    const double x = greatest[static_cast<std::size_t>(k)];
    return x * x;
  };
  const std::int64_t most = std::min(kMostOfGroup, cols - 1);
  for (std::int64_t before = 0; before < most;) {
    Step best{0, group, 0, before};
    for (std::int64_t k = before + 1; k <= most; ++k) {
      const double gain = static_cast<double>(cols) * (square(before) - square(k)) /
                          static_cast<double>(k - before);
      if (gain > best.gain) best = {gain, group, k, before};
    }
    if (best.gain <= least) return;
    steps->push_back(best);
    before = best.count;
  }
}

// How many of each group: those steps that pay, until there are `limit`. Empty if they gain little.
std::vector<Step> choose_steps(std::vector<Step> steps, double noise, std::int64_t weights,
                               std::int64_t limit) {
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    if (a.gain != b.gain) return a.gain > b.gain;
    return a.group != b.group ? a.group < b.group : a.count < b.count;
  });
  const double price = kOutlierBits * kGainPerBit / static_cast<double>(weights);
  double left = noise;
  std::int64_t used = 0;
  std::size_t taken = 0;
  for (const Step& step : steps) {
    const std::int64_t more = step.count - step.before;
    if (step.gain <= price * left || used + more > limit) break;
    left -= step.gain * static_cast<double>(more);
    used += more;
    ++taken;
  }
  if (noise <= left * std::pow(10, kWorthwhileDb / 10)) taken = 0;
  steps.resize(taken);
  return steps;
}

}  // namespace

Outliers find_outliers(const WeightView& weights, const Magnitudes& magnitudes, double most,
                       ThreadPool* pool) {
  const std::int64_t count = weights.rows * weights.cols, groups = magnitudes.groups;
  const auto limit = static_cast<std::int64_t>(most * static_cast<double>(count));
  if (limit < 1 || count >= std::int64_t{1} << 31) return {};
  const auto cols_of = [&](std::int64_t g) {
    return std::min(magnitudes.group_cols, weights.cols - g * magnitudes.group_cols);
  };
  double noise = 0;
  for (std::int64_t i = 0; i < weights.rows * groups; ++i) {
    const double top = magnitudes.greatest[static_cast<std::size_t>(i)];
    noise += static_cast<double>(cols_of(i % groups)) * top * top;
  }
  const double least = kHopeful * kOutlierBits * kGainPerBit * noise / static_cast<double>(count);
  std::vector<std::vector<Step>> of_rows(static_cast<std::size_t>(row_blocks(weights.rows)));
  for_each_row_block(weights.rows, pool, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>((end - begin) * weights.cols));
    weights.copy_rows(begin, end, rows.data());
    std::vector<Step>& steps = of_rows[static_cast<std::size_t>(begin / kBlockRows)];
    for (std::int64_t i = begin * groups; i < end * groups; ++i) {
      const double top = magnitudes.greatest[static_cast<std::size_t>(i)];
      const std::int64_t g = i % groups, cols = cols_of(g);
      if (static_cast<double>(cols) * top * top <= least) continue;
      const float* const w =
          rows.data() + (i / groups - begin) * weights.cols + g * magnitudes.group_cols;
      add_steps(greatest_of(w, cols), cols, i, least, &steps);
    }
  });
  std::vector<Step> steps;
  for (const auto& block : of_rows) steps.insert(steps.end(), block.begin(), block.end());
  steps = choose_steps(std::move(steps), noise, count, limit);
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return a.group != b.group ? a.group < b.group : a.count > b.count;
  });

  Outliers outliers;
  std::int64_t done = -1;
  for (const Step& step : steps) {
    if (step.group == done) continue;  // the first of a group has the greatest count
    done = step.group;
    const std::int64_t row = step.group / groups,
                       first = step.group % groups * magnitudes.group_cols;
    const float* const w = weights.data + row * weights.row_stride;
    std::vector<std::int64_t> columns(static_cast<std::size_t>(cols_of(step.group % groups)));
    for (std::size_t c = 0; c < columns.size(); ++c) {
      columns[c] = first + static_cast<std::int64_t>(c);
    }
    const auto behind = columns.begin() + step.count;
    std::partial_sort(columns.begin(), behind, columns.end(), [&](std::int64_t a, std::int64_t b) {
      const float x = std::fabs(w[weights.place_of(a)]), y = std::fabs(w[weights.place_of(b)]);
      return x != y ? x > y : a < b;
    });
    std::sort(columns.begin(), behind);
    for (auto c = columns.begin(); c != behind; ++c) {
      outliers.places.push_back(static_cast<std::int32_t>(row * weights.cols + *c));
      outliers.values.push_back(w[weights.place_of(*c)]);
    }
  }
  return outliers;
}

std::vector<float> without_outliers(const WeightView& weights, const Outliers& outliers,
                                    std::int64_t group_cols) {
  std::vector<float> others(static_cast<std::size_t>(weights.rows * weights.cols));
  weights.copy_rows(0, weights.rows, others.data());
  const auto& places = outliers.places;
  for (const std::int32_t place : places) others[static_cast<std::size_t>(place)] = 0;
  for (std::size_t i = 0; i < places.size();) {
    const std::int64_t row = places[i] / weights.cols, g = places[i] % weights.cols / group_cols;
    const std::int64_t begin = row * weights.cols + g * group_cols;
    const std::int64_t end = std::min(begin + group_cols, (row + 1) * weights.cols);
    std::size_t last = i;
    while (last < places.size() && places[last] < end) ++last;
    double sum = 0;
    for (std::int64_t c = begin; c < end; ++c)
      sum += std::fabs(others[static_cast<std::size_t>(c)]);
    const double mean =
        sum / static_cast<double>(end - begin - static_cast<std::int64_t>(last - i));
    for (; i < last; ++i) {
      others[static_cast<std::size_t>(places[i])] =
          std::copysign(static_cast<float>(mean), outliers.values[i]);
    }
  }
  return others;
}

}  // namespace pbatch
