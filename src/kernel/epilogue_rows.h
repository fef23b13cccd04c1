// The loops of EpilogueFn, compiled for each instruction set.
#pragma once

#include <stdint.h>

#include "kernel/epilogue.h"

namespace pbatch {
namespace {

// 2^e for the small exponents used here: exact.
inline float power_of_two(int e) {
  return e >= 0 ? static_cast<float>(1 << e) : 1.0f / static_cast<float>(1 << -e);
}

// Rows up to what is added: loops without a branch, which compilers turn into vector instructions.
template <bool kTwoHalves, bool kTwoDigits, bool kAffine, bool kBias>
void scale_rows(const EpilogueArgs& args, int64_t row_begin, int64_t row_end, float* __restrict y) {
  const float* const acc0 = args.acc[0];
  const float* const acc1 = args.acc[1];
  const float* const row_scale = args.row_scale;
  const float* const ones0 = args.ones[0];
  const float* const ones1 = args.ones[1];
  const float* const bias = args.bias;
  const float zero = args.zero;
  const int64_t low = args.acc_stride;
  const float activation_scale = args.activation_scale;
  const float digit_weight = kTwoDigits ? power_of_two(args.weight_bits - 8) : 1.0f;
  const float inverse_levels = power_of_two(-args.weight_bits);
  for (int64_t row = row_begin; row < row_end; ++row) {
    float v = acc0[row];
    if (kAffine) v = v + zero * ones0[row];
    if (kTwoHalves) v = v * 32768.0f + acc0[low + row];
    if (kTwoDigits) {
      float d1 = acc1[row];
      if (kAffine) d1 = d1 + zero * ones1[row];
      if (kTwoHalves) d1 = d1 * 32768.0f + acc1[low + row];
      v = v * digit_weight + d1;
    }
    v = (v * (row_scale[row] * inverse_levels)) * activation_scale;
    y[row] = kBias ? v + bias[row] : v;
  }
}

inline void add_rows(const float* added, int64_t row_begin, int64_t row_end, float* __restrict y) {
  for (int64_t row = row_begin; row < row_end; ++row) y[row] = y[row] + added[row];
}

template <bool kTwoHalves, bool kTwoDigits, bool kAffine>
void finish_rows(const EpilogueArgs& args, int64_t row_begin, int64_t row_end, float* y) {
  if (args.added == nullptr && args.bias != nullptr) {
    scale_rows<kTwoHalves, kTwoDigits, kAffine, true>(args, row_begin, row_end, y);
  } else {
    scale_rows<kTwoHalves, kTwoDigits, kAffine, false>(args, row_begin, row_end, y);
    if (args.added != nullptr) {
      add_rows(args.added, row_begin, row_end, y);
      if (args.bias != nullptr) add_rows(args.bias, row_begin, row_end, y);
    }
  }
  if (args.activation == Activation::relu) {
    for (int64_t row = row_begin; row < row_end; ++row) y[row] = y[row] < 0.0f ? 0.0f : y[row];
  }
}

inline void run_epilogue(const EpilogueArgs& args, int64_t row_begin, int64_t row_end, float* y) {
  const bool two_digits = args.weight_bits > 8;
  if (args.ones[0] != nullptr) {
    two_digits ? finish_rows<false, true, true>(args, row_begin, row_end, y)
               : finish_rows<false, false, true>(args, row_begin, row_end, y);
  } else if (args.activation_bits == 32) {
    two_digits ? finish_rows<true, true, false>(args, row_begin, row_end, y)
               : finish_rows<true, false, false>(args, row_begin, row_end, y);
  } else {
    two_digits ? finish_rows<false, true, false>(args, row_begin, row_end, y)
               : finish_rows<false, false, false>(args, row_begin, row_end, y);
  }
}

}  // namespace
}  // namespace pbatch
