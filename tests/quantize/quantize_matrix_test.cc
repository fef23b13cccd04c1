#include "quantize/quantize_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

using testing::decode_weight;
using testing::decoded_sqnr;
using testing::gaussian;

WeightView by_rows(const std::vector<float>& w, std::int64_t rows, std::int64_t cols) {
  return {w.data(), rows, cols, cols, 1};
}

QuantizedMatrix quantized(const std::vector<float>& w, std::int64_t rows, std::int64_t cols,
                          int planes, int group, ThreadPool* pool = nullptr) {
  Result<QuantizedMatrix> q = quantize_matrix(by_rows(w, rows, cols), planes, group, pool);
  EXPECT_TRUE(q) << q.status().to_line();
  return q ? *q : QuantizedMatrix{};
}

double scale_bits_per_weight(const BitMatrix& m) {
  const double bytes =
      static_cast<double>(m.group_codes.size() + m.codebook.size() + m.row_scale.size_bytes());
  return 8 * bytes / (static_cast<double>(m.rows) * static_cast<double>(m.cols));
}

// The project's promise for Gaussian weights: every width from one code.
TEST(QuantizeMatrix, GaussianWeightsInGroupsOf32ReachTheTargetsAtEveryWidth) {
  const std::vector<float> w = gaussian(1024 * 1024, 20);
  const QuantizedMatrix q = quantized(w, 1024, 1024, 8, 32);
  const double least[] = {4.5, 9.2, 15.0, 21.0, 27.0, 33.0, 39.0, 45.0};
  for (int n = 1; n <= 8; ++n) {
    EXPECT_GE(q.sqnr_db[static_cast<std::size_t>(n) - 1], least[n - 1]) << n << " bits";
  }
  EXPECT_LE(scale_bits_per_weight(*q.matrix), 0.3);
}

TEST(QuantizeMatrix, ReportsTheErrorThatTheFormulaGives) {
  for (const int group : {32, 64, 128, 0}) {
    const std::vector<float> w = gaussian(48 * 200, 3);
    const QuantizedMatrix q = quantized(w, 48, 200, 10, group);
    ASSERT_EQ(q.sqnr_db.size(), 10u);
    for (int n = 1; n <= 10; ++n) {
      EXPECT_NEAR(q.sqnr_db[static_cast<std::size_t>(n) - 1], decoded_sqnr(*q.matrix, n, w), 1e-6);
    }
  }
}

TEST(QuantizeMatrix, LargerGroupsCostLittleAtOneBitAndTwoDecibelsAtEight) {
  const std::vector<float> w = gaussian(512 * 512, 4);
  const QuantizedMatrix g32 = quantized(w, 512, 512, 8, 32);
  const QuantizedMatrix g64 = quantized(w, 512, 512, 8, 64);
  const QuantizedMatrix g128 = quantized(w, 512, 512, 8, 128);
  // Figures for a nested code with a free scale per group and width.
  const double free64[] = {4.46, 8.70, 14.4, 20.4, 26.4, 32.4, 38.4, 44.4};
  const double free128[] = {4.43, 8.21, 13.8, 19.7, 25.7, 31.7, 37.7, 43.8};
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_GT(g32.sqnr_db[i], g64.sqnr_db[i]);
    EXPECT_GT(g64.sqnr_db[i], g128.sqnr_db[i]);
    EXPECT_NEAR(g64.sqnr_db[i], free64[i], 0.35);
    EXPECT_NEAR(g128.sqnr_db[i], free128[i], 0.35);
  }
}

TEST(QuantizeMatrix, EachBitBeyondTheFourthBringsSixDecibelsUpToSixteen) {
  const std::vector<float> w = gaussian(128 * 256, 5);
  for (const int group : {32, 0}) {
    const QuantizedMatrix q = quantized(w, 128, 256, 16, group);
    for (std::size_t i = 4; i < 16; ++i) {
      EXPECT_NEAR(q.sqnr_db[i] - q.sqnr_db[i - 1], 6.02, 0.25) << i + 1 << " bits, group " << group;
    }
  }
}

