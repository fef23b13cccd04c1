// The functions of vectors.h as plain loops, which compilers vectorize: one file per ISA compiles
// them. All in an unnamed namespace: see docs/kernels.md.
#pragma once

#include <math.h>

#include "kernel/element_functions.h"
#include "kernel/vector_math.h"
#include "kernel/vectors.h"
#include "layout/scheme.h"

#if defined(__clang__)
#define PBATCH_LANES _Pragma("clang loop vectorize(assume_safety)")
#else
#define PBATCH_LANES _Pragma("GCC ivdep")
#endif

namespace pbatch {
namespace {

enum { kSumLanes = 16 };

/// Vectors for loops that compilers make none of.
#if defined(__AVX512F__)
enum { kLanes = 16 };
#elif defined(__AVX__)
enum { kLanes = 8 };
#else
enum { kLanes = 4 };
#endif
typedef float Lanes __attribute__((vector_size(4 * kLanes)));

inline Lanes load_lanes(const float* x) {
  Lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}
inline void store_lanes(float* y, Lanes v) { memcpy(y, &v, sizeof v); }

template <class F>
inline void map(int64_t count, const float* x, float* y, F f) {
  PBATCH_LANES
  for (int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
}

void apply(ElementFunction function, int64_t count, const float* x, float alpha, float beta,
           float* y) {
  switch (function) {
#define PBATCH_ELEMENT_1(op_type, name, alpha_name, alpha_default, beta_name, beta_default, \
                         result)                                                            \
  case ElementFunction::name:                                                               \
    return map(count, x, y, [alpha, beta](float v) {                                        \
      return element<ElementFunction::name>(v, 0.0f, alpha, beta);                          \
    });
#define PBATCH_ELEMENT_2(op_type, name, result) \
  case ElementFunction::name:                   \
    return;
#include "kernel/element_functions.inc"
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2
  }
}

// One loop per combination of steps, so that each is a vector's.
template <class F>
inline void map_pairs(int64_t count, const float* a, int64_t a_step, const float* b, int64_t b_step,
                      float* y, F f) {
  if (a_step != 0 && b_step != 0) {
    PBATCH_LANES
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
  } else if (a_step != 0) {
    const float b0 = *b;
    map(count, a, y, [f, b0](float v) { return f(v, b0); });
  } else if (b_step != 0) {
    const float a0 = *a;
    map(count, b, y, [f, a0](float v) { return f(a0, v); });
  } else {
    const float y0 = f(*a, *b);
    for (int64_t i = 0; i < count; ++i) y[i] = y0;
  }
}

/// Whether x * (1 / d) has the bits of x / d: for powers of two whose inverse is a normal number.
inline bool has_exact_inverse(float d) {
  const int32_t bits = bits_of_float(d);
  const int32_t exponent = bits >> 23 & 0xff;
  return (bits & 0x7fffff) == 0 && exponent >= 1 && exponent <= 253;
}

void combine(ElementFunction function, int64_t count, const float* a, int64_t a_step,
             const float* b, int64_t b_step, float* y) {
  if (function == ElementFunction::div && b_step == 0 && has_exact_inverse(*b)) {
    const float inverse = 1.0f / *b;
    return map_pairs(count, a, a_step, &inverse, 0, y, [](float u, float v) { return u * v; });
  }
  switch (function) {
#define PBATCH_ELEMENT_1(op_type, name, alpha_name, alpha_default, beta_name, beta_default, \
                         result)                                                            \
  case ElementFunction::name:                                                               \
    return;
#define PBATCH_ELEMENT_2(op_type, name, result)                             \
  case ElementFunction::name:                                               \
    return map_pairs(count, a, a_step, b, b_step, y, [](float u, float v) { \
      return element<ElementFunction::name>(u, v, 0.0f, 0.0f);              \
    });
#include "kernel/element_functions.inc"
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2
  }
}

void normalize(int64_t count, const float* x, float mean, float inverse_deviation,
               const float* factor, const float* offset, float* y) {
  if (offset == 0) {
    PBATCH_LANES
    for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * inverse_deviation * factor[i];
    return;
  }
  PBATCH_LANES
  for (int64_t i = 0; i < count; ++i) {
    y[i] = (x[i] - mean) * inverse_deviation * factor[i] + offset[i];
  }
}

/// The sum of 16 sums, halves added first.
inline double sum_of_lanes(double* lanes) {
  for (int half = kSumLanes / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

/// Sum of f(x[i]): lane l has every 16th element from l on.
template <class F>
inline double sum_of(int64_t count, const float* x, F f) {
  double lanes[kSumLanes] = {};
  int64_t i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes) {
    for (int l = 0; l < kSumLanes; ++l) lanes[l] += f(x[i + l]);
  }
  for (int l = 0; i < count; ++i, ++l) lanes[l] += f(x[i]);
  return sum_of_lanes(lanes);
}

double sum(int64_t count, const float* x) {
  return sum_of(count, x, [](float v) { return static_cast<double>(v); });
}

double squares(int64_t count, const float* x, double mean) {
  return sum_of(count, x, [mean](float v) {
    const double d = static_cast<double>(v) - mean;
    return d * d;
  });
}

inline float greater_of(float a, float b) { return b > a ? b : a; }  // a NaN in b is passed over

inline Lanes greater_of(Lanes a, Lanes b) { return b > a ? b : a; }

/// One of those that are not NaN, unless the result is NaN, as it may be where one of them is. In
/// vectors of its own: GCC makes none of a loop that must tell zeros apart.
inline float greatest_of(int64_t count, const float* x) {
  float most = x[0];
  int64_t i = 0;
  if (count >= 2 * kLanes) {
    Lanes first = load_lanes(x), second = load_lanes(x + kLanes);
    for (i = 2 * kLanes; i + 2 * kLanes <= count; i += 2 * kLanes) {
      first = greater_of(first, load_lanes(x + i));
      second = greater_of(second, load_lanes(x + i + kLanes));
    }
    float lanes[kLanes];
    store_lanes(lanes, greater_of(first, second));
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) lanes[l] = greater_of(lanes[l], lanes[l + half]);
    }
    most = lanes[0];
  }
  for (; i < count; ++i) most = greater_of(most, x[i]);
  return most;
}

