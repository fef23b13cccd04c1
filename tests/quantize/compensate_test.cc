#include "quantize/compensate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "quantize/quantize_matrix.h"
#include "quantize/row_compensator.h"
#include "tests/quantize/moments.h"

namespace pbatch {
namespace {

using testing::correlated_moments;
using testing::gaussian;
using testing::output_noise;
using testing::white_moments;

WeightView compensated_by_rows(const std::vector<float>& w, std::int64_t rows, std::int64_t cols) {
  return {w.data(), rows, cols, cols, 1};
}

std::shared_ptr<const BitMatrix> plain_code(const std::vector<float>& w, std::int64_t rows,
                                            std::int64_t cols, int planes = 8, int group = 32) {
  const auto q = quantize_matrix(compensated_by_rows(w, rows, cols), planes, group, nullptr);
  EXPECT_TRUE(q) << q.status().to_line();
  return q ? q->matrix : nullptr;
}

CompensatedMatrix compensated(const std::vector<float>& w, const BitMatrix& plain,
                              const MatrixMoments& moments, ThreadPool* pool = nullptr) {
  auto made =
      compensate_matrix(compensated_by_rows(w, plain.rows, plain.cols), plain, moments, pool);
  EXPECT_TRUE(made) << made.status().to_line();
  return made ? *std::move(made) : CompensatedMatrix{};
}

double decibels(double before, double after) { return 10 * std::log10(before / after); }

TEST(Compensate, GainsAtEveryWidthOnInputsThatItWasNotFittedTo) {
  const std::int64_t rows = 64, cols = 128;
  const std::vector<float> w = gaussian(rows * cols, 1);
  const auto plain = plain_code(w, rows, cols);
  const MatrixMoments moments{{correlated_moments(rows, cols, 2000, 2)},
                              {correlated_moments(rows, cols, 2000, 3)}};
  const CompensatedMatrix made = compensated(w, *plain, moments);
  ASSERT_NE(made.matrix, nullptr);
  ASSERT_EQ(made.gain_db.size(), 8u);
  // What a numpy prototype of the same algorithm gains on such inputs is more than this.
  const double least[] = {1, 1, 1, 3, 3, 3, 1, 0};
  for (const int n : {1, 2, 3, 4, 5, 6, 8}) {
    const double gain = decibels(output_noise(*plain, n, w, moments.check[0]),
                                 output_noise(*made.matrix, n, w, moments.check[0]));
    EXPECT_GT(gain, least[n - 1]) << n << " bits";
    EXPECT_NEAR(made.gain_db[static_cast<std::size_t>(n) - 1], gain, 0.01) << n << " bits";
  }
}

TEST(Compensate, KeepsFormatRowScalesAndSteps) {
  const std::int64_t rows = 40, cols = 70;
  const std::vector<float> w = gaussian(rows * cols, 4);
  for (const int group : {32, 0}) {
    for (const int planes : {1, 2, 3, 5, 7, 8, 12}) {
      const auto plain = plain_code(w, rows, cols, planes, group);
      const InputMoments m = correlated_moments(rows, cols, 800, 5);
      const CompensatedMatrix made = compensated(w, *plain, {{m}, {m}});
      ASSERT_NE(made.matrix, nullptr) << planes << " planes, group " << group;
      const BitMatrix& b = *made.matrix;
      EXPECT_EQ(b.group, plain->group);
      EXPECT_EQ(b.planes_stored, planes);
      EXPECT_EQ(b.planes_available(), planes);
      ASSERT_EQ(b.codebook_widths, plain->codebook_widths);
      EXPECT_TRUE(std::equal(b.row_scale.begin(), b.row_scale.end(), plain->row_scale.begin()));
      for (std::int64_t r = 0; planes > 3 && r < rows; ++r) {
        for (std::int64_t g = 0; g < b.groups(); ++g) {
          EXPECT_EQ(b.group_scale(planes, r, g), plain->group_scale(planes, r, g));
        }
      }
      EXPECT_LT(output_noise(b, planes < 4 ? planes : 4, w, m),
                output_noise(*plain, planes < 4 ? planes : 4, w, m));
    }
  }
}

TEST(Compensate, WhiteInputsLeaveLittleToGainAndNothingToLose) {
  const std::int64_t rows = 64, cols = 96;
  const std::vector<float> w = gaussian(rows * cols, 6);
  const auto plain = plain_code(w, rows, cols);
  const InputMoments m = white_moments(rows, cols);
  const CompensatedMatrix made = compensated(w, *plain, {{m}, {m}});
  EXPECT_NEAR(made.gain_db[3], 0.2, 0.5);
}

// Inputs of the second draw lie where those of the first never were.
TEST(Compensate, KeepsThePlainCodeWhereOtherInputsSpeakAgainstIt) {
  const std::int64_t rows = 64, cols = 64;
  const std::vector<float> w = gaussian(rows * cols, 7);
  const auto plain = plain_code(w, rows, cols);
  InputMoments fit = white_moments(rows, cols), check = white_moments(rows, cols);
  for (std::int64_t i = 0; i < cols; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      // All columns alike against all columns adding up to nothing.
      fit.moments[static_cast<std::size_t>(i * cols + j)] = i == j ? 1 : 0.99;
      check.moments[static_cast<std::size_t>(i * cols + j)] = i == j ? 1 : -1.0 / 64;
    }
  }
  EXPECT_EQ(compensated(w, *plain, {{fit}, {check}}).matrix, nullptr);
}

TEST(Compensate, DoesNotDependOnThreads) {
  const std::int64_t rows = 200, cols = 96;
  const std::vector<float> w = gaussian(rows * cols, 8);
  const auto plain = plain_code(w, rows, cols);
  const InputMoments m = correlated_moments(rows, cols, 500, 9);
  ThreadPool pool(3);
  const CompensatedMatrix alone = compensated(w, *plain, {{m}, {m}});
  const CompensatedMatrix shared = compensated(w, *plain, {{m}, {m}}, &pool);
  ASSERT_TRUE(alone.matrix != nullptr && shared.matrix != nullptr);
  for (std::size_t p = 0; p < 8; ++p) {
    EXPECT_TRUE(std::equal(alone.matrix->planes[p].begin(), alone.matrix->planes[p].end(),
                           shared.matrix->planes[p].begin()));
  }
  EXPECT_TRUE(std::equal(alone.matrix->group_codes.begin(), alone.matrix->group_codes.end(),
                         shared.matrix->group_codes.begin()));
}

// A GRU whose reset gate comes before its product: the last rows see other vectors.
TEST(Compensate, PartsOfTheRowsHaveMomentsOfTheirOwn) {
  const std::int64_t rows = 48, cols = 64;
  const std::vector<float> w = gaussian(rows * cols, 10);
  const auto plain = plain_code(w, rows, cols);
  InputMoments first = correlated_moments(32, cols, 800, 11), second = white_moments(rows, cols);
  second.row_begin = 32;
  const CompensatedMatrix made = compensated(w, *plain, {{first, second}, {first, second}});
  ASSERT_NE(made.matrix, nullptr);
  EXPECT_GT(decibels(output_noise(*plain, 4, w, first), output_noise(*made.matrix, 4, w, first)),
            3);
  EXPECT_GT(decibels(output_noise(*plain, 4, w, second), output_noise(*made.matrix, 4, w, second)),
            -0.5);
  const auto bad =
      compensate_matrix(compensated_by_rows(w, rows, cols), *plain, {{first}, {first}}, nullptr);
  EXPECT_EQ(bad.status().code(), ErrorCode::invalid_argument);  // some rows have none
}

TEST(Compensate, RowsOfZerosAndGroupsOfZerosStayZero) {
  const std::int64_t rows = 20, cols = 96;
  std::vector<float> w = gaussian(rows * cols, 12);
  std::fill(w.begin() + 3 * cols, w.begin() + 4 * cols, 0.0f);
  std::fill(w.begin() + 5 * cols + 32, w.begin() + 5 * cols + 64, 0.0f);
  const auto plain = plain_code(w, rows, cols);
  const InputMoments m = correlated_moments(rows, cols, 500, 13);
  const CompensatedMatrix made = compensated(w, *plain, {{m}, {m}});
  ASSERT_NE(made.matrix, nullptr);
  for (int n = 1; n <= 8; ++n) {
    for (std::int64_t c = 0; c < cols; ++c) {
      EXPECT_EQ(testing::decode_weight(*made.matrix, n, 3, c), 0);
    }
    for (std::int64_t c = 32; c < 64; ++c)
      EXPECT_EQ(testing::decode_weight(*made.matrix, n, 5, c), 0);
  }
}

// GPTQ as it is published: U, the upper Cholesky factor of the inverse, and residuals that shrink
// with every column; one path a width; all codes tried. Shares nothing with the library's
// recurrence.
std::vector<int> codes_by_gptq(const std::vector<float>& w, const BitMatrix& plain,
                               std::int64_t row, const MomentFactor& f, const double* weight) {
  const std::int64_t n = f.cols;
  const TreeWidths widths(8);
  std::vector<std::vector<double>> a(static_cast<std::size_t>(n),
                                     std::vector<double>(static_cast<std::size_t>(2 * n), 0.0));
  for (std::int64_t i = 0; i < n; ++i) {  // Gauss-Jordan
    for (std::int64_t j = 0; j < n; ++j) {
      a[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = f.moment_row(i)[j];
    }
    a[static_cast<std::size_t>(i)][static_cast<std::size_t>(n + i)] = 1;
  }
  for (std::size_t p = 0; p < static_cast<std::size_t>(n); ++p) {
    const double pivot = a[p][p];
    for (double& v : a[p]) v /= pivot;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      if (i == p) continue;
      const double factor = a[i][p];
      for (std::size_t j = 0; j < static_cast<std::size_t>(2 * n); ++j) a[i][j] -= factor * a[p][j];
    }
  }
  const auto inverse = [&](std::int64_t i, std::int64_t j) -> double& {
    return a[static_cast<std::size_t>(i)][static_cast<std::size_t>(n + j)];
  };
  std::vector<std::vector<double>> residual(static_cast<std::size_t>(widths.count),
                                            std::vector<double>(static_cast<std::size_t>(n)));
  const double scale = plain.row_scale[static_cast<std::size_t>(row)];
  for (auto& r : residual) {
    for (std::int64_t p = 0; p < n; ++p) {
      r[static_cast<std::size_t>(p)] =
          w[static_cast<std::size_t>(row * n + f.order[static_cast<std::size_t>(p)])] / scale;
    }
  }
  std::vector<int> codes;
  for (std::int64_t p = 0; p < n; ++p) {
    const std::int64_t group = f.order[static_cast<std::size_t>(p)] / plain.group;
    int best = 0;
    double least = INFINITY;
    const auto value = [&](int width, int u) {
      return plain.group_scale(width, row, group) * std::ldexp(level_of(u, 8, width), -width);
    };
    for (int u = 0; u < 256; ++u) {
      double cost = 0;
      for (int i = 0; i < widths.count; ++i) {
        const double e = residual[static_cast<std::size_t>(i)][static_cast<std::size_t>(p)] -
                         value(widths.width[static_cast<std::size_t>(i)], u);
        cost += weight[i] * e * e;
      }
      if (cost < least) {
        least = cost;
        best = u;
      }
    }
    codes.push_back(best);
    for (int i = 0; i < widths.count; ++i) {
      auto& r = residual[static_cast<std::size_t>(i)];
      const double e = (r[static_cast<std::size_t>(p)] -
                        value(widths.width[static_cast<std::size_t>(i)], best)) /
                       inverse(p, p);
      for (std::int64_t k = p + 1; k < n; ++k) r[static_cast<std::size_t>(k)] -= e * inverse(p, k);
    }
    // The inverse of what is left without column p.
    for (std::int64_t i = p + 1; i < n; ++i) {
      for (std::int64_t j = p + 1; j < n; ++j) {
        inverse(i, j) -= inverse(i, p) * inverse(p, j) / inverse(p, p);
      }
    }
  }
  return codes;
}

TEST(RowCompensator, FeedsBackAsGptqDoes) {
  const std::int64_t rows = 3, cols = 80;
  const std::vector<float> w = gaussian(rows * cols, 14);
  const auto plain = plain_code(w, rows, cols);
  const auto f = factor_moments(correlated_moments(rows, cols, 600, 15), nullptr);
  ASSERT_TRUE(f);
  const CompensatedLayout layout(*f, 8, 32);
  ScaleTable table{plain->codebook_widths, {plain->codebook.begin(), plain->codebook.end()}};
  double weight[kTreePlanes];
  for (int i = 0; i < layout.widths.count; ++i) {
    weight[i] = std::pow(4.0, layout.widths.width[static_cast<std::size_t>(i)]);
  }
  RowCompensator block(layout, compensated_by_rows(w, rows, cols), *plain, table, 0, rows);
  block.feed_back(WidthTree(layout.widths, weight));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::vector<int> expected = codes_by_gptq(w, *plain, r, *f, weight);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(cols));
    block.copy_codes(r, codes.data());
    int different = 0;
    for (std::int64_t p = 0; p < cols; ++p) {
      different += codes[static_cast<std::size_t>(f->order[static_cast<std::size_t>(p)])] !=
                   expected[static_cast<std::size_t>(p)];
    }
    // float32 against double: a tie may fall otherwise, and then the columns behind it differ.
    EXPECT_LE(different, 2) << "row " << r;
  }
}

