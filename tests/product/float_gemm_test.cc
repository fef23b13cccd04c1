#include "product/float_gemm.h"

#include <gtest/gtest.h>

#include <thread>
#include <tuple>

#include "product/openblas.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::random_floats;
using testing::tensor_of;

struct Problem {
  std::int64_t rows, cols, batch;
  FloatMatrix::Layout layout;
  std::vector<float> w, x, bias;

  Problem(std::int64_t r, std::int64_t c, std::int64_t b, FloatMatrix::Layout l)
      : rows(r),
        cols(c),
        batch(b),
        layout(l),
        w(random_floats(static_cast<std::size_t>(r * c), 1)),
        x(random_floats(static_cast<std::size_t>(b * c), 2)),
        bias(random_floats(static_cast<std::size_t>(r), 3)) {}

  std::unique_ptr<FloatMatrix> matrix() const {
    const bool plain = layout == FloatMatrix::Layout::rows_cols;
    auto made =
        FloatMatrix::create(tensor_of(plain ? Shape{rows, cols} : Shape{cols, rows}, w), layout);
    EXPECT_TRUE(made) << made.status().to_line();
    return std::move(made).value();
  }

  double right(std::int64_t b, std::int64_t r, bool with_bias, Activation activation) const {
    double sum = with_bias ? static_cast<double>(bias[static_cast<std::size_t>(r)]) : 0.0;
    for (std::int64_t c = 0; c < cols; ++c) {
      const std::int64_t at =
          layout == FloatMatrix::Layout::rows_cols ? r * cols + c : c * rows + r;
      sum += static_cast<double>(w[static_cast<std::size_t>(at)]) *
             static_cast<double>(x[static_cast<std::size_t>(b * cols + c)]);
    }
    return activation == Activation::relu && sum < 0 ? 0.0 : sum;
  }

  void expect_right(const std::vector<float>& y, bool with_bias, Activation activation) const {
    const double tolerance = 1e-5 * static_cast<double>(cols + 1);
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t r = 0; r < rows; ++r) {
        ASSERT_NEAR(static_cast<double>(y[static_cast<std::size_t>(b * rows + r)]),
                    right(b, r, with_bias, activation), tolerance)
            << "vector " << b << ", row " << r;
      }
    }
  }
};

class FloatGemm : public ::testing::TestWithParam<std::tuple<FloatBackend, FloatMatrix::Layout>> {};

