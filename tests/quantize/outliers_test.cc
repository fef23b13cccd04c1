#include "quantize/outliers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "quantize/compensate.h"
#include "quantize/dequantize.h"
#include "quantize/quantize_matrix.h"
#include "tests/quantize/moments.h"
#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

using testing::decoded_sqnr;
using testing::gaussian;

constexpr std::int64_t kRows = 64, kCols = 256;

WeightView matrix_view(const std::vector<float>& w) { return {w.data(), kRows, kCols, kCols, 1}; }

Outliers outliers_in(const WeightView& view, int group, double most, ThreadPool* pool = nullptr) {
  const auto magnitudes = measure_magnitudes(view, group, pool);
  EXPECT_TRUE(magnitudes) << magnitudes.status().to_line();
  return find_outliers(view, *magnitudes, most, pool);
}

// Normal weights with a large one here and there, two of them in one group.
std::vector<float> heavy_tailed(std::vector<std::int32_t>* places) {
  std::vector<float> w = gaussian(kRows * kCols, 1);
  *places = {5, 17, 3000, 4096 + 31, 9000, 9600, 12001, 16000};
  for (std::size_t i = 0; i < places->size(); ++i) {
    w[static_cast<std::size_t>((*places)[i])] = i % 2 == 0 ? 40.0F : -60.0F;
  }
  return w;
}

TEST(FindOutliers, BellShapedWeightsInGroupsHaveNone) {
  for (const int group : {32, 64}) {
    const std::vector<float> w = gaussian(kRows * kCols, 1);
    EXPECT_TRUE(outliers_in(matrix_view(w), group, 0.01).places.empty()) << group;
  }
}

TEST(FindOutliers, TellsTheFewLargeOnes) {
  std::vector<std::int32_t> places;
  const std::vector<float> w = heavy_tailed(&places);
  for (const int group : {32, 64, 128}) {
    const Outliers found = outliers_in(matrix_view(w), group, 0.001);
    EXPECT_EQ(found.places, places) << group;
    for (std::size_t i = 0; i < found.places.size(); ++i) {
      EXPECT_EQ(found.values[i], w[static_cast<std::size_t>(found.places[i])]);
    }
  }
}

TEST(FindOutliers, TakesNoMoreThanItsShare) {
  std::vector<std::int32_t> places;
  const std::vector<float> w = heavy_tailed(&places);
  EXPECT_TRUE(outliers_in(matrix_view(w), 32, 0).places.empty());
  EXPECT_TRUE(outliers_in(matrix_view(w), 32, 0.9 / (kRows * kCols)).places.empty());
  const Outliers few = outliers_in(matrix_view(w), 32, 4.5 / (kRows * kCols));
  EXPECT_EQ(few.places.size(), 4u);
  // Those that lower a step most.
  for (const float value : few.values) EXPECT_EQ(std::fabs(value), 60.0F);
}

TEST(FindOutliers, IsTheSameByColumnsAndOnAnyThreads) {
  std::vector<std::int32_t> places;
  const std::vector<float> w = heavy_tailed(&places);
  std::vector<float> turned(w.size());
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t c = 0; c < kCols; ++c) {
      turned[static_cast<std::size_t>(c * kRows + r)] = w[static_cast<std::size_t>(r * kCols + c)];
    }
  }
  ThreadPool pool(3);
  EXPECT_EQ(outliers_in(matrix_view(w), 32, 0.001, &pool).places, places);
  EXPECT_EQ(outliers_in({turned.data(), kRows, kCols, 1, kRows}, 32, 0.001).places, places);
}

TEST(QuantizeMatrix, OutliersKeepTheirValueAndTheOthersTheirSteps) {
  std::vector<std::int32_t> places;
  const std::vector<float> w = heavy_tailed(&places);
  std::vector<float> bell = gaussian(kRows * kCols, 1);
  const auto with = quantize_matrix(matrix_view(w), 8, 32, nullptr, 0.001);
  const auto without = quantize_matrix(matrix_view(w), 8, 32, nullptr);
  const auto of_bell = quantize_matrix(matrix_view(bell), 8, 32, nullptr);
  ASSERT_TRUE(with && without && of_bell);
  const BitMatrix& m = *with->matrix;
  EXPECT_TRUE(std::ranges::equal(m.outlier_places, places));
  EXPECT_TRUE(without->matrix->outlier_places.empty());
  for (int n = 1; n <= 8; ++n) {
    const auto i = static_cast<std::size_t>(n) - 1;
    EXPECT_NEAR(with->sqnr_db[i], decoded_sqnr(m, n, w), 1e-6) << n;
    // The noise is that of the bell-shaped weights; the signal has the outliers besides.
    double signal = 0, bell_signal = 0;
    for (const float x : w) signal += static_cast<double>(x) * x;
    for (const float x : bell) bell_signal += static_cast<double>(x) * x;
    EXPECT_NEAR(with->sqnr_db[i], of_bell->sqnr_db[i] + 10 * std::log10(signal / bell_signal), 0.1)
        << n;
    const auto floats = dequantize(m, n, false), turned = dequantize(m, n, true);
    ASSERT_TRUE(floats && turned);
    std::vector<float> row(kCols);
    for (std::size_t k = 0; k < places.size(); ++k) {
      const std::int64_t r = places[k] / kCols, c = places[k] % kCols;
      const float value = w[static_cast<std::size_t>(places[k])];
      EXPECT_EQ(floats->data<float>()[places[k]], value);
      EXPECT_EQ(turned->data<float>()[c * kRows + r], value);
      dequantize_row(m, n, r, row.data());
      EXPECT_EQ(row[static_cast<std::size_t>(c)], value);
    }
  }
  EXPECT_GT(with->sqnr_db[3], without->sqnr_db[3] + 6);
}

TEST(Compensate, LeavesOutliersAsTheyAre) {
  std::vector<std::int32_t> places;
  const std::vector<float> w = heavy_tailed(&places);
  const auto plain = quantize_matrix(matrix_view(w), 8, 32, nullptr, 0.001);
  ASSERT_TRUE(plain);
  const MatrixMoments moments{{testing::correlated_moments(kRows, kCols, 2000, 2)},
                              {testing::correlated_moments(kRows, kCols, 2000, 3)}};
  const auto made = compensate_matrix(matrix_view(w), *plain->matrix, moments, nullptr);
  ASSERT_TRUE(made) << made.status().to_line();
  ASSERT_NE(made->matrix, nullptr);
  EXPECT_TRUE(std::ranges::equal(made->matrix->outlier_places, places));
  EXPECT_TRUE(std::ranges::equal(made->matrix->outlier_values, plain->matrix->outlier_values));
  for (const int n : {2, 4, 6, 8}) {
    const double before = testing::output_noise(*plain->matrix, n, w, moments.check[0]);
    const double after = testing::output_noise(*made->matrix, n, w, moments.check[0]);
    const double gain = 10 * std::log10(before / after);
    EXPECT_GT(gain, n == 4 ? 3 : 0) << n;
    EXPECT_NEAR(made->gain_db[static_cast<std::size_t>(n) - 1], gain, 0.01) << n;
  }
}

}  // namespace
}  // namespace pbatch
