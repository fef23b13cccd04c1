#include "quantize/step_stats.h"

#include <algorithm>

namespace pbatch {
namespace {

constexpr int kSumLanes = 8;     // sums that run side by side, so that compilers use vectors
constexpr int kCodeBlock = 128;  // columns whose codes are kept at hand

struct Lanes {
  float sum[kSumLanes] = {};
  float total() const {
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
  }
};

// Calls term(x, b) for each element of a block, adding what it returns.
template <class Term>
void add_terms(const float* x, const std::int32_t* codes, int count, int shift, int width,
               const Term& term, Lanes* lanes) {
  const float unit = 1.0f / static_cast<float>(1 << width);
  const auto b = [&](int i) {
    return static_cast<float>(level_of_code(codes[i] >> shift, width)) * unit;
  };
  int i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes) {
    for (int l = 0; l < kSumLanes; ++l) lanes->sum[l] += term(x[i + l], b(i + l));
  }
  for (int l = 0; i < count; ++i, ++l) lanes->sum[l] += term(x[i], b(i));
}

}  // namespace

Widths::Widths(int planes_)
    : planes(planes_), narrow(std::min(planes_, kNarrowWidths)), wide_count(0) {
  for (const int w : {4, 6, 8}) {
    if (w < planes) wide[wide_count++] = w;
  }
  if (planes > kNarrowWidths) wide[wide_count++] = planes;
}

StepStats measure_step(const float* x, std::int64_t count, float step, const Widths& widths) {
  const Encoder encode(widths.planes, step);
  Lanes bb[kNarrowWidths], xb[kNarrowWidths], noise[4];
  std::int32_t codes[kCodeBlock];
  for (std::int64_t start = 0; start < count; start += kCodeBlock) {
    const auto length = static_cast<int>(std::min<std::int64_t>(kCodeBlock, count - start));
    const float* from = x + start;
    for (int i = 0; i < length; ++i) codes[i] = encode(from[i]);
    for (int w = 0; w < widths.narrow; ++w) {
      const int shift = widths.planes - (w + 1);
      add_terms(
          from, codes, length, shift, w + 1, [](float, float b) { return b * b; }, &bb[w]);
      add_terms(
          from, codes, length, shift, w + 1, [](float v, float b) { return v * b; }, &xb[w]);
    }
    for (int w = 0; w < widths.wide_count; ++w) {
      const auto error = [step](float v, float b) {
        const float e = v - step * b;
        return e * e;
      };
      add_terms(from, codes, length, widths.planes - widths.wide[w], widths.wide[w], error,
                &noise[w]);
    }
  }
  StepStats stats{};
  for (int w = 0; w < widths.narrow; ++w) {
    stats.bb[w] = bb[w].total();
    stats.xb[w] = xb[w].total();
  }
  for (int w = 0; w < widths.wide_count; ++w) stats.noise[w] = noise[w].total();
  return stats;
}

}  // namespace pbatch
