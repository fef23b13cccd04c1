// Products of bit-layers against the definition in bit_matrix.h, and against themselves: the same
// bits from every kernel, thread count and batch size.
#include "product/bit_gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernel/registry.h"
#include "layout/pack.h"
#include "product/bit_product.h"
#include "product/matrix_cache.h"

namespace pbatch {
namespace {

constexpr int kPlanes = 16;
constexpr int kActivationBits[] = {8, 16, 32};

struct TestMatrix {
  std::vector<std::uint16_t> codes;
  std::vector<std::vector<std::uint8_t>> planes;
  std::vector<std::uint8_t> group_codes, codebook;
  std::vector<float> row_scale, outlier_values;
  std::vector<std::int32_t> outlier_places;
  std::shared_ptr<const BitMatrix> matrix;
};

TestMatrix random_matrix(std::int64_t rows, std::int64_t cols, int group, std::mt19937_64& rng,
                         std::int64_t outliers = 0) {
  TestMatrix t;
  BitMatrix m;
  m.rows = rows;
  m.cols = cols;
  m.group = group;
  m.planes_stored = kPlanes;
  m.codebook_widths = 6;  // fewer than planes: wider widths share the last row
  t.codes.resize(static_cast<std::size_t>(rows * cols));
  for (auto& code : t.codes) code = static_cast<std::uint16_t>(rng());
  t.planes.assign(kPlanes,
                  std::vector<std::uint8_t>(static_cast<std::size_t>(plane_bytes(rows, cols))));
  std::vector<std::uint8_t*> planes;
  for (auto& plane : t.planes) planes.push_back(plane.data());
  pack_planes(t.codes.data(), rows, cols, kPlanes, planes.data());
  t.group_codes.resize(static_cast<std::size_t>(rows * m.groups()));
  for (auto& code : t.group_codes) code = static_cast<std::uint8_t>(rng());
  t.codebook.resize(6 * 256);
  for (auto& q : t.codebook) q = static_cast<std::uint8_t>(rng());
  t.row_scale.resize(static_cast<std::size_t>(rows));
  std::uniform_real_distribution<float> scale(1e-4f, 1e-2f);
  for (auto& s : t.row_scale) s = scale(rng);
  for (const auto& plane : t.planes) m.planes.emplace_back(plane);
  m.group_codes = t.group_codes;
  m.codebook = t.codebook;
  m.row_scale = t.row_scale;
  for (std::int64_t i = 0; i < outliers; ++i) {  // in every stretch one
    const std::int64_t begin = i * rows * cols / outliers, end = (i + 1) * rows * cols / outliers;
    t.outlier_places.push_back(
        static_cast<std::int32_t>(begin + static_cast<std::int64_t>(rng() >> 1) % (end - begin)));
    t.outlier_values.push_back(30 * scale(rng) * (i % 2 == 0 ? 100.0F : -100.0F));
  }
  m.outlier_places = t.outlier_places;
  m.outlier_values = t.outlier_values;
  t.matrix = std::make_shared<const BitMatrix>(m);
  return t;
}

std::vector<float> random_floats(std::int64_t count, std::mt19937_64& rng) {
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(count));
  for (float& v : x) v = normal(rng);
  return x;
}

// The number that n planes stand for, by the formula of bit_matrix.h.
double coded_weight(const TestMatrix& t, int n, std::int64_t row, std::int64_t col) {
  const BitMatrix& m = *t.matrix;
  const std::int64_t group = m.group == 0 ? 0 : col / m.group;
  const int code = t.group_codes[static_cast<std::size_t>(row * m.groups() + group)];
  const int q = t.codebook[static_cast<std::size_t>(std::min(n, m.codebook_widths) - 1) * 256 +
                           static_cast<std::size_t>(code)];
  const int u = t.codes[static_cast<std::size_t>(row * m.cols + col)] >> (kPlanes - n);
  return std::ldexp(static_cast<double>(t.row_scale[static_cast<std::size_t>(row)]) * q *
                        (2 * u - ((1 << n) - 1)),
                    -n);
}

double weight(const TestMatrix& t, int n, std::int64_t row, std::int64_t col) {
  for (std::size_t i = 0; i < t.outlier_places.size(); ++i) {
    if (t.outlier_places[i] == row * t.matrix->cols + col) return t.outlier_values[i];
  }
  return coded_weight(t, n, row, col);
}

std::vector<float> product(const PreparedMatrix& prepared, BitGemmCall call,
                           const std::vector<float>& x, ThreadPool& pool) {
  const BitMatrix& m = *prepared.matrix;
  std::vector<float> y(static_cast<std::size_t>(call.batch * m.rows), -1.0f);
  BufferPool buffers;
  call.x = x.data();
  call.ldx = m.cols;
  call.y = y.data();
  call.ldy = m.rows;
  const Status status = bit_gemm(prepared, call, pool, buffers);
  EXPECT_TRUE(status.is_ok()) << status.to_line();
  return y;
}

std::shared_ptr<const PreparedMatrix> prepare(MatrixCache& cache, const BitKernel& kernel, int n) {
  auto result = cache.get(kernel, n);
  EXPECT_TRUE(result.is_ok()) << result.status().to_line();
  return result.is_ok() ? *result : nullptr;
}

const BitKernel& reference() { return all_kernels()[0]; }

bool same_bits(const float* a, const float* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(float)) == 0;
}