// Whoever stores few planes gets steps made for them: at least what the best uniform quantizer
// for the whole distribution reaches (Max 1960: 4.40, 9.25, 14.27 dB), from 32 columns on more.
TEST(QuantizeMatrix, FewPlanesAreTunedToTheirOwnWidth) {
  const std::vector<float> w = gaussian(512 * 512, 6);
  EXPECT_GT(quantized(w, 512, 512, 1, 32).sqnr_db[0], 4.5);
  EXPECT_GT(quantized(w, 512, 512, 2, 32).sqnr_db[1], 9.6);
  EXPECT_GT(quantized(w, 512, 512, 3, 32).sqnr_db[2], 15.2);
  EXPECT_GT(quantized(w, 512, 512, 2, 128).sqnr_db[1], 9.25);
  EXPECT_GT(quantized(w, 512, 512, 3, 128).sqnr_db[2], 14.3);
}

TEST(QuantizeMatrix, OutliersOfTwentySigmaDoNotSpoilTheRest) {
  std::vector<float> w = gaussian(256 * 512, 7);
  std::vector<float> clean = w;
  for (std::size_t i = 100; i < w.size(); i += 2048) w[i] = 20;
  const QuantizedMatrix q = quantized(w, 256, 512, 8, 32);
  // The error over the groups without an outlier, against the clean signal.
  double signal = 0, noise = 0;
  for (std::int64_t r = 0; r < 256; ++r) {
    for (std::int64_t c = 0; c < 512; ++c) {
      const std::int64_t group_begin = r * 512 + c / 32 * 32;
      const auto begin = w.begin() + group_begin;
      if (std::find(begin, begin + 32, 20.0f) != begin + 32) continue;
      const double v = clean[static_cast<std::size_t>(r * 512 + c)];
      const double e = v - decode_weight(*q.matrix, 4, r, c);
      signal += v * v;
      noise += e * e;
    }
  }
  EXPECT_GT(10 * std::log10(signal / noise), 20.0);  // 21.1 dB without outliers
  EXPECT_NEAR(decode_weight(*q.matrix, 8, 0, 100), 20, 0.1);
}

TEST(QuantizeMatrix, HeavyTailsGainWithEachWidth) {
  std::mt19937 engine(8);
  std::student_t_distribution<float> heavy(3);
  std::vector<float> w(256 * 256);
  for (float& v : w) v = heavy(engine);
  for (const int group : {32, 64, 128, 0}) {
    const QuantizedMatrix q = quantized(w, 256, 256, 8, group);
    EXPECT_GT(q.sqnr_db[0], 1.5);
    // With whole rows the second bit only tells outliers from the rest.
    if (group != 0) {
      EXPECT_GT(q.sqnr_db[1], q.sqnr_db[0] + 1.5);
    }
    for (std::size_t i = 2; i < 8; ++i) EXPECT_GT(q.sqnr_db[i], q.sqnr_db[i - 1] + 3);
  }
}

TEST(QuantizeMatrix, ZerosStayZerosAtEveryWidth) {
  std::vector<float> w = gaussian(20 * 100, 9);
  std::fill(w.begin() + 300, w.begin() + 400, 0.0f);  // row 3
  std::fill(w.begin() + 564, w.begin() + 596, 0.0f);  // row 5, group 2 of 32
  for (const int group : {32, 0}) {
    const QuantizedMatrix q = quantized(w, 20, 100, 8, group);
    for (int n = 1; n <= 8; ++n) {
      for (std::int64_t c = 0; c < 100; ++c) EXPECT_EQ(decode_weight(*q.matrix, n, 3, c), 0);
      for (std::int64_t c = 64; c < 96 && group == 32; ++c) {
        EXPECT_EQ(decode_weight(*q.matrix, n, 5, c), 0);
      }
    }
  }
  const std::vector<float> zeros(64 * 64, 0.0f);
  const QuantizedMatrix q = quantized(zeros, 64, 64, 4, 32);
  for (int n = 1; n <= 4; ++n) EXPECT_EQ(decode_weight(*q.matrix, n, 63, 63), 0);
  EXPECT_EQ(q.sqnr_db, std::vector<double>(4, 200.0));
}

