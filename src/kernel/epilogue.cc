#include "kernel/epilogue.h"

namespace pbatch {
namespace {

// d_i of epilogue.h.
float digit(const EpilogueArgs& args, int i, int64_t row) {
  const float first = args.acc[i][row];
  if (args.activation_bits != 32) return first;
  return first * 32768.0f + args.acc[i][args.acc_stride + row];
}

// 2^e for the small exponents used here: exact.
float power_of_two(int e) {
  return e >= 0 ? static_cast<float>(1 << e) : 1.0f / static_cast<float>(1 << -e);
}

}  // namespace

void epilogue(const EpilogueArgs& args, int64_t row_begin, int64_t row_end, float* y) {
  const bool two_digits = args.weight_bits > 8;
  const float digit_weight = two_digits ? power_of_two(args.weight_bits - 8) : 1.0f;
  const float inverse_levels = power_of_two(-args.weight_bits);
  for (int64_t row = row_begin; row < row_end; ++row) {
    float v = digit(args, 0, row);
    if (two_digits) v = v * digit_weight + digit(args, 1, row);
    float result = (v * (args.row_scale[row] * inverse_levels)) * args.activation_scale;
    if (args.bias != nullptr) result = result + args.bias[row];
    if (args.activation == Activation::relu && result < 0.0f) result = 0.0f;
    y[row] = result;
  }
}

}  // namespace pbatch