TEST_P(FloatGemm, EqualsANaiveProduct) {
  const auto [backend, layout] = GetParam();
  ThreadPool pool(2);
  BufferPool buffers;
  for (const std::int64_t rows : {1, 7, 64}) {
    for (const std::int64_t cols : {1, 33, 130}) {
      for (const std::int64_t batch : {1, 2, 17}) {
        const Problem problem(rows, cols, batch, layout);
        const auto matrix = problem.matrix();
        for (const bool with_bias : {false, true}) {
          for (const Activation activation : {Activation::none, Activation::relu}) {
            // NaN where an answer is missing, and where old contents would leak in.
            std::vector<float> y(static_cast<std::size_t>(rows * batch), NAN);
            const Status s =
                matrix->multiply({problem.x.data(), batch, y.data(),
                                  with_bias ? problem.bias.data() : nullptr, activation},
                                 backend, pool, buffers);
            ASSERT_TRUE(s) << s.to_line();
            problem.expect_right(y, with_bias, activation);
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Backends, FloatGemm,
    ::testing::Combine(::testing::Values(FloatBackend::fastest, FloatBackend::onednn,
                                         FloatBackend::openblas, FloatBackend::by_row),
                       ::testing::Values(FloatMatrix::Layout::rows_cols,
                                         FloatMatrix::Layout::cols_rows)));

TEST(FloatMatrix, WithoutColumnsOnlyTheBiasIsLeft) {
  const auto matrix = FloatMatrix::create(tensor_of({2, 0}, {}), FloatMatrix::Layout::rows_cols);
  ASSERT_TRUE(matrix) << matrix.status().to_line();
  ThreadPool pool(1);
  BufferPool buffers;
  const std::vector<float> bias{-1.0F, 2.0F};
  std::vector<float> y(4, NAN);
  const Status s = (*matrix)->multiply({nullptr, 2, y.data(), bias.data(), Activation::relu},
                                       FloatBackend::fastest, pool, buffers);
  ASSERT_TRUE(s) << s.to_line();
  EXPECT_EQ(y, (std::vector<float>{0.0F, 2.0F, 0.0F, 2.0F}));
}

TEST(FloatMatrix, ReluKeepsNaN) {
  const auto matrix =
      FloatMatrix::create(tensor_of({1, 2}, {1.0F, 1.0F}), FloatMatrix::Layout::rows_cols);
  ASSERT_TRUE(matrix);
  ThreadPool pool(1);
  BufferPool buffers;
  const std::vector<float> x{NAN, 1.0F};
  for (const FloatBackend backend : {FloatBackend::onednn, FloatBackend::openblas}) {
    float y = 0.0F;
    ASSERT_TRUE(
        (*matrix)->multiply({x.data(), 1, &y, nullptr, Activation::relu}, backend, pool, buffers));
    EXPECT_TRUE(std::isnan(y));
  }
}

TEST(FloatMatrix, RefusesWhatIsNoFloatMatrix) {
  EXPECT_EQ(
      FloatMatrix::create(tensor_of({2}, {1, 2}), FloatMatrix::Layout::rows_cols).status().code(),
      ErrorCode::shape_mismatch);
}

// More batch sizes than are kept, from several threads at once.
TEST(FloatMatrix, ServesManyThreadsAndBatchSizes) {
  const Problem problem(40, 30, 20, FloatMatrix::Layout::cols_rows);
  const auto matrix = problem.matrix();
  BufferPool buffers;
  std::vector<std::string> errors(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < errors.size(); ++t) {
    threads.emplace_back([&, t] {
      ThreadPool pool(1 + static_cast<int>(t % 2));
      for (std::int64_t batch = 1; batch <= problem.batch; ++batch) {
        std::vector<float> y(static_cast<std::size_t>(batch * problem.rows), NAN);
        const Status s = matrix->multiply(
            {problem.x.data(), batch, y.data(), problem.bias.data(), Activation::none},
            FloatBackend::fastest, pool, buffers);
        if (!s) errors[t] = s.to_line();
        for (std::int64_t r = 0; r < problem.rows; ++r) {
          const double difference =
              static_cast<double>(y[static_cast<std::size_t>((batch - 1) * problem.rows + r)]) -
              problem.right(batch - 1, r, true, Activation::none);
          if (!(std::fabs(difference) < 1e-3)) errors[t] = "batch " + std::to_string(batch);
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

struct SgemmForm {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  float beta;
  std::int64_t gap;  // between the rows of A and B, as stored; 0: said to have none
};

void expect_naive_product(const SgemmForm& f) {
  const std::int64_t a_cols = (f.transpose_a ? f.m : f.k) + f.gap;
  const std::int64_t b_cols = (f.transpose_b ? f.k : f.n) + f.gap;
  const auto a = random_floats(static_cast<std::size_t>((f.transpose_a ? f.k : f.m) * a_cols), 4);
  const auto b = random_floats(static_cast<std::size_t>((f.transpose_b ? f.n : f.k) * b_cols), 5);
  const auto c = random_floats(static_cast<std::size_t>(f.m * f.n), 6);
  std::vector<float> y = c;
  if (f.beta == 0.0F) std::fill(y.begin(), y.end(), NAN);
  SgemmCall call;
  call.m = f.m;
  call.n = f.n;
  call.k = f.k;
  call.transpose_a = f.transpose_a;
  call.transpose_b = f.transpose_b;
  if (f.gap != 0) {
    call.a_stride = a_cols;
    call.b_stride = b_cols;
  }
  call.alpha = 2.0F;
  call.beta = f.beta;
  call.a = a.data();
  call.b = b.data();
  call.y = y.data();
  {
    const OpenblasThreads guard(1);
    sgemm(call);
  }
  for (std::int64_t i = 0; i < f.m; ++i) {
    for (std::int64_t j = 0; j < f.n; ++j) {
      const auto at = static_cast<std::size_t>(i * f.n + j);
      float sum = f.beta == 0.0F ? 0.0F : f.beta * c[at];
      for (std::int64_t q = 0; q < f.k; ++q) {
        sum += 2.0F * a[static_cast<std::size_t>(f.transpose_a ? q * a_cols + i : i * a_cols + q)] *
               b[static_cast<std::size_t>(f.transpose_b ? j * b_cols + q : q * b_cols + j)];
      }
      ASSERT_NEAR(y[at], sum, 1e-4F) << f.m << " " << f.n << " " << f.k << " " << f.gap;
    }
  }
}

TEST(Sgemm, EqualsANaiveProductInEveryForm) {
  for (const std::int64_t m : {1, 3}) {
    for (const std::int64_t n : {1, 5}) {
      for (const std::int64_t k : {0, 1, 4}) {
        for (int form = 0; form < 16; ++form) {
          expect_naive_product({m, n, k, (form & 1) != 0, (form & 2) != 0,
                                (form & 4) != 0 ? 0.5F : 0.0F, (form & 8) != 0 ? 3 : 0});
        }
      }
    }
  }
}

TEST(Sgemm, RefusesSizesBeyondOpenBlas) {
  EXPECT_EQ(check_sgemm(1, std::int64_t{1} << 31, 1).code(), ErrorCode::unsupported);
  EXPECT_TRUE(check_sgemm(1, (std::int64_t{1} << 31) - 1, 1));
}

}  // namespace
}  // namespace pbatch
