#include "integer/dyadic.h"

#include <algorithm>
#include <cmath>

namespace pbatch {

pb_dyadic dyadic_of(double ratio, double bound) {
  if (!(ratio > 0)) return {0, 0};
  int exponent = 0, bound_bits = 0;
  std::frexp(ratio, &exponent);                   // ratio < 2^exponent
  std::frexp(std::max(1.0, bound), &bound_bits);  // bound < 2^bound_bits
  const int bits = std::clamp(62 - bound_bits, 1, 30);
  int shift = std::clamp(bits - exponent, 0, 62);
  double multiplier = std::nearbyint(std::ldexp(ratio, shift));
  if (multiplier >= std::ldexp(1.0, bits) && shift > 0) {  // rounded up to the next power of two
    --shift;
    multiplier = std::nearbyint(std::ldexp(ratio, shift));
  }
  return {static_cast<std::int32_t>(std::min(multiplier, 2147483647.0)), shift};
}

double value_of(pb_dyadic d) { return std::ldexp(static_cast<double>(d.multiplier), -d.shift); }

}  // namespace pbatch
