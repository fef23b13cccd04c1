#include "op/math/fourier.h"

#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

Complex product(Complex a, Complex b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

std::int64_t least_factor(std::int64_t n) {
  for (std::int64_t f = 2; f * f <= n; ++f) {
    if (n % f == 0) return f;
  }
  return n;
}

// The transform of x[0], x[stride], ... by those of every f-th element. roots: powers of the root
// of unity of degree n * stride.
void transform(std::int64_t n, const Complex* x, std::int64_t stride, Complex* y,
               const Complex* roots, Complex* few) {
  if (n == 1) {
    *y = *x;
    return;
  }
  const std::int64_t f = least_factor(n), m = n / f;
  for (std::int64_t r = 0; r < f; ++r) {
    transform(m, x + r * stride, stride * f, y + r * m, roots, few);
  }
  for (std::int64_t k = 0; k < m; ++k) {
    for (std::int64_t r = 0; r < f; ++r) few[r] = product(y[r * m + k], roots[r * k * stride]);
    for (std::int64_t q = 0; q < f; ++q) {
      Complex sum = few[0];
      for (std::int64_t r = 1; r < f; ++r) {
        const Complex part = product(few[r], roots[r * q % f * m * stride]);
        sum = {sum.re + part.re, sum.im + part.im};
      }
      y[q * m + k] = sum;
    }
  }
}

}  // namespace

std::size_t FourierTransform::work_bytes(std::int64_t length) {
  return 4 * static_cast<std::size_t>(length) * sizeof(Complex);
}

FourierTransform::FourierTransform(std::int64_t length, bool inverse, void* work)
    : length_(length),
      roots_(static_cast<Complex*>(work)),
      input_(roots_ + length),
      output_(input_ + length),
      few_(output_ + length) {
  const double turn = (inverse ? 2 : -2) * std::numbers::pi / static_cast<double>(length);
  for (std::int64_t i = 0; i < length; ++i) {
    const double angle = turn * static_cast<double>(i);
    roots_[i] = {std::cos(angle), std::sin(angle)};
  }
}

const Complex* FourierTransform::run() const {
  transform(length_, input_, 1, output_, roots_, few_);
  return output_;
}

}  // namespace pbatch
