#include "calibrate/moment_collector.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/networks.h"

namespace pbatch {
namespace {

BitMatrix matrix_of(std::int64_t rows, std::int64_t cols) {
  BitMatrix m;
  m.rows = rows;
  m.cols = cols;
  return m;
}

// The mean of x_i x_j over all vectors, in double.
double mean_product(const std::vector<float>& x, std::int64_t count, std::int64_t ld,
                    std::int64_t i, std::int64_t j) {
  double sum = 0;
  for (std::int64_t v = 0; v < count; ++v) {
    sum += static_cast<double>(x[static_cast<std::size_t>(v * ld + i)]) *
           x[static_cast<std::size_t>(v * ld + j)];
  }
  return sum / static_cast<double>(count);
}

TEST(MomentCollector, SumsTheProductsOfAllPairsOfColumns) {
  const std::int64_t cols = 37, ld = 40, count = 300;
  const std::vector<float> x = testing::random_floats(static_cast<std::size_t>(count * ld), 1);
  const BitMatrix matrix = matrix_of(20, cols);
  ThreadPool pool(2);
  MomentCollector collector({&matrix}, pool);
  // In pieces that are no multiple of anything.
  collector.observe(matrix, 0, 32, x.data(), 7, ld);
  collector.observe(matrix, 0, 32, x.data() + 7 * ld, 200, ld);
  collector.observe(matrix, 0, 32, x.data() + 207 * ld, 93, ld);
  EXPECT_DOUBLE_EQ(collector.least_vectors(), 300.0 / 37);
  EXPECT_DOUBLE_EQ(collector.work(), 300.0 * 37 * 32);
  const std::vector<InputMoments> parts = collector.take(matrix);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].count, count);
  EXPECT_EQ(parts[0].row_begin, 0);
  EXPECT_EQ(parts[0].row_end, 20);  // not the rows that fill up the last block
  for (std::int64_t i = 0; i < cols; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      EXPECT_NEAR(parts[0].moments[static_cast<std::size_t>(i * cols + j)],
                  mean_product(x, count, ld, i, j), 1e-5);
    }
  }
  EXPECT_TRUE(collector.take(matrix).empty());
}

TEST(MomentCollector, KeepsPartsApartAndLeavesOutWhatIsNotWanted) {
  const std::vector<float> x = testing::random_floats(64, 2);
  const BitMatrix wanted = matrix_of(48, 8), other = matrix_of(16, 8);
  ThreadPool pool(1);
  MomentCollector collector({&wanted}, pool);
  collector.observe(wanted, 0, 32, x.data(), 4, 8);
  collector.observe(wanted, 32, 48, x.data() + 32, 4, 8);
  collector.observe(other, 0, 16, x.data(), 8, 8);
  EXPECT_TRUE(collector.take(other).empty());
  const std::vector<InputMoments> parts = collector.take(wanted);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].row_end, 32);
  EXPECT_EQ(parts[1].row_begin, 32);
  EXPECT_NEAR(parts[0].moments[0], mean_product(x, 4, 8, 0, 0), 1e-6);
  EXPECT_NE(parts[0].moments[0], parts[1].moments[0]);
}

TEST(MomentCollector, GivesTheSameBitsForAnyNumberOfThreads) {
  const std::int64_t cols = 100;
  const std::vector<float> x = testing::random_floats(400 * 100, 3);
  const BitMatrix matrix = matrix_of(16, cols);
  std::vector<std::vector<double>> all;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    MomentCollector collector({&matrix}, pool);
    collector.observe(matrix, 0, 16, x.data(), 400, cols);
    all.push_back(collector.take(matrix).at(0).moments);
  }
  EXPECT_EQ(all[0], all[1]);
}

}  // namespace
}  // namespace pbatch