void softmax_row(int64_t count, int log, const float* x, float* y) {
  const float most = greatest_of(count, x);
  if (log) {
    const double total =
        sum_of(count, x, [most](float v) { return static_cast<double>(exp_of(v - most)); });
    const float log_total = logf(static_cast<float>(total));
    map(count, x, y, [=](float v) { return v - most - log_total; });
    return;
  }
  map(count, x, y, [most](float v) { return exp_of(v - most); });
  const float inverse = static_cast<float>(1.0 / sum(count, y));
  map(count, y, y, [inverse](float v) { return v * inverse; });
}

/// softmax_row of 16 vectors or fewer.
void softmax_columns(int64_t count, int64_t stride, int vectors, int log, const float* x,
                     float* y) {
  float most[kSumLanes], factor[kSumLanes];
  double total[kSumLanes] = {};
  for (int l = 0; l < vectors; ++l) most[l] = x[l];
  for (int64_t i = 1; i < count; ++i) {
    for (int l = 0; l < vectors; ++l) most[l] = greater_of(most[l], x[i * stride + l]);
  }
  for (int64_t i = 0; i < count; ++i) {
    const float* const from = x + i * stride;
    float e[kSumLanes];
    PBATCH_LANES
    for (int l = 0; l < vectors; ++l) e[l] = exp_of(from[l] - most[l]);
    for (int l = 0; l < vectors; ++l) total[l] += static_cast<double>(e[l]);
    if (log) continue;
    for (int l = 0; l < vectors; ++l) y[i * stride + l] = e[l];
  }
  for (int l = 0; l < vectors; ++l) {
    factor[l] = log ? logf(static_cast<float>(total[l])) : static_cast<float>(1.0 / total[l]);
  }
  for (int64_t i = 0; i < count; ++i) {
    const float* const from = x + i * stride;
    float* const to = y + i * stride;
    PBATCH_LANES
    for (int l = 0; l < vectors; ++l) {
      to[l] = log ? from[l] - most[l] - factor[l] : to[l] * factor[l];
    }
  }
}

