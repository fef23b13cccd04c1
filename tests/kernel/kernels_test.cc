// Every kernel of the registry against the reference, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "isa/isa.h"
#include "tests/kernel/problem.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

std::string describe(const Shape& s) {
  return "rows " + std::to_string(s.rows) + " cols " + std::to_string(s.cols) + " batch " +
         std::to_string(s.batch) + " planes " + std::to_string(s.n_planes) + " activation bits " +
         std::to_string(s.activation_bits) + " run blocks " + std::to_string(s.run_blocks);
}

class KernelTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    kernel_ = find_kernel(GetParam());
    ASSERT_NE(kernel_, nullptr);
    if (!isa_runs_here(kernel_->isa)) {
      GTEST_SKIP() << "this CPU lacks " << isa_name(kernel_->isa);
    }
  }

  void expect_equals_reference(const Problem& p) const {
    const BitKernel& reference = all_kernels()[0];
    ASSERT_EQ(run_kernel(*kernel_, p), run_kernel(reference, p)) << describe(p.shape);
  }

  const BitKernel* kernel_ = nullptr;
  std::mt19937_64 rng_{kSeed};
};

TEST_P(KernelTest, EqualsReferenceForEveryPrecision) {
  for (int n_planes = 1; n_planes <= 8; ++n_planes) {
    for (const int activation_bits : {8, 16, 32}) {
      for (const int run_blocks : {1, 2, 4}) {
        for (const std::int64_t cols : {1, 33, 150}) {
          const Shape shape = {19, cols, 3, n_planes, activation_bits, run_blocks};
          expect_equals_reference(random_problem(shape, rng_));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Enough row blocks for the narrowest fields.
TEST_P(KernelTest, EqualsReferenceOnManyRows) {
  for (int n_planes = 1; n_planes <= 8; ++n_planes) {
    for (const int activation_bits : {8, 16, 32}) {
      for (const std::int64_t batch : {1, 2, 3, 7}) {
        const Shape shape = {150, 70, batch, n_planes, activation_bits, 4};
        expect_equals_reference(random_problem(shape, rng_));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(KernelTest, EqualsReferenceForEveryBatchSize) {
  for (std::int64_t batch = 1; batch <= 33; ++batch) {
    for (const int activation_bits : {8, 16, 32}) {
      const Shape shape = {17, 70, batch, static_cast<int>(batch % 8) + 1, activation_bits, 2};
      expect_equals_reference(random_problem(shape, rng_));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(KernelTest, EqualsReferenceOnRandomShapes) {
  TimeBox box(20);
  while (box.next()) {
    Shape shape;
    shape.rows = 1 + static_cast<std::int64_t>(rng_() % 300);
    shape.cols = 1 + static_cast<std::int64_t>(rng_() % 300);
    // The reference is slow: large matrices get small batches.
    const std::int64_t most = std::max<std::int64_t>(1, 200000 / (shape.rows * shape.cols));
    shape.batch = 1 + static_cast<std::int64_t>(rng_() % std::min<std::int64_t>(33, most));
    shape.n_planes = 1 + static_cast<int>(rng_() % 8);
    shape.activation_bits = 8 << (rng_() % 3);
    shape.run_blocks = 1 << (rng_() % 3);
    expect_equals_reference(random_problem(shape, rng_));
    if (HasFatalFailure()) return;
  }
}

TEST_P(KernelTest, EqualsReferenceOnLongRows) {
  for (const std::int64_t cols : {4096, 4097, 9999}) {
    for (const int activation_bits : {8, 16, 32}) {
      const Shape shape = {3, cols, 2, 5, activation_bits, 4};
      expect_equals_reference(random_problem(shape, rng_));
      if (HasFatalFailure()) return;
    }
  }
}

// |S| reaches 255 * 32639 * 128, the bound that kernel.h promises to fit.
TEST_P(KernelTest, HoldsAtTheAccumulatorBound) {
  for (int n_planes = 1; n_planes <= 8; ++n_planes) {
    for (const int activation_bits : {8, 16, 32}) {
      const std::int32_t largest = q_max(activation_bits);
      // For 32 bits also the values whose low half is as large as it can be, and for 16 and 32
      // those whose low byte is -128.
      for (const std::int32_t q : {largest, -largest, (1 << 29) - 16384, -(1 << 29) + 16383, -16384,
                                   16383, 16384, 128, -128, 0, 1, -1}) {
        if (q > largest || q < -largest) continue;
        for (const bool ones : {false, true}) {
          Problem p = blank_problem({16, 256, 1, n_planes, activation_bits, 4});
          for (auto& code : p.codes) {
            code = ones ? static_cast<std::uint16_t>((1 << n_planes) - 1) : 0;
          }
          for (auto& scale : p.scales) scale = 255;
          for (auto& value : p.q) value = q;
          expect_equals_reference(p);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(KernelTest, WritesOnlyTheRowBlocksAskedFor) {
  for (const int n_planes : {1, 2, 3}) {
    const Problem p = random_problem({150, 95, 5, n_planes, 32, 2}, rng_);
    const std::vector<std::uint32_t> whole = run_kernel(*kernel_, p);
    const std::int64_t row_blocks = p.shape.row_blocks();
    for (std::int64_t begin = 0; begin <= row_blocks; ++begin) {
      for (std::int64_t end = begin; end <= row_blocks; ++end) {
        const std::vector<std::uint32_t> part = run_kernel(*kernel_, p, begin, end);
        for (std::size_t i = 0; i < part.size(); ++i) {
          const std::int64_t row_block =
              static_cast<std::int64_t>(i) % p.shape.acc_stride() / kBlockRows;
          const bool inside = row_block >= begin && row_block < end;
          ASSERT_EQ(part[i], inside ? whole[i] : kUntouched) << "row block " << row_block;
        }
      }
    }
  }
}

std::vector<const char*> names_of_kernels() {
  std::vector<const char*> names;
  for (const BitKernel& kernel : all_kernels()) names.push_back(kernel.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, KernelTest, ::testing::ValuesIn(names_of_kernels()),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace pbatch::testing
