#include "quantize/row_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "quantize/quantize_matrix.h"
#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

constexpr std::int64_t kSumRows = 20, kSumCols = 600;
constexpr double kSumShare = 0.3;

struct Balanced {
  std::vector<float> w;
  std::shared_ptr<const BitMatrix> plain, made;
};

Balanced balanced(int planes, int group, const std::vector<float>& w, double outliers = 0,
                  ThreadPool* pool = nullptr) {
  const WeightView view{w.data(), kSumRows, kSumCols, kSumCols, 1};
  auto q = quantize_matrix(view, planes, group, pool, outliers);
  EXPECT_TRUE(q);
  auto made = balance_row_sums(view, *q->matrix, q->sqnr_db, kSumShare, pool);
  EXPECT_TRUE(made);
  return {w, q->matrix, *made};
}

// Over all rows: the sum of e e', and that of (sum e)^2.
std::pair<double, double> errors(const BitMatrix& m, int n, const std::vector<float>& w) {
  double squares = 0, sums = 0;
  for (std::int64_t r = 0; r < kSumRows; ++r) {
    double sum = 0;
    for (std::int64_t c = 0; c < kSumCols; ++c) {
      const double e =
          w[static_cast<std::size_t>(r * kSumCols + c)] - testing::decode_weight(m, n, r, c);
      squares += e * e;
      sum += e;
    }
    sums += sum * sum;
  }
  return {squares, sums};
}

TEST(BalanceRowSums, ErrorsOfARowAddUpToLittleAtEveryWidth) {
  for (const int group : {32, 0}) {
    const Balanced b = balanced(8, group, testing::gaussian(kSumRows * kSumCols, 4));
    for (const int n : {1, 2, 3, 4, 5, 6, 8}) {
      const auto [before, sums_before] = errors(*b.plain, n, b.w);
      const auto [after, sums_after] = errors(*b.made, n, b.w);
      // Few weights lie where a narrow code changes.
      EXPECT_LT(sums_after, (n < 4 ? 1 : 0.3) * sums_before) << n;
      EXPECT_LT(after, 1.15 * before) << n;  // 0.6 dB
    }
  }
}

// What an input with a mean sees: mean m in all columns, variance 1, so H = I + m^2 ones ones'.
TEST(BalanceRowSums, ProductsOfInputsWithAMeanGain) {
  const Balanced b = balanced(8, 64, testing::gaussian(kSumRows * kSumCols, 5));
  for (const int n : {4, 6, 8}) {
    const auto [before, sums_before] = errors(*b.plain, n, b.w);
    const auto [after, sums_after] = errors(*b.made, n, b.w);
    EXPECT_LT(after + 0.5 * sums_after, 0.8 * (before + 0.5 * sums_before)) << n;
  }
}

TEST(BalanceRowSums, ScalesAndOutliersStayAndWeightsAreNoFurtherThanTheNextCode) {
  std::vector<float> w = testing::gaussian(kSumRows * kSumCols, 6);
  w[7] = 70;
  std::fill_n(w.begin() + 3 * kSumCols, kSumCols, 0.0F);
  const Balanced b = balanced(8, 32, w, 0.001);
  ASSERT_EQ(b.plain->outlier_places.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(b.made->outlier_places, b.plain->outlier_places));
  EXPECT_TRUE(std::ranges::equal(b.made->outlier_values, b.plain->outlier_values));
  EXPECT_TRUE(std::ranges::equal(b.made->codebook, b.plain->codebook));
  EXPECT_TRUE(std::ranges::equal(b.made->group_codes, b.plain->group_codes));
  EXPECT_TRUE(std::ranges::equal(b.made->row_scale, b.plain->row_scale));
  for (std::int64_t i = 0; i < kSumRows * kSumCols; ++i) {
    const std::int64_t r = i / kSumCols, c = i % kSumCols;
    const double step = 2 * b.plain->row_scale[static_cast<std::size_t>(r)] *
                        b.plain->group_scale(8, r, c / 32) / 256;
    EXPECT_LE(std::fabs(testing::decode_weight(*b.made, 8, r, c) -
                        testing::decode_weight(*b.plain, 8, r, c)),
              1.001 * step);
  }
}

TEST(BalanceRowSums, IsTheSameOnAnyThreads) {
  const std::vector<float> w = testing::gaussian(kSumRows * kSumCols, 7);
  ThreadPool pool(3);
  const Balanced one = balanced(8, 64, w), three = balanced(8, 64, w, 0, &pool);
  for (std::size_t p = 0; p < 8; ++p) {
    EXPECT_TRUE(std::ranges::equal(one.made->planes[p], three.made->planes[p])) << p;
  }
}

TEST(BalanceRowSums, TakesFewPlanesAndMany) {
  const std::vector<float> w = testing::gaussian(kSumRows * kSumCols, 8);
  for (const int planes : {1, 3, 12}) {
    const Balanced b = balanced(planes, 64, w);
    const auto [before, sums_before] = errors(*b.plain, planes, b.w);
    const auto [after, sums_after] = errors(*b.made, planes, b.w);
    if (planes > 8) {
      // The planes behind the eighth tell all weights but those that crossed to the next code, and
      // of these the nearer end of it.
      EXPECT_LT(std::sqrt(after / (kSumRows * kSumCols)), 3.0 / 256) << planes;
    } else {
      EXPECT_LT(sums_after, 0.5 * sums_before) << planes;
      EXPECT_LT(after, 1.06 * before) << planes;
    }
  }
}

}  // namespace
}  // namespace pbatch
