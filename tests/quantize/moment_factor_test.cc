#include "quantize/moment_factor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/quantize/moments.h"

namespace pbatch {
namespace {

// H - B D B' for the D that makes the diagonals agree, from the last column to the first.
double worst_deviation(const MomentFactor& f) {
  const std::int64_t n = f.cols;
  const auto b = [&](std::int64_t i, std::int64_t j) {
    return i == j ? 1.0 : static_cast<double>(f.feedback_row(i)[j]);
  };
  std::vector<double> d(static_cast<std::size_t>(n));
  for (std::int64_t i = n; i-- > 0;) {
    double rest = f.moment_row(i)[i];
    for (std::int64_t k = i + 1; k < n; ++k)
      rest -= b(i, k) * b(i, k) * d[static_cast<std::size_t>(k)];
    d[static_cast<std::size_t>(i)] = rest;
  }
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = i; j < n; ++j) {
      double sum = 0;
      for (std::int64_t k = j; k < n; ++k)
        sum += b(i, k) * d[static_cast<std::size_t>(k)] * b(j, k);
      worst = std::max(worst, std::fabs(sum - static_cast<double>(f.moment_row(i)[j])));
    }
  }
  return worst;
}

TEST(MomentFactor, MultipliesBackToTheMoments) {
  for (const std::int64_t cols : {1, 7, 32, 33, 100}) {
    const InputMoments m = testing::correlated_moments(16, cols, 400, 5);
    const Result<MomentFactor> f = factor_moments(m, nullptr);
    ASSERT_TRUE(f) << f.status().to_line();
    EXPECT_LT(worst_deviation(*f), 1e-5) << cols;
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) EXPECT_EQ(f->feedback_row(i)[j], 0);
    }
  }
}

TEST(MomentFactor, DampsScalesAndOrdersByFallingMoment) {
  InputMoments m = testing::white_moments(16, 4);
  const double diagonal[] = {2, 8, 4, 2};
  for (std::size_t i = 0; i < 4; ++i) m.moments[i * 5] = diagonal[i];
  const Result<MomentFactor> f = factor_moments(m, nullptr);
  ASSERT_TRUE(f) << f.status().to_line();
  EXPECT_EQ(f->order, (std::vector<std::int32_t>{1, 2, 0, 3}));  // equal ones stay in order
  EXPECT_FLOAT_EQ(f->moments[0], 8 / 4.0f + 0.01f);              // over their mean, 4
  EXPECT_FLOAT_EQ(f->moments[15], 2 / 4.0f + 0.01f);
  EXPECT_EQ(f->feedback, std::vector<float>(16, 0.0f));
}

TEST(MomentFactor, DoesNotDependOnThreads) {
  const InputMoments m = testing::correlated_moments(16, 150, 300, 6);
  ThreadPool pool(3);
  const auto alone = factor_moments(m, nullptr), shared = factor_moments(m, &pool);
  ASSERT_TRUE(alone && shared);
  EXPECT_EQ(alone->feedback, shared->feedback);
  EXPECT_EQ(alone->moments, shared->moments);
}

TEST(MomentFactor, RefusesMomentsThatSayNothing) {
  InputMoments m = testing::white_moments(16, 8);
  std::fill(m.moments.begin(), m.moments.end(), 0.0);
  EXPECT_EQ(factor_moments(m, nullptr).status().code(), ErrorCode::invalid_argument);
  m.moments[0] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(factor_moments(m, nullptr).status().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace pbatch
