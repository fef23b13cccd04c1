// The discrete Fourier transform of one vector.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pbatch {

struct Complex {
  double re = 0, im = 0;
};

/// Transforms of `length` elements, from 1 on, of any factors: by n log n for small ones, n^2 for
/// primes. Works in memory of the caller, of work_bytes(), which it also keeps its tables in.
class FourierTransform {
 public:
  static std::size_t work_bytes(std::int64_t length);

  /// The inverse has the other sign in its exponents; it does not divide by the length.
  FourierTransform(std::int64_t length, bool inverse, void* work);

  /// The vector to be transformed, to be filled by the caller.
  Complex* input() const { return input_; }
  /// Transforms input() and returns the result, which lasts until the next call.
  const Complex* run() const;

 private:
  std::int64_t length_;
  Complex *roots_, *input_, *output_, *few_;  // few_: as many as the greatest factor
};

}  // namespace pbatch
