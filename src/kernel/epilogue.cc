#include "kernel/epilogue.h"

namespace pbatch {
namespace {

// 2^e for the small exponents used here: exact.
float power_of_two(int e) {
  return e >= 0 ? static_cast<float>(1 << e) : 1.0f / static_cast<float>(1 << -e);
}

// Loops without a branch, which compilers turn into vector instructions.
template <bool kTwoHalves, bool kTwoDigits, bool kAffine>
void finish(const EpilogueArgs& args, int64_t row_begin, int64_t row_end, float* __restrict y) {
  const float* const acc0 = args.acc[0];
  const float* const acc1 = args.acc[1];
  const float* const row_scale = args.row_scale;
  const float* const ones0 = args.ones[0];
  const float* const ones1 = args.ones[1];
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
    y[row] = (v * (row_scale[row] * inverse_levels)) * activation_scale;
  }
  if (args.added != nullptr) {
    const float* const added = args.added;
    for (int64_t row = row_begin; row < row_end; ++row) y[row] = y[row] + added[row];
  }
  if (args.bias != nullptr) {
    const float* const bias = args.bias;
    for (int64_t row = row_begin; row < row_end; ++row) y[row] = y[row] + bias[row];
  }
  if (args.activation == Activation::relu) {
    for (int64_t row = row_begin; row < row_end; ++row) y[row] = y[row] < 0.0f ? 0.0f : y[row];
  }
}

}  // namespace

void epilogue(const EpilogueArgs& args, int64_t row_begin, int64_t row_end, float* y) {
  const bool two_digits = args.weight_bits > 8;
  if (args.ones[0] != nullptr) {
    two_digits ? finish<false, true, true>(args, row_begin, row_end, y)
               : finish<false, false, true>(args, row_begin, row_end, y);
  } else if (args.activation_bits == 32) {
    two_digits ? finish<true, true, false>(args, row_begin, row_end, y)
               : finish<true, false, false>(args, row_begin, row_end, y);
  } else {
    two_digits ? finish<false, true, false>(args, row_begin, row_end, y)
               : finish<false, false, false>(args, row_begin, row_end, y);
  }
}

}  // namespace pbatch
