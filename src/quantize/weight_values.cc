#include "quantize/weight_values.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace pbatch {
namespace {

constexpr float kTooLarge = 0x1p60F;
// No trained embedding is so large; numbers added to scores to mask them are.
constexpr float kMaskLike = 1000;
// A step at 8 bits: what is smaller beside a mask's numbers vanishes in it.
constexpr float kStep = 1.0F / 128;
constexpr std::size_t kFewValues = 16;

struct Extremes {
  float least = INFINITY, greatest = 0;  // magnitudes; an infinity or NaN makes `greatest` infinite
};

Extremes extremes_of(std::span<const float> weights) {
  Extremes e;
  for (const float w : weights) {
    const float magnitude = std::fabs(w);
    e.least = std::min(e.least, magnitude);
    e.greatest = magnitude <= e.greatest ? e.greatest : std::isnan(w) ? INFINITY : magnitude;
  }
  return e;
}

bool has_few_values(std::span<const float> weights) {
  std::vector<float> seen;
  for (const float w : weights) {
    if (std::find(seen.begin(), seen.end(), w) != seen.end()) continue;
    if (seen.size() == kFewValues) return false;
    seen.push_back(w);
  }
  return true;
}

}  // namespace

std::string reason_of_weights(std::span<const float> weights) {
  const float greatest = extremes_of(weights).greatest;
  return std::isfinite(greatest) && greatest >= kTooLarge
             ? "its weights go up to 2^" + std::to_string(std::ilogb(greatest))
             : std::string();
}

std::string reason_of_table(std::span<const float> table) {
  const Extremes e = extremes_of(table);
  if (e.greatest >= kMaskLike && e.least <= e.greatest * kStep) {
    return "a table that holds a mask, not an embedding";
  }
  if (e.least == 0 && e.greatest > 0 && has_few_values(table)) {
    return "a table of zeros and few other numbers, not an embedding";
  }
  return {};
}

}  // namespace pbatch
