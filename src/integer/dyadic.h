// Dyadic numbers: what takes the place of a float factor (HAWQ-V3).
#pragma once

#include <cstdint>

#include "kernel/integer_arithmetic.h"

namespace pbatch {

/// The closest multiplier * 2^-shift to `ratio` >= 0 whose product with a sum of magnitude up to
/// `bound` stays below 2^62; the multiplier has at most 30 bits. Relative error at most 2^-30, or
/// bound * 2^-62 where that is more.
pb_dyadic dyadic_of(double ratio, double bound);

/// The number that it is.
double value_of(pb_dyadic d);

}  // namespace pbatch