TEST(RowCompensator, SweepsAndScalesNeverAddToTheWeightedNoise) {
  const std::int64_t rows = 8, cols = 100;
  const std::vector<float> w = gaussian(rows * cols, 16);
  const auto plain = plain_code(w, rows, cols);
  const auto f = factor_moments(correlated_moments(rows, cols, 600, 17), nullptr);
  ASSERT_TRUE(f);
  const CompensatedLayout layout(*f, 8, 32);
  ScaleTable table{plain->codebook_widths, {plain->codebook.begin(), plain->codebook.end()}};
  std::vector<std::uint8_t> levels(256);
  for (int e = 1; e < 256; ++e) levels[static_cast<std::size_t>(e)] = std::uint8_t(table.of(8, e));
  double weight[kTreePlanes];
  for (int i = 0; i < layout.widths.count; ++i) {
    weight[i] = std::pow(4.0, layout.widths.width[static_cast<std::size_t>(i)]);
  }
  const WidthTree tree(layout.widths, weight);
  RowCompensator block(layout, compensated_by_rows(w, rows, cols), *plain, table, 0, rows);
  const auto noise = [&] {
    block.measure(layout.widths.count);
    double sum = 0;
    for (int i = 0; i < layout.widths.count; ++i) {
      for (std::int64_t r = 0; r < rows; ++r) sum += weight[i] * block.noise_of_row(i, r);
    }
    return sum;
  };
  double before = noise();
  for (int round = 0; round < 3; ++round) {
    block.choose_scales(levels, weight);
    const double with_scales = noise();
    EXPECT_LE(with_scales, before * 1.0001);
    block.descend(tree);
    const double with_codes = noise();
    EXPECT_LE(with_codes, with_scales * 1.0001);
    before = with_codes;
  }
}

}  // namespace
}  // namespace pbatch
