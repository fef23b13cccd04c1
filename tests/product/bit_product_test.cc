// A product held open, against bit_gemm: any rows at a time, any vectors at a time, again and
// again.
#include "product/bit_product.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "product/bit_gemm.h"
#include "quantize/quantize_matrix.h"
#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

constexpr std::int64_t kRows = 16 * 11 - 3, kProductCols = 75;

class BitProductKernel : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const BitKernel* const kernel = find_kernel(GetParam());
    if (!isa_runs_here(kernel->isa)) GTEST_SKIP() << "this CPU lacks " << isa_name(kernel->isa);
    const std::vector<float> w = testing::gaussian(kRows * kProductCols, 1);
    const auto made =
        quantize_matrix({w.data(), kRows, kProductCols, kProductCols, 1}, 12, 32, nullptr);
    ASSERT_TRUE(made) << made.status().to_line();
    cache_.emplace(made->matrix);
    for (const int bits : {1, 2, 4, 11}) {
      const auto prepared = cache_->get(*kernel, bits);
      ASSERT_TRUE(prepared) << prepared.status().to_line();
      prepared_.push_back(*prepared);
    }
  }

  std::vector<float> expected(const PreparedMatrix& m, const std::vector<float>& x,
                              std::int64_t batch, int activation_bits) {
    std::vector<float> y(static_cast<std::size_t>(batch * kRows));
    BitGemmCall call{
        .x = x.data(), .ldx = kProductCols, .y = y.data(), .ldy = kRows, .batch = batch};
    call.activation_bits = activation_bits;
    call.bias = bias_.data();
    call.activation = Activation::relu;
    EXPECT_TRUE(bit_gemm(m, call, pool_, buffers_));
    return y;
  }

  std::optional<MatrixCache> cache_;
  std::vector<std::shared_ptr<const PreparedMatrix>> prepared_;
  // In memory that the test keeps.
  BitProduct make_product(const PreparedMatrix& m, std::int64_t batch, int activation_bits) {
    const PackedKey key = BitProduct::key_of(m, batch, activation_bits);
    memory_.push_back(buffers_.take(packed_buffer_bytes(key)));
    memory_.push_back(buffers_.take(BitProduct::scratch_bytes(m, batch, activation_bits)));
    return {m,
            batch,
            activation_bits,
            packed_vectors_at(key, memory_.rbegin()[1].get()),
            memory_.back().get(),
            buffers_};
  }

  std::vector<std::shared_ptr<void>> memory_;
  std::vector<float> bias_ = testing::gaussian(kRows, 2);
  ThreadPool pool_{2};
  BufferPool buffers_;
};

TEST_P(BitProductKernel, RowsInAnyPartsAreTheWholeProduct) {
  constexpr std::int64_t kBatch = 70;  // more than there are accumulators for
  unsigned seed = 3;
  for (const auto& m : prepared_) {
    for (const int activation_bits : {8, 16, 32}) {
      BitProduct product = make_product(*m, kBatch, activation_bits);
      for (const std::int64_t batch : {kBatch, std::int64_t{1}, std::int64_t{3}}) {
        const std::vector<float> x = testing::gaussian(batch * kProductCols, ++seed);
        std::vector<float> y(static_cast<std::size_t>(batch * kRows));
        ASSERT_TRUE(product.quantize(x.data(), kProductCols, 0, batch, pool_));
        const BitProductOutput out{y.data(), kRows, bias_.data(), Activation::relu};
        for (const auto& [begin, end] : {std::pair{5, 9}, {0, 1}, {9, 11}, {1, 5}}) {
          product.multiply(0, batch, begin, end, out);
        }
        ASSERT_EQ(y, expected(*m, x, batch, activation_bits)) << m->weight_bits << " bits";
      }
    }
  }
}

TEST_P(BitProductKernel, VectorsComeAndGoByNumber) {
  const PreparedMatrix& m = *prepared_[1];
  BitProduct product = make_product(m, 5, 16);
  const std::vector<float> x = testing::gaussian(5 * kProductCols, 9),
                           other = testing::gaussian(kProductCols, 8);
  ASSERT_TRUE(product.quantize(x.data(), kProductCols, 0, 5, pool_));
  ASSERT_TRUE(product.quantize(other.data(), kProductCols, 3, 1, pool_));
  std::vector<float> mixed = x;
  std::copy(other.begin(), other.end(), mixed.begin() + 3 * kProductCols);
  std::vector<float> y(2 * kRows);
  const BitProductOutput out{y.data(), kRows, bias_.data(), Activation::relu};
  product.multiply(3, 2, 0, row_blocks(kRows), out);
  const std::vector<float> all = expected(m, mixed, 5, 16);
  EXPECT_EQ(y, std::vector<float>(all.begin() + 3 * kRows, all.end()));

  mixed[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(product.quantize(mixed.data(), kProductCols, 0, 5, pool_).code(),
            ErrorCode::not_finite);
}

std::vector<const char*> product_kernel_names() {
  std::vector<const char*> names;
  for (const BitKernel& kernel : all_kernels()) names.push_back(kernel.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, BitProductKernel, ::testing::ValuesIn(product_kernel_names()),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace pbatch
