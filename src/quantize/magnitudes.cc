#include "quantize/magnitudes.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>

#include "quantize/row_blocks.h"

namespace pbatch {
namespace {

// Below it the scales of narrow widths would leave the normal floats.
constexpr float kZeroRow = 0x1p-100f;
// 255 times the scale must stay finite.
constexpr float kMaxRowScale = FLT_MAX / 256;

constexpr std::int64_t kMostSampleGroups = 16384;
constexpr std::int64_t kSampleElements = std::int64_t{1} << 21;

// Fills in the row's scale and its groups' greatest magnitudes; returns the
// first column that is not finite, or -1.
std::int64_t measure_row(const float* w, std::int64_t cols, std::int64_t group_cols,
                         float* greatest, float* row_scale) {
  float needed = 0;  // the greatest scale of any group at any width
  float row_greatest = 0;
  for (std::int64_t begin = 0, g = 0; begin < cols; begin += group_cols, ++g) {
    const std::int64_t end = std::min(cols, begin + group_cols);
    float top = 0;
    double sum = 0;
    for (std::int64_t c = begin; c < end; ++c) {
      const float magnitude = std::fabs(w[c]);
      if (!(magnitude <= FLT_MAX)) return c;
      top = std::max(top, magnitude);
      sum += magnitude;
    }
    greatest[g] = top;
    row_greatest = std::max(row_greatest, top);
    // One bit tells +-q/2, so q is twice the mean magnitude.
    const double one_bit = 2 * sum / static_cast<double>(end - begin);
    needed = std::max({needed, top, static_cast<float>(std::min<double>(one_bit, FLT_MAX))});
  }
  *row_scale = row_greatest < kZeroRow ? 0 : std::min(needed / 255, kMaxRowScale);
  return -1;
}

}  // namespace

Result<Magnitudes> measure_magnitudes(const WeightView& weights, int group, ThreadPool* pool) {
  Magnitudes m;
  m.group_cols = group == 0 ? weights.cols : group;
  m.groups = (weights.cols + m.group_cols - 1) / m.group_cols;
  m.row_scale.resize(static_cast<std::size_t>(weights.rows));
  m.greatest.resize(static_cast<std::size_t>(weights.rows * m.groups));
  std::vector<std::int64_t> bad(static_cast<std::size_t>(weights.rows), -1);
  for_each_row_block(weights.rows, pool, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>((end - begin) * weights.cols));
    weights.copy_rows(begin, end, rows.data());
    for (std::int64_t r = begin; r < end; ++r) {
      bad[static_cast<std::size_t>(r)] =
          measure_row(rows.data() + (r - begin) * weights.cols, weights.cols, m.group_cols,
                      &m.greatest[static_cast<std::size_t>(r * m.groups)],
                      &m.row_scale[static_cast<std::size_t>(r)]);
    }
  });
  for (std::size_t r = 0; r < bad.size(); ++r) {
    if (bad[r] < 0) continue;
    return Status(ErrorCode::not_finite,
                  "the weight at row " + std::to_string(r) + ", column " + std::to_string(bad[r]) +
                      " is NaN or infinite",
                  "repair the network or leave this layer float (exclude it)");
  }
  return m;
}

std::array<double, 256> step_mass(const Magnitudes& m, float smallest_step) {
  std::array<double, 256> mass{};
  for (std::size_t r = 0; r < m.row_scale.size(); ++r) {
    const float gain = m.gain(static_cast<std::int64_t>(r));
    if (gain == 0) continue;
    const double weight = static_cast<double>(m.row_scale[r]) * m.row_scale[r];
    for (std::int64_t g = 0; g < m.groups; ++g) {
      const float greatest =
          m.greatest[r * static_cast<std::size_t>(m.groups) + static_cast<std::size_t>(g)];
      if (greatest == 0) continue;
      for (const float share : {1.0f, 0.67f, 0.33f, 0.0f}) {
        const float wanted = greatest * gain * (share + (1 - share) * smallest_step);
        const float step = std::clamp(std::ceil(wanted - 1e-3f), 1.0f, 255.0f);
        mass[static_cast<std::size_t>(step)] += weight;
      }
    }
  }
  return mass;
}

GroupSample sample_groups(const WeightView& weights, const Magnitudes& m) {
  std::vector<std::int64_t> filled;
  for (std::int64_t r = 0; r < weights.rows; ++r) {
    if (m.gain(r) == 0) continue;
    for (std::int64_t i = r * m.groups; i < (r + 1) * m.groups; ++i) {
      if (m.greatest[static_cast<std::size_t>(i)] > 0) filled.push_back(i);
    }
  }
  const auto count = static_cast<std::int64_t>(filled.size());
  const std::int64_t wanted = std::min(
      count,
      std::min(kMostSampleGroups, std::max<std::int64_t>(256, kSampleElements / m.group_cols)));
  GroupSample sample;
  for (std::int64_t k = 0; k < wanted; ++k) {
    // One from each of `wanted` equal stretches; where in it changes, so that
    // the sample does not stay in one column.
    const std::int64_t begin = k * count / wanted, end = (k + 1) * count / wanted;
    const std::int64_t i = filled[static_cast<std::size_t>(begin + k * 7919 % (end - begin))];
    const std::int64_t r = i / m.groups, first = i % m.groups * m.group_cols;
    const std::int64_t last = std::min(weights.cols, first + m.group_cols);
    for (std::int64_t c = first; c < last; ++c) {
      sample.x.push_back(weights.data[r * weights.row_stride + weights.place_of(c)] * m.gain(r));
    }
    sample.begin.push_back(static_cast<std::int64_t>(sample.x.size()));
    const double scale = m.row_scale[static_cast<std::size_t>(r)];
    sample.weight.push_back(scale * scale);
  }
  return sample;
}

}  // namespace pbatch