void weights(int n, const uint32_t* words, double half_step, float* y) {
  int32_t codes[32] = {};
  for (int p = 0; p < n; ++p) {
    const uint32_t word = words[p];
    for (int c = 0; c < 32; ++c) codes[c] = 2 * codes[c] + ((word & uint32_t{1} << c) != 0 ? 1 : 0);
  }
  PBATCH_LANES
  for (int c = 0; c < 32; ++c) y[c] = value_of_code(half_step, codes[c], n);
}

/// n vectors of y, which stay in registers.
template <int n>
inline void add_rows_to_lanes(int64_t terms, const float* factors, const float* rows,
                              int64_t stride, float* y) {
  Lanes sum[n];
  for (int l = 0; l < n; ++l) sum[l] = load_lanes(y + l * kLanes);
  for (int64_t t = 0; t < terms; ++t) {
    for (int l = 0; l < n; ++l) {
      sum[l] = sum[l] + factors[t] * load_lanes(rows + t * stride + l * kLanes);
    }
  }
  for (int l = 0; l < n; ++l) store_lanes(y + l * kLanes, sum[l]);
}

typedef float EightFloats __attribute__((vector_size(32)));
typedef float FourFloats __attribute__((vector_size(16)));

template <class Part>
inline void add_rows_to_part(int64_t terms, const float* factors, const float* rows, int64_t stride,
                             float* y) {
  Part sum, row;
  memcpy(&sum, y, sizeof sum);
  for (int64_t t = 0; t < terms; ++t) {
    memcpy(&row, rows + t * stride, sizeof row);
    sum = sum + factors[t] * row;
  }
  memcpy(y, &sum, sizeof sum);
}

// n elements, whose sums are side by side: one after the other each addition would wait.
template <int n>
inline void add_rows_to_elements(int64_t terms, const float* factors, const float* rows,
                                 int64_t stride, float* y) {
  float sum[n];
  for (int j = 0; j < n; ++j) sum[j] = y[j];
  for (int64_t t = 0; t < terms; ++t) {
    for (int j = 0; j < n; ++j) sum[j] = sum[j] + factors[t] * rows[t * stride + j];
  }
  for (int j = 0; j < n; ++j) y[j] = sum[j];
}

void add_rows(int64_t count, int64_t terms, const float* factors, const float* rows, int64_t stride,
              float* y) {
  int64_t i = 0;
  for (; i + 8 * kLanes <= count; i += 8 * kLanes) {
    add_rows_to_lanes<8>(terms, factors, rows + i, stride, y + i);
  }
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    add_rows_to_lanes<2>(terms, factors, rows + i, stride, y + i);
  }
  for (; i + kLanes <= count; i += kLanes) {
    add_rows_to_lanes<1>(terms, factors, rows + i, stride, y + i);
  }
  for (; i + 8 <= count; i += 8) {
    add_rows_to_part<EightFloats>(terms, factors, rows + i, stride, y + i);
  }
  for (; i + 4 <= count; i += 4) {
    add_rows_to_part<FourFloats>(terms, factors, rows + i, stride, y + i);
  }
  switch (count - i) {
    case 3:
      return add_rows_to_elements<3>(terms, factors, rows + i, stride, y + i);
    case 2:
      return add_rows_to_elements<2>(terms, factors, rows + i, stride, y + i);
    case 1:
      return add_rows_to_elements<1>(terms, factors, rows + i, stride, y + i);
    default:
      return;
  }
}

void max_into(int64_t count, const float* x, float* acc) {
  PBATCH_LANES
  for (int64_t i = 0; i < count; ++i) acc[i] = x[i] > acc[i] || x[i] != x[i] ? x[i] : acc[i];
}

void add_into(int64_t count, const float* x, float* acc) {
  PBATCH_LANES
  for (int64_t i = 0; i < count; ++i) acc[i] += x[i];
}

constexpr VectorFns kVectorFns = {&apply,    &combine,  &softmax_columns, &softmax_row,
                                  &sum,      &squares,  &normalize,       &weights,
                                  &add_rows, &max_into, &add_into};

}  // namespace
}  // namespace pbatch