// Binary networks: weights of one magnitude are exact at one bit.
TEST(QuantizeMatrix, WeightsOfOneMagnitudeNeedOneBit) {
  std::vector<float> w(64 * 96);
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] = (i * 2654435761u >> 16 & 1) != 0 ? 0.037f : -0.037f;
  }
  for (const int group : {32, 0}) {
    const QuantizedMatrix q = quantized(w, 64, 96, 8, group);
    for (int n = 1; n <= 8; ++n) {
      // The scales' resolution of 1/255 of the greatest bounds what is left.
      EXPECT_GT(q.sqnr_db[static_cast<std::size_t>(n) - 1], n <= 3 ? 38 : 6 * n)
          << n << " bits, group " << group;
    }
  }
}

TEST(QuantizeMatrix, ConstantRowsKeepTheirSignAndSize) {
  std::vector<float> w(16 * 40);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = i / 40 % 2 == 0 ? 2.5f : -1e-3f;
  const QuantizedMatrix q = quantized(w, 16, 40, 8, 32);
  for (int n = 1; n <= 8; ++n) {
    // At widths without a scale of their own the outermost code stands half a cell below the step.
    const double bound = 0.01 + (n > 3 ? std::ldexp(1, -n) : 0);
    EXPECT_NEAR(decode_weight(*q.matrix, n, 2, 39) / 2.5, 1, bound);
    EXPECT_NEAR(decode_weight(*q.matrix, n, 3, 0) / -1e-3, 1, bound);
  }
}

TEST(QuantizeMatrix, TinyGroupsBesideLargeOnesBecomeZeroRatherThanNoise) {
  std::vector<float> w = gaussian(16 * 64, 10);
  for (std::size_t r = 0; r < 16; ++r) {
    for (std::size_t c = 32; c < 64; ++c) w[r * 64 + c] *= 1e-6f;
  }
  const QuantizedMatrix q = quantized(w, 16, 64, 8, 32);
  for (int n = 1; n <= 8; ++n) {
    EXPECT_LT(std::fabs(decode_weight(*q.matrix, n, 7, 50)), 1e-5);
  }
}

TEST(QuantizeMatrix, ShapesThatFillNoBlockOrGroup) {
  for (const std::int64_t rows : {1, 3, 16, 17}) {
    for (const std::int64_t cols : {1, 5, 31, 33, 64, 130}) {
      for (const int group : {0, 32, 64, 128}) {
        const std::vector<float> w = gaussian(rows * cols, static_cast<unsigned>(rows * cols));
        const QuantizedMatrix q = quantized(w, rows, cols, 8, group);
        const std::int64_t groups = group == 0 ? 1 : (cols + group - 1) / group;
        ASSERT_EQ(q.matrix->group_codes.size(), static_cast<std::size_t>(rows * groups));
        ASSERT_EQ(q.matrix->planes[7].size(),
                  static_cast<std::size_t>((rows + 15) / 16 * 64 * ((cols + 31) / 32)));
        EXPECT_GT(decoded_sqnr(*q.matrix, 8, w), 38) << rows << " x " << cols << " / " << group;
      }
    }
  }
}

