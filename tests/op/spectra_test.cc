// DFT, STFT and what is made for them: sums by their definition, and what they refuse.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "tests/support/data_ops.h"
#include "tests/support/networks.h"

namespace pbatch::testing {
namespace {

// x: [n][2].
std::vector<float> naive_transform(const std::vector<float>& x, bool inverse) {
  const std::size_t n = x.size() / 2;
  std::vector<float> y;
  for (std::size_t k = 0; k < n; ++k) {
    std::complex<double> sum;
    for (std::size_t i = 0; i < n; ++i) {
      const double turn = static_cast<double>(k * i % n) / static_cast<double>(n);
      sum += std::complex<double>(x[2 * i], x[2 * i + 1]) *
             std::polar(1.0, (inverse ? 2 : -2) * std::numbers::pi * turn);
    }
    if (inverse) sum /= static_cast<double>(n);
    y.insert(y.end(), {static_cast<float>(sum.real()), static_cast<float>(sum.imag())});
  }
  return y;
}

TEST(Dft, IsTheSumThatDefinesItForEveryLength) {
  for (std::int64_t n = 1; n <= 40; ++n) {
    const std::vector<float> x = random_floats(static_cast<std::size_t>(2 * n), 1);
    for (const bool inverse : {false, true}) {
      SCOPED_TRACE(n);
      OneOp op("DFT", 17);
      op.attr("inverse", std::int64_t{inverse}).input(floats({1, n, 2}, x));
      expect_near(op.result(), {1, n, 2}, naive_transform(x, inverse), 1e-5F);
    }
  }
}

TEST(Dft, GoesBackFromHalfASpectrum) {
  for (const std::int64_t n : {1, 6, 7}) {
    const std::vector<float> x = random_floats(static_cast<std::size_t>(n), 2);
    const Tensor half =
        OneOp("DFT", 17).attr("onesided", std::int64_t{1}).input(floats({1, n, 1}, x)).result();
    ASSERT_EQ(half.shape(), (Shape{1, n / 2 + 1, 2}));
    OneOp back("DFT", 20);
    back.attr("onesided", std::int64_t{1}).attr("inverse", std::int64_t{1});
    expect_near(back.input(half).input(int64_scalar(n)).result(), {1, n, 1}, x, 1e-5F);
  }
}

TEST(Dft, RefusesWhatItCannotTransform) {
  const Tensor x = counted({2, 4, 1});
  const auto dft = [](const Tensor& t, std::int64_t length) {
    return OneOp("DFT", 20).input(t).input(int64_scalar(length));
  };
  EXPECT_EQ(dft(counted({0, 4, 1}), 3).result().shape(), (Shape{0, 3, 2}));
  expect_error(dft(x, 0), ErrorCode::invalid_argument);
  expect_error(dft(x, -1), ErrorCode::invalid_argument);
  expect_error(dft(x, kMax), ErrorCode::invalid_argument);
  expect_error(dft(counted({2, 4}), 4), ErrorCode::shape_mismatch);
  expect_error(dft(counted({2}), 4), ErrorCode::shape_mismatch);
  expect_error(dft(x, 4).input(int64_scalar(2)), ErrorCode::invalid_argument);
  expect_error(dft(x, 4).input(int64_scalar(3)), ErrorCode::shape_mismatch);
  expect_error(dft(counted({2, 4, 2}), 4).attr("onesided", std::int64_t{1}),
               ErrorCode::shape_mismatch);
}

TEST(Stft, TakesSignalsWithoutALastDimensionAndComplexOnes) {
  const Tensor x = tensor_of({1, 9}, random_floats(9, 3));
  const auto stft = [](const Tensor& t, std::int64_t step, std::int64_t length) {
    return OneOp("STFT", 17)
        .input(t)
        .input(int64_scalar(step))
        .absent()
        .input(int64_scalar(length));
  };
  const Tensor y = stft(x, 2, 4).result();
  ASSERT_EQ(y.shape(), (Shape{1, 3, 3, 2}));
  expect_near(stft(x.reshaped({1, 9, 1}), 2, 4).result(), y.shape(), values_of(y));

  const std::vector<float> z = random_floats(10, 4);
  const Tensor whole = stft(floats({1, 5, 2}, z), 1, 5).attr("onesided", std::int64_t{0}).result();
  expect_near(whole, {1, 1, 5, 2}, naive_transform(z, false), 1e-5F);

  expect_error(stft(x, 0, 4), ErrorCode::invalid_argument);
  expect_error(stft(x, 2, 10), ErrorCode::invalid_argument);
  expect_error(stft(x, 2, 0), ErrorCode::invalid_argument);
  expect_error(stft(floats({1, 5, 2}, z), 1, 5), ErrorCode::shape_mismatch);
  expect_error(
      OneOp("STFT", 17).input(x).input(int64_scalar(1)).input(counted({3})).input(int64_scalar(4)),
      ErrorCode::shape_mismatch);
}

TEST(Windows, OfOneElementAreOneAndNegativeSizesAnError) {
  for (const char* name : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    const auto window = [name](std::int64_t size) {
      return OneOp(name, 17).attr("periodic", std::int64_t{0}).input(int64_scalar(size));
    };
    expect_near(window(1).result(), {1}, {1});
    EXPECT_EQ(window(0).result().shape(), Shape{0});
    expect_error(window(-1), ErrorCode::invalid_argument);
    const Tensor integers = window(3).attr("output_datatype", std::int64_t{6}).result();
    EXPECT_EQ(integers.dtype(), DType::i32);
    expect_error(window(3).attr("output_datatype", std::int64_t{8}), ErrorCode::unsupported);
  }
}

TEST(MelWeightMatrix, RefusesBandsThatASpectrumDoesNotHave) {
  const auto mel = [](std::int64_t bands, std::int64_t length, std::int64_t rate, float low,
                      float high) {
    OneOp op("MelWeightMatrix", 17);
    for (const std::int64_t n : {bands, length, rate}) op.input(int64_scalar(n));
    return op.input(floats({}, {low})).input(floats({}, {high}));
  };
  EXPECT_EQ(mel(0, 16, 8000, 0, 4000).result().shape(), (Shape{9, 0}));
  expect_error(mel(4, 16, 8000, 0, 9000), ErrorCode::invalid_argument);
  expect_error(mel(4, 16, 8000, 2000, 1000), ErrorCode::invalid_argument);
  expect_error(mel(4, 16, 8000, -1, 1000), ErrorCode::invalid_argument);
  expect_error(mel(4, 16, 8000, 0, std::nanf("")), ErrorCode::invalid_argument);
  expect_error(mel(-2, 16, 8000, 0, 1000), ErrorCode::invalid_argument);
  expect_error(mel(4, 16, 0, 0, 1000), ErrorCode::invalid_argument);
  expect_error(mel(4, 0, 8000, 0, 1000), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace pbatch::testing
