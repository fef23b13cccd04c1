#include "quantize/group_fit.h"

#include <algorithm>
#include <cmath>

namespace pbatch {
namespace {

// The error that a mid-rise quantizer with the best step leaves of Gaussian
// weights in groups of 32, as a share of their energy: what makes the widths'
// errors comparable. Beyond 8 bits each bit quarters it.
float gaussian_error(int n) {
  static constexpr float errors[] = {0,       0.353F,   0.1135F,   0.0295F,   0.0075F,
                                     0.0019F, 0.00047F, 0.000115F, 0.0000285F};
  return n <= 8 ? errors[n] : errors[8] * std::ldexp(1.0F, -2 * (n - 8));
}

// Two bits pay most for sharing a step with eight, so they weigh more.
float width_weight(int n) { return n == 2 ? 3.0F : n == 3 ? 1.2F : 1.0F; }

constexpr int kWideWidths[] = {5, 6, 8, 12, 16};

}  // namespace

float GroupFit::best_scale(int n) const {
  const float p = power[n - 1];
  return p > 0 ? std::ldexp(cross[n - 1] / p, n) : 0;
}

float GroupFit::narrow_cost(int n, float q) const {
  if (energy == 0) return 0;
  const float s = std::ldexp(q, -n);
  const float error = energy - 2 * s * cross[n - 1] + s * s * power[n - 1];
  return width_weight(n) * error / (energy * gaussian_error(n));
}

void encode_group(const float* w, std::int64_t count, float q, int planes, std::int32_t* u) {
  const float half = std::ldexp(1.0F, planes - 1);
  const float inverse = q > 0 ? half / q : 0;
  const float top = 2 * half - 1;
  for (std::int64_t i = 0; i < count; ++i) {
    // Clamped above zero, the conversion truncates as floor would.
    const float cell = std::min(std::max(w[i] * inverse + half, 0.0F), top);
    u[i] = static_cast<std::int32_t>(cell);
  }
}

GroupFit fit_group(const float* w, std::int64_t count, float q, int planes, std::int32_t* u) {
  encode_group(w, count, q, planes, u);
  GroupFit fit;
  for (std::int64_t i = 0; i < count; ++i) fit.energy += w[i] * w[i];
  for (int n = 1; n <= std::min(planes, kNarrowWidths); ++n) {
    const int shift = planes - n, offset = (1 << n) - 1;
    float cross = 0, power = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto c = static_cast<float>(2 * (u[i] >> shift) - offset);
      cross += w[i] * c;
      power += c * c;
    }
    fit.cross[n - 1] = cross;
    fit.power[n - 1] = power;
  }
  if (fit.energy == 0) return fit;
  for (const int n : kWideWidths) {
    if (n > planes) break;
    const int shift = planes - n, offset = (1 << n) - 1;
    const float scale = std::ldexp(q, -n);
    float error = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const float d = w[i] - scale * static_cast<float>(2 * (u[i] >> shift) - offset);
      error += d * d;
    }
    fit.wide_cost += error / (fit.energy * gaussian_error(n));
  }
  return fit;
}

}  // namespace pbatch