TEST(QuantizeMatrix, ExtremeMagnitudesStayFinite) {
  for (const float size : {3e38f, 1e30f, 1e-25f}) {
    std::vector<float> w = gaussian(32 * 64, 11);
    float greatest = 0;
    for (const float v : w) greatest = std::max(greatest, std::fabs(v));
    for (float& v : w) v = v / greatest * size;
    const QuantizedMatrix q = quantized(w, 32, 64, 8, 32);
    for (const float s : q.matrix->row_scale) EXPECT_TRUE(std::isfinite(s * 255));
    EXPECT_GT(decoded_sqnr(*q.matrix, 8, w), 43) << size;
  }
  // The very greatest float in every place: twice its mean magnitude overflows.
  const std::vector<float> top(16 * 32, std::numeric_limits<float>::max());
  const QuantizedMatrix q = quantized(top, 16, 32, 8, 32);
  EXPECT_TRUE(std::isfinite(q.matrix->row_scale[0] * 255));
  EXPECT_NEAR(decode_weight(*q.matrix, 8, 0, 0) / std::numeric_limits<float>::max(), 1, 0.01);
  // Below 2^-100 a row counts as zeros; that includes denormal numbers.
  const std::vector<float> tiny(16 * 32, std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(decode_weight(*quantized(tiny, 16, 32, 8, 32).matrix, 8, 0, 0), 0);
}

TEST(QuantizeMatrix, NamesTheFirstWeightThatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> w = gaussian(40 * 50, 12);
    w[33 * 50 + 7] = bad;
    w[35 * 50 + 1] = bad;
    const auto q = quantize_matrix(by_rows(w, 40, 50), 8, 32, nullptr);
    ASSERT_FALSE(q);
    EXPECT_EQ(q.status().code(), ErrorCode::not_finite);
    EXPECT_NE(q.status().message().find("row 33, column 7 "), std::string::npos)
        << q.status().message();
  }
}

TEST(QuantizeMatrix, RefusesWhatItCannotMake) {
  const std::vector<float> w(64, 1.0f);
  const auto code = [&](std::int64_t rows, std::int64_t cols, int planes, int group) {
    return quantize_matrix(by_rows(w, rows, cols), planes, group, nullptr).status().code();
  };
  EXPECT_EQ(code(2, 32, 0, 32), ErrorCode::invalid_argument);
  EXPECT_EQ(code(2, 32, 17, 32), ErrorCode::invalid_argument);
  EXPECT_EQ(code(2, 32, 8, 16), ErrorCode::invalid_argument);
  EXPECT_EQ(code(2, 32, 8, -1), ErrorCode::invalid_argument);
  EXPECT_EQ(code(0, 32, 8, 32), ErrorCode::invalid_argument);
  EXPECT_EQ(code(2, 0, 8, 32), ErrorCode::invalid_argument);
  EXPECT_EQ(code(2, 32, 16, 0), ErrorCode::ok);
}

bool same(const BitMatrix& a, const BitMatrix& b) {
  const auto equal = [](auto x, auto y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end());
  };
  for (std::size_t p = 0; p < a.planes.size(); ++p) {
    if (!equal(a.planes[p], b.planes[p])) return false;
  }
  return equal(a.group_codes, b.group_codes) && equal(a.codebook, b.codebook) &&
         equal(a.row_scale, b.row_scale);
}

TEST(QuantizeMatrix, ThreadsAndMemoryOrderChangeNothing) {
  const std::int64_t rows = 83, cols = 170;
  const std::vector<float> w = gaussian(rows * cols, 13);
  std::vector<float> turned(w.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      turned[static_cast<std::size_t>(c * rows + r)] = w[static_cast<std::size_t>(r * cols + c)];
    }
  }
  const QuantizedMatrix one = quantized(w, rows, cols, 8, 64);
  ThreadPool pool(3);
  const QuantizedMatrix three = quantized(w, rows, cols, 8, 64, &pool);
  EXPECT_TRUE(same(*one.matrix, *three.matrix));
  EXPECT_EQ(one.sqnr_db, three.sqnr_db);
  const auto columns = quantize_matrix({turned.data(), rows, cols, 1, rows}, 8, 64, &pool);
  ASSERT_TRUE(columns);
  EXPECT_TRUE(same(*one.matrix, *columns->matrix));
}

}  // namespace
}  // namespace pbatch
