// From float accumulators to results: the same bits on every ISA.
#pragma once

#include <stdint.h>

namespace pbatch {

enum class Activation { none, relu };

struct EpilogueArgs {
  const float* acc[2];  ///< per digit: [halves][acc_stride] of one vector; acc[1] null for n <= 8
  int64_t acc_stride;
  const float* ones[2];  ///< per digit [rows]: what a vector of ones accumulates; A = 8 only. Null:
                         ///< codes are not affine
  float zero;            ///< AffineQuantizeFn's
  int weight_bits;       ///< n
  int activation_bits;   ///< A
  float activation_scale;  ///< of the vector
  const float* row_scale;  ///< [rows]
  const float* added;      ///< [rows]: what outliers add to this vector's product; or null
  const float* bias;       ///< [rows] or null
  Activation activation;
};

/// Makes y[r] for rows begin .. end - 1 (y indexed by row):
///   with affine codes acc_i = fl(acc_i + fl(zero * ones_i)) first
///   d_i = A == 32 ? fl(fl(hi_i * 32768) + lo_i) : acc_i
///   v   = n > 8 ? fl(fl(d_0 * 2^(n-8)) + d_1) : d_0
///   y   = fl(fl(v * fl(row_scale * 2^-n)) * activation_scale), then fl(y + added), then
///   fl(y + bias), then the activation.
typedef void (*EpilogueFn)(const EpilogueArgs* args, int64_t row_begin, int64_t row_end, float* y);

}  // namespace pbatch