// How far rounding may carry row r: half a step of every activation, and a few float roundings of
// every run's sum. 32 activation bits leave float rounding alone.
void expect_close_to_definition(const TestMatrix& t, int n, int activation_bits,
                                const std::vector<float>& x, const std::vector<float>& y) {
  const BitMatrix& m = *t.matrix;
  const double qmax = activation_bits == 8 ? 127 : activation_bits == 16 ? 32639 : 536870912;
  double largest = 0;
  for (const float v : x) largest = std::max(largest, std::fabs(static_cast<double>(v)));
  for (std::int64_t r = 0; r < m.rows; ++r) {
    double sum = 0, weights = 0, magnitude = 0;
    for (std::int64_t c = 0; c < m.cols; ++c) {
      const double w = weight(t, n, r, c), v = x[static_cast<std::size_t>(c)];
      sum += w * v;
      const double coded = coded_weight(t, n, r, c);
      weights += std::fabs(coded);
      magnitude += (256.0 * t.row_scale[static_cast<std::size_t>(r)] + 2 * std::fabs(w - coded)) *
                   std::fabs(v);
    }
    const double rounding = std::ldexp(magnitude * static_cast<double>(8 + m.cols / 32), -24);
    ASSERT_NEAR(y[static_cast<std::size_t>(r)], sum, 0.5001 * largest / qmax * weights + rounding)
        << "row " << r << " of " << m.rows << "x" << m.cols << " group " << m.group << " width "
        << n << " activation bits " << activation_bits;
  }
}

