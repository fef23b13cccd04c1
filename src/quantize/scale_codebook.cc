#include "quantize/scale_codebook.h"

#include <algorithm>
#include <cmath>

namespace pbatch {
namespace {

using Ratio = std::array<float, kNarrowWidths>;

constexpr int kIterations = 8;

// What an error in the scale of 1, 2, 3, 4 bits costs, against that width's own
// error; one bit is held to more, since its scale is all it has.
constexpr Ratio kImportance{7.0F, 7.8F, 6.5F, 6.5F};

float distance(const Ratio& a, const Ratio& b) {
  float sum = 0;
  for (std::size_t n = 0; n < kNarrowWidths; ++n) {
    sum += kImportance[n] * (a[n] - b[n]) * (a[n] - b[n]);
  }
  return sum;
}

std::size_t nearest(const std::array<Ratio, kShapes>& centres, const Ratio& r) {
  std::size_t best = 0;
  for (std::size_t s = 1; s < kShapes; ++s) {
    if (distance(centres[s], r) < distance(centres[best], r)) best = s;
  }
  return best;
}

std::array<Ratio, kShapes> cluster(std::vector<Ratio>& ratios) {
  std::sort(ratios.begin(), ratios.end());   // by the one-bit ratio first
  std::array<Ratio, kShapes> centres;
  for (std::size_t s = 0; s < kShapes; ++s) {
    centres[s] = ratios[std::min(ratios.size() - 1, ratios.size() * (2 * s + 1) / (2 * kShapes))];
  }
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    std::array<std::array<double, kNarrowWidths>, kShapes> sum{};
    std::array<double, kShapes> count{};
    for (const Ratio& r : ratios) {
      const std::size_t s = nearest(centres, r);
      for (std::size_t n = 0; n < kNarrowWidths; ++n) sum[s][n] += r[n];
      count[s] += 1;
    }
    for (std::size_t s = 0; s < kShapes; ++s) {
      if (count[s] == 0) continue;
      for (std::size_t n = 0; n < kNarrowWidths; ++n) {
        centres[s][n] = static_cast<float>(sum[s][n] / count[s]);
      }
    }
  }
  return centres;
}

}  // namespace

std::vector<std::uint8_t> ScaleCodebook::table() const {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(widths()) * 256);
  for (int n = 1; n <= widths(); ++n) {
    for (int code = 0; code < 256; ++code) {
      bytes[static_cast<std::size_t>((n - 1) * 256 + code)] =
          static_cast<std::uint8_t>(scale(n, code / kShapes, code % kShapes));
    }
  }
  return bytes;
}

ScaleCodebook make_ladder(std::span<const float> peaks, int planes) {
  // The smallest groups are left out: they matter least and would stretch the
  // ladder. It reaches at least to half of the top, so that steps that clip exist.
  std::vector<float> sorted(peaks.begin(), peaks.end());
  std::sort(sorted.begin(), sorted.end());
  const auto first = std::upper_bound(sorted.begin(), sorted.end(), 0.0F);
  float low = 128;
  if (first != sorted.end()) {
    low = std::min(low, *(first + (sorted.end() - first) / 500));
  }
  low = std::max(low, 4.0F);
  ScaleCodebook book;
  book.planes = planes;
  for (int level = 1; level < kLevels; ++level) {
    const float place = static_cast<float>(level - 1) / (kLevels - 2);
    const float step = low * std::pow(255.0F / low, place);
    book.step[static_cast<std::size_t>(level)] =
        static_cast<std::uint8_t>(std::lround(std::min(step, 255.0F)));
  }
  return book;
}

void learn_shapes(ScaleCodebook& book, std::span<const GroupWish> wishes) {
  std::array<std::vector<Ratio>, kLevels> by_level;
  for (const GroupWish& w : wishes) by_level[static_cast<std::size_t>(w.level)].push_back(w.ratio);
  for (std::size_t level = 1; level < kLevels; ++level) {
    std::array<Ratio, kShapes> centres;
    if (by_level[level].empty()) {
      for (Ratio& r : centres) r.fill(1);   // nobody asked for this step
    } else {
      centres = cluster(by_level[level]);
    }
    for (std::size_t n = 0; n < kNarrowWidths; ++n) {
      for (std::size_t s = 0; s < kShapes; ++s) {
        const float q = static_cast<float>(book.step[level]) * centres[s][n];
        book.narrow[n][level][s] = static_cast<std::uint8_t>(std::clamp(std::lround(q), 1L, 255L));
      }
    }
  }
}

}  // namespace pbatch
