// Codes whose steps are not even, and magnitudes of pairs, which span as many decades.
// Also C99, a part of what `pbatch export-c` writes.
#pragma once

#include "kernel/integer_steps.h"

/* z = limit(scale(root of x^2 + y^2)), whole part; both of one scale and within 2^30, so that the
 * sum is exact. */
static inline void pb_magnitude_run(const pb_rescale* a, const int32_t* x, const int32_t* y,
                                    int32_t* z) {
  int64_t i;
  for (i = 0; i < a->count; ++i) {
    const int64_t square = (int64_t)x[i] * x[i] + (int64_t)y[i] * y[i];
    z[i] = pb_scale(pb_root(square), a->scale, a->lo, a->hi);
  }
}

/* The nearest of last + 1 values, which rise from 0; the greater of two as near. The sign stays. */
typedef struct {
  int64_t count;
  int32_t last;
  const int32_t* values;
} pb_levels;

static inline void pb_levels_run(const pb_levels* l, const int32_t* x, int32_t* y) {
  int64_t i;
  for (i = 0; i < l->count; ++i) {
    const int32_t size = x[i] < 0 ? -x[i] : x[i];
    int32_t low = 0, high = l->last, nearest;
    while (low < high) { /* the last value that is not beyond it */
      const int32_t middle = low + (high - low + 1) / 2;
      if (l->values[middle] <= size) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    nearest = l->values[low];
    if (low < l->last && l->values[low + 1] - size <= size - nearest) nearest = l->values[low + 1];
    y[i] = x[i] < 0 ? -nearest : nearest;
  }
}
