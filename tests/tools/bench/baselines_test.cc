// Every baseline against a naive product of the numbers it claims to work with.
#include "tools/bench/baselines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "product/dynamic_int8.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::random_floats;

class Baselines : public ::testing::TestWithParam<std::string_view> {};

TEST_P(Baselines, MultiplyRight) {
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    BufferPool buffers;
    for (const std::int64_t rows : {1, 10, 65}) {
      for (const std::int64_t cols : {1, 17, 200}) {
        for (const std::int64_t batch : {1, 3}) {
          const auto w = random_floats(static_cast<std::size_t>(rows * cols), 1);
          const auto x = random_floats(static_cast<std::size_t>(batch * cols), 2);
          auto made =
              make_baseline(GetParam(), {rows, cols, batch, w.data(), x.data()}, pool, buffers);
          ASSERT_TRUE(made) << made.status().to_line();
          ASSERT_TRUE((*made)->run());
          const BaselineAnswer a = (*made)->answer();
          ASSERT_EQ(a.w.size(), w.size());
          ASSERT_EQ(a.x.size(), x.size());
          ASSERT_EQ(a.y.size(), static_cast<std::size_t>(batch * rows));
          for (std::int64_t b = 0; b < batch; ++b) {
            for (std::int64_t r = 0; r < rows; ++r) {
              double sum = 0, size = 0;
              for (std::int64_t c = 0; c < cols; ++c) {
                const double term =
                    static_cast<double>(a.w[static_cast<std::size_t>(r * cols + c)]) *
                    static_cast<double>(a.x[static_cast<std::size_t>(b * cols + c)]);
                sum += term;
                size += std::fabs(term);
              }
              ASSERT_NEAR(static_cast<double>(a.y[static_cast<std::size_t>(b * rows + r)]), sum,
                          1e-5 * size)
                  << rows << " x " << cols << ", vector " << b << ", row " << r;
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Baselines,
                         ::testing::ValuesIn(baseline_names().begin(), baseline_names().end()),
                         [](const auto& name) { return std::string(name.param); });

TEST(Baseline, RefusesUnknownNames) {
  ThreadPool pool(1);
  BufferPool buffers;
  const float one = 1.0F;
  EXPECT_EQ(make_baseline("mkl", {1, 1, 1, &one, &one}, pool, buffers).status().code(),
            ErrorCode::not_found);
}

TEST(DynamicInt8, StaysWithinItsSteps) {
  const std::int64_t rows = 20, cols = 333, batch = 2;
  const auto w = random_floats(static_cast<std::size_t>(rows * cols), 3);
  const auto x = random_floats(static_cast<std::size_t>(batch * cols), 4);
  const auto bias = random_floats(static_cast<std::size_t>(rows), 5);
  auto layer =
      DynamicInt8Linear::create(rows, cols, batch, w.data(), bias.data(), Activation::relu, 1);
  ASSERT_TRUE(layer) << layer.status().to_line();
  std::vector<float> y(static_cast<std::size_t>(batch * rows), NAN);
  ASSERT_TRUE(layer->run(x.data(), y.data()));

  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  const float step = (*high - *low) / static_cast<float>((1 << int8_activation_bits()) - 1);
  const std::vector<float> rounded = layer->activations();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(rounded[i], x[i], 1.01F * step);
  const std::vector<float> weights = layer->weights();
  for (std::size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(weights[i], w[i], 0.51F * 5.0F / 127);

  double difference = 0, norm = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t r = 0; r < rows; ++r) {
      double sum = static_cast<double>(bias[static_cast<std::size_t>(r)]);
      for (std::int64_t c = 0; c < cols; ++c) {
        sum += static_cast<double>(w[static_cast<std::size_t>(r * cols + c)]) *
               static_cast<double>(x[static_cast<std::size_t>(b * cols + c)]);
      }
      sum = std::max(sum, 0.0);
      const double d = static_cast<double>(y[static_cast<std::size_t>(b * rows + r)]) - sum;
      difference += d * d;
      norm += sum * sum;
    }
  }
  EXPECT_LT(std::sqrt(difference / norm), 0.03);
}

TEST(DynamicInt8, TakesVectorsOfZerosAndOfOneSign) {
  const std::vector<float> w{1, 1, -1, 1};
  auto layer = DynamicInt8Linear::create(2, 2, 3, w.data(), nullptr, Activation::none, 1);
  ASSERT_TRUE(layer) << layer.status().to_line();
  const std::vector<float> x{0, 0, 2, 4, -2, -4};
  std::vector<float> y(6, NAN);
  ASSERT_TRUE(layer->run(x.data(), y.data()));
  const std::vector<float> want{0, 0, 6, 2, -6, -2};
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], want[i], 0.05F);
}

}  // namespace
}  // namespace pbatch
