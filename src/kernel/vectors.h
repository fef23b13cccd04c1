// Functions of many floats at once that plain operators are made of: elementwise mathematics,
// softmax, moments and sums. One set per ISA, and all give the same bits: float operations have one
// order and are never fused.
#pragma once

#include <stdint.h>

#include "kernel/element_spec.h"

namespace pbatch {

struct VectorFns {
  /// y = f(x), of a function of one number (element_functions.inc); y may be x. What has an
  /// exponential in it is within 5e-7 of the exact result, relative or, where it is below 1,
  /// absolute, whichever is more; of Gelu, which is x times what is nearly 0 or 1, 5e-7 times x.
  /// NaN gives NaN, infinities their limits, and odd functions keep the sign of a zero.
  void (*apply)(ElementFunction f, int64_t count, const float* x, float alpha, float beta,
                float* y);

  /// y[i] = f(a[i * a_step], b[i * b_step]), of a function of two numbers; steps are 0 or 1. y may
  /// be an input with a step of 1.
  void (*combine)(ElementFunction f, int64_t count, const float* a, int64_t a_step, const float* b,
                  int64_t b_step, float* y);

  /// `vectors` <= 16 vectors side by side: element i of vector v lies at i * stride + v. y as x,
  /// and may be x. NaN in a vector makes all of it NaN. `log`: the logarithm of the softmax.
  void (*softmax_columns)(int64_t count, int64_t stride, int vectors, int log, const float* x,
                          float* y);
  /// One vector of neighbours.
  void (*softmax_row)(int64_t count, int log, const float* x, float* y);

  /// Sum of x[0 .. count - 1] in double: 16 sums of every 16th element, then theirs.
  double (*sum)(int64_t count, const float* x);
  /// The same of (x - mean)^2.
  double (*squares)(int64_t count, const float* x, double mean);

  /// y[i] = (x[i] - mean) * inverse_deviation * factor[i] + offset[i]; without the sum for null. y
  /// may be x.
  void (*normalize)(int64_t count, const float* x, float mean, float inverse_deviation,
                    const float* factor, const float* offset, float* y);

  /// The weights of 32 columns (layout/scheme.h: value_of_code) whose code has bit c of words[0] as
  /// its most significant bit in column c, of n words.
  void (*weights)(int n, const uint32_t* words, double half_step, float* y);

  /// y[i] = y[i] + factors[0] * rows[i] + factors[1] * rows[stride + i] + ..., `terms` of them,
  /// each rounded, in this order.
  void (*add_rows)(int64_t count, int64_t terms, const float* factors, const float* rows,
                   int64_t stride, float* y);

  /// acc[i] = max(acc[i], x[i]); NaN wins.
  void (*max_into)(int64_t count, const float* x, float* acc);
  /// acc[i] += x[i].
  void (*add_into)(int64_t count, const float* x, float* acc);
};

}  // namespace pbatch