TEST(BitGemm, IsTheProductAtEveryPrecision) {
  std::mt19937_64 rng(1);
  ThreadPool pool(1);
  for (const int group : {32, 64, 96, 128, 256, 0}) {
    for (const auto& [rows, cols] : {std::pair{1, 1}, {37, 301}, {16, 32}, {70, 515}}) {
      const TestMatrix t = random_matrix(rows, cols, group, rng);
      MatrixCache cache(t.matrix);
      const std::vector<float> x = random_floats(cols, rng);
      for (int n = 1; n <= kPlanes; ++n) {
        for (const int activation_bits : kActivationBits) {
          const auto prepared = prepare(cache, reference(), n);
          BitGemmCall call;
          call.activation_bits = activation_bits;
          expect_close_to_definition(t, n, activation_bits, x, product(*prepared, call, x, pool));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Weights kept apart count as they are, whatever the planes say there.
TEST(BitGemm, OutliersHaveTheirValueAtEveryWidth) {
  std::mt19937_64 rng(7);
  ThreadPool pool(1);
  for (const int group : {32, 0}) {
    const TestMatrix t = random_matrix(37, 301, group, rng, 40);
    MatrixCache cache(t.matrix);
    const std::vector<float> x = random_floats(301, rng);
    for (int n = 1; n <= kPlanes; ++n) {
      for (const int activation_bits : kActivationBits) {
        BitGemmCall call;
        call.activation_bits = activation_bits;
        expect_close_to_definition(t, n, activation_bits, x,
                                   product(*prepare(cache, reference(), n), call, x, pool));
        if (HasFatalFailure()) return;
      }
    }
  }
}

class BitGemmKernel : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    kernel_ = find_kernel(GetParam());
    if (!isa_runs_here(kernel_->isa)) GTEST_SKIP() << "this CPU lacks " << isa_name(kernel_->isa);
  }
  const BitKernel* kernel_ = nullptr;
  std::mt19937_64 rng_{2};
};

TEST_P(BitGemmKernel, GivesTheReferenceBits) {
  ThreadPool pool(1);
  for (const int group : {32, 64, 96, 128, 0}) {
    const TestMatrix t = random_matrix(35, 290, group, rng_);
    MatrixCache cache(t.matrix);
    BitGemmCall call;
    call.batch = 3;
    const std::vector<float> x = random_floats(call.batch * t.matrix->cols, rng_);
    for (int n = 1; n <= kPlanes; ++n) {
      for (const int activation_bits : kActivationBits) {
        call.activation_bits = activation_bits;
        ASSERT_EQ(product(*prepare(cache, *kernel_, n), call, x, pool),
                  product(*prepare(cache, reference(), n), call, x, pool))
            << "group " << group << " width " << n << " activation bits " << activation_bits;
      }
    }
  }
}

// Large enough to be split among threads, also vector by vector.
TEST_P(BitGemmKernel, ThreadsAndBatchDoNotMatter) {
  if (std::string(kernel_->name) == "reference") GTEST_SKIP() << "too slow for this size";
  const TestMatrix t = random_matrix(163, 1030, 64, rng_, 170);
  const std::int64_t rows = t.matrix->rows, cols = t.matrix->cols;
  const std::int64_t most = 33;
  const std::vector<float> x = random_floats(most * cols, rng_);
  const std::vector<float> bias = random_floats(rows, rng_);
  ThreadPool pools[] = {ThreadPool(1), ThreadPool(2), ThreadPool(3)};
  MatrixCache cache(t.matrix);
  for (const auto& [n, activation_bits] : {std::pair{1, 8}, {4, 16}, {13, 32}}) {
    const auto prepared = prepare(cache, *kernel_, n);
    BitGemmCall call;
    call.activation_bits = activation_bits;
    call.bias = bias.data();
    std::vector<float> one_by_one;
    for (std::int64_t v = 0; v < most; ++v) {
      const std::vector<float> vector(x.begin() + v * cols, x.begin() + (v + 1) * cols);
      const std::vector<float> y = product(*prepared, call, vector, pools[0]);
      one_by_one.insert(one_by_one.end(), y.begin(), y.end());
    }
    for (ThreadPool& pool : pools) {
      for (const std::int64_t batch : {1, 3, 7, 33}) {
        call.batch = batch;
        const std::vector<float> y = product(*prepared, call, x, pool);
        ASSERT_TRUE(same_bits(y.data(), one_by_one.data(), batch * rows))
            << pool.threads() << " threads, batch " << batch << ", width " << n;
      }
    }
  }
}

// Once packed, x is not looked at: here it has turned into NaN.
TEST_P(BitGemmKernel, TakesPackedVectorsOfTheSameKind) {
  ThreadPool pool(2);
  const TestMatrix first = random_matrix(9, 290, 64, rng_),
                   second = random_matrix(20, 290, 64, rng_);
  const TestMatrix other_runs = random_matrix(12, 290, 32, rng_);
  MatrixCache caches[] = {MatrixCache(first.matrix), MatrixCache(second.matrix),
                          MatrixCache(other_runs.matrix)};
  for (const int activation_bits : kActivationBits) {
    for (const std::int64_t batch : {1, 70}) {  // 70: more than one chunk holds
      BitGemmCall call;
      call.activation_bits = activation_bits;
      call.batch = batch;
      const std::vector<float> x = random_floats(batch * 290, rng_);
      const std::vector<float> gone(x.size(), std::numeric_limits<float>::quiet_NaN());
      const auto a = prepare(caches[0], *kernel_, 3), b = prepare(caches[1], *kernel_, 5);
      const std::vector<float> expected_a = product(*a, call, x, pool);
      const std::vector<float> expected_b = product(*b, call, x, pool);
      const PackedKey key = BitProduct::key_of(*a, batch, activation_bits);
      ASSERT_EQ(BitProduct::key_of(*b, batch, activation_bits), key);
      BufferPool buffers;
      const std::shared_ptr<void> packed = buffers.take(packed_buffer_bytes(key));
      call.packed = packed.get();
      ASSERT_EQ(product(*a, call, x, pool), expected_a);
      call.packed_ready = true;
      ASSERT_EQ(product(*b, call, gone, pool), expected_b);
      ASSERT_EQ(product(*a, call, gone, pool), expected_a);

      // Vectors of another kind are told apart.
      const auto c = prepare(caches[2], *kernel_, 3);
      EXPECT_NE(BitProduct::key_of(*c, batch, activation_bits), key);
      EXPECT_NE(BitProduct::key_of(*a, batch, activation_bits == 8 ? 16 : 8), key);
    }
  }
}

// An error while packing is seen, and the next call packs all anew.
TEST_P(BitGemmKernel, PacksAgainAfterAnError) {
  ThreadPool pool(1);
  BufferPool buffers;
  const TestMatrix t = random_matrix(5, 40, 32, rng_);
  MatrixCache cache(t.matrix);
  const auto prepared = prepare(cache, *kernel_, 2);
  BitGemmCall call;
  call.batch = 2;
  const std::shared_ptr<void> packed = buffers.take(
      packed_buffer_bytes(BitProduct::key_of(*prepared, call.batch, call.activation_bits)));
  std::vector<float> x = random_floats(2 * 40, rng_);
  const std::vector<float> expected = product(*prepared, call, x, pool);
  const float good = x.back();
  x.back() = std::numeric_limits<float>::infinity();
  std::vector<float> y(2 * 5);
  call.packed = packed.get();
  call.x = x.data();
  call.ldx = 40;
  call.y = y.data();
  call.ldy = 5;
  ASSERT_EQ(bit_gemm(*prepared, call, pool, buffers).code(), ErrorCode::not_finite);
  x.back() = good;
  EXPECT_EQ(product(*prepared, call, x, pool), expected);
}

std::vector<const char*> kernel_names() {
  std::vector<const char*> names;
  for (const BitKernel& kernel : all_kernels()) names.push_back(kernel.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, BitGemmKernel, ::testing::ValuesIn(kernel_names()),
                         [](const auto& test) { return std::string(test.param); });

// More vectors than one chunk holds.
TEST(BitGemm, LargeBatchEqualsSingleRuns) {
  std::mt19937_64 rng(3);
  const TestMatrix t = random_matrix(20, 40, 32, rng);
  MatrixCache cache(t.matrix);
  const auto prepared = prepare(cache, *find_kernel("words_generic"), 3);
  ThreadPool pool(2);
  BitGemmCall call;
  call.batch = 150;
  const std::vector<float> x = random_floats(call.batch * 40, rng);
  const std::vector<float> y = product(*prepared, call, x, pool);
  for (std::int64_t v = 0; v < 150; ++v) {
    BitGemmCall single;
    const std::vector<float> vector(x.begin() + v * 40, x.begin() + (v + 1) * 40);
    const std::vector<float> row = product(*prepared, single, vector, pool);
    ASSERT_TRUE(same_bits(row.data(), y.data() + v * 20, 20)) << "vector " << v;
  }
}

TEST(BitGemm, StridesBiasAndRelu) {
  std::mt19937_64 rng(4);
  const TestMatrix t = random_matrix(18, 50, 0, rng);
  MatrixCache cache(t.matrix);
  const auto prepared = prepare(cache, reference(), 4);
  ThreadPool pool(1);
  BufferPool buffers;
  BitGemmCall call;
  call.batch = 2;
  const std::vector<float> x = random_floats(2 * 50, rng), bias = random_floats(18, rng);
  const std::vector<float> plain = product(*prepared, call, x, pool);
  std::vector<float> spaced(2 * 53);
  for (std::int64_t v = 0; v < 2; ++v) std::copy_n(x.data() + v * 50, 50, spaced.data() + v * 53);
  std::vector<float> y(2 * 21, -5.0f);
  call.x = spaced.data();
  call.ldx = 53;
  call.y = y.data();
  call.ldy = 21;
  call.bias = bias.data();
  call.activation = Activation::relu;
  ASSERT_TRUE(bit_gemm(*prepared, call, pool, buffers).is_ok());
  for (std::size_t v = 0; v < 2; ++v) {
    for (std::size_t r = 0; r < 18; ++r) {
      EXPECT_EQ(y[v * 21 + r], std::max(0.0f, plain[v * 18 + r] + bias[r]));
    }
    for (std::size_t r = 18; r < 21; ++r) EXPECT_EQ(y[v * 21 + r], -5.0f);
  }
}

TEST(BitGemm, RefusesWhatIsNotFinite) {
  std::mt19937_64 rng(5);
  const TestMatrix t = random_matrix(64, 700, 64, rng);
  MatrixCache cache(t.matrix);
  const auto prepared = prepare(cache, *find_kernel("words_generic"), 2);
  BufferPool buffers;
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    for (const std::int64_t batch : {1, 40}) {
      for (const float bad :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
            -std::numeric_limits<float>::infinity()}) {
        std::vector<float> x = random_floats(batch * 700, rng);
        x[static_cast<std::size_t>(batch * 700 - 1)] = bad;
        std::vector<float> y(static_cast<std::size_t>(batch * 64));
        BitGemmCall call;
        call.x = x.data();
        call.ldx = 700;
        call.y = y.data();
        call.ldy = 64;
        call.batch = batch;
        EXPECT_EQ(bit_gemm(*prepared, call, pool, buffers).code(), ErrorCode::not_finite);
      }
    }
  }
}

TEST(BitGemm, RefusesUnknownActivationBits) {
  std::mt19937_64 rng(6);
  const TestMatrix t = random_matrix(3, 3, 0, rng);
  MatrixCache cache(t.matrix);
  ThreadPool pool(1);
  BufferPool buffers;
  for (const int bits : {0, 4, 12, 33, -8}) {
    BitGemmCall call;
    call.activation_bits = bits;
    EXPECT_EQ(bit_gemm(*prepare(cache, reference(), 1), call, pool, buffers).code(),
              ErrorCode::invalid_argument);
  }
}

TEST(BitGemm, EmptyBatchIsNothing) {
  std::mt19937_64 rng(7);
  const TestMatrix t = random_matrix(3, 3, 0, rng);
  MatrixCache cache(t.matrix);
  ThreadPool pool(1);
  BufferPool buffers;
  BitGemmCall call;
  call.batch = 0;
  EXPECT_TRUE(bit_gemm(*prepare(cache, reference(), 1), call, pool, buffers).is_ok());
}

TEST(MatrixCache, RefusesWidthsItCannotServe) {
  std::mt19937_64 rng(8);
  const TestMatrix t = random_matrix(20, 40, 32, rng);
  BitMatrix cut = *t.matrix;
  cut.planes.resize(3);
  MatrixCache cache(std::make_shared<const BitMatrix>(cut));
  EXPECT_TRUE(cache.get(reference(), 3).is_ok());
  EXPECT_EQ(cache.get(reference(), 4).status().code(), ErrorCode::precision_unavailable);
  EXPECT_EQ(cache.get(reference(), 0).status().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(cache.get(reference(), 17).status().code(), ErrorCode::invalid_argument);
}

TEST(MatrixCache, MakesEachMatrixOnceAndCopiesOnlyForRowLanes) {
  std::mt19937_64 rng(9);
  const TestMatrix t = random_matrix(20, 40, 32, rng);
  MatrixCache cache(t.matrix);
  EXPECT_EQ(prepare(cache, reference(), 5), prepare(cache, reference(), 5));
  EXPECT_EQ(prepare(cache, reference(), 5)->digits[0].planes[0], t.planes[0].data());
  const BitKernel& lanes = *find_kernel("popcnt_generic");
  const auto narrow = prepare(cache, lanes, 2), wide = prepare(cache, lanes, 12);
  EXPECT_NE(wide->digits[0].planes[0], t.planes[0].data());
  EXPECT_EQ(narrow->digits[0].planes[1], wide->digits[0].planes[1]);
  EXPECT_EQ(wide->digits[1].n_planes, 4);
}

}  // namespace
}  // namespace pbatch
