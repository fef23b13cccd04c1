// From float accumulators to results: shared by all kernels and ISAs.
#pragma once

#include <stdint.h>

namespace pbatch {

enum class Activation { none, relu };

struct EpilogueArgs {
  const float* acc[2];  ///< per digit: [halves][acc_stride] of one vector; acc[1] null for n <= 8
  int64_t acc_stride;
  int weight_bits;         ///< n
  int activation_bits;     ///< A
  float activation_scale;  ///< of the vector
  const float* row_scale;  ///< [rows]
  const float* bias;       ///< [rows] or null
  Activation activation;
};

/// y[r] for rows begin .. end - 1 (y indexed by row):
///   d_i = A == 32 ? fl(fl(hi_i * 32768) + lo_i) : acc_i
///   v   = n > 8 ? fl(fl(d_0 * 2^(n-8)) + d_1) : d_0
///   y   = fl(fl(v * fl(row_scale * 2^-n)) * activation_scale), then fl(y + bias), then the
///   activation.
void epilogue(const EpilogueArgs& args, int64_t row_begin, int64_t row_end, float* y);

}  // namespace pbatch
